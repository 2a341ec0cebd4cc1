"""Which files are meant, and of which format each is, told by content."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote

from stillwatch.errors import InputError
from stillwatch.sources import canonical, lines
from stillwatch.sources.formats import FORMATS
from stillwatch.sources.lines import DamagedFile
from stillwatch.sources.rejects import Rejects
from stillwatch.tables import EXCHANGES

# What a folder may hold beside traffic, by name; never traffic.
BESIDE: Final = MappingProxyType(
    {"accounts.parquet": "accounts", "account_events.parquet": "account_events", "models.parquet": "models"}
)
# Lines looked at for one that some format recognises: enough to get past a damaged beginning.
LOOK_AT: Final = 100


@dataclass(frozen=True, slots=True)
class TrafficFile:
    """One file of traffic: its format's name, whether it is Parquet, and columns that its folders supply."""

    path: Path
    format: str
    parquet: bool = False
    partitions: tuple[tuple[str, str], ...] = ()


@dataclass
class Inputs:
    """What there is to read. `formats` counts the traffic files by format."""

    traffic: list[TrafficFile]
    accounts: Path | None = None
    account_events: Path | None = None
    models: Path | None = None
    formats: dict[str, int] = field(default_factory=dict)


def discover(
    targets: Sequence[str],
    *,
    format: str = "auto",
    accounts: Path | None = None,
    models: Path | None = None,
    rejects: Rejects,
    join: Sequence[Path] = (),
) -> Inputs:
    """Find the traffic in files, folders and globs.

    In a folder `truth_*` is never read, and accounts.parquet, account_events.parquet and models.parquet are taken for
    what they are unless options name others. A file that cannot be used is a rejected file; raises InputError when
    none can. With `join`, a Parquet file may lack the time or the account, which the other source may supply.
    """
    if format != "auto" and format not in FORMATS:
        raise InputError(f"--format {format}: no such format; use auto, {', '.join(FORMATS)}")
    inputs = Inputs([], accounts=accounts, models=models)
    named = {p.resolve() for p in (accounts, models, *join) if p is not None}
    for path, root in _files(targets, rejects):
        role = BESIDE.get(path.name)
        if path.name.startswith("truth_") or path.resolve() in named:
            continue
        if role is not None:
            if getattr(inputs, role) is None:
                setattr(inputs, role, path)
            elif getattr(inputs, role) not in (accounts, models):
                rejects.add(str(path), f"a second {path.name}; name the one to use", file=True)
            continue
        partitions = _partitions(path, root)
        try:
            traffic = _sniff(path, format, partitions, bool(join))
        except DamagedFile as damage:
            rejects.add(str(path), str(damage), file=True)
            continue
        inputs.traffic.append(traffic)
        inputs.formats[traffic.format] = inputs.formats.get(traffic.format, 0) + 1
    if not inputs.traffic:
        raise InputError(_nothing(targets, rejects))
    return inputs


def _nothing(targets: Sequence[str], rejects: Rejects) -> str:
    where = ", ".join(targets)
    if not rejects.by_reason:
        return f"{where}: no traffic found; give files or folders of Parquet or JSON lines"
    reasons = "; ".join(f"{reason} ({n:,})" if n > 1 else reason for reason, n in rejects.by_reason.items())
    return f"{where}: no usable traffic: {reasons}"


def _files(targets: Sequence[str], rejects: Rejects) -> Iterator[tuple[Path, Path | None]]:
    """Every file once, sorted by path, with the folder it was found under."""
    found: dict[Path, tuple[Path, Path | None]] = {}
    for target in targets:
        path = Path(target)
        listed: list[tuple[Path, Path | None]]
        if path.is_dir():
            listed = [(p, path) for p in _under(path)]
        elif path.exists():
            listed = [(path, None)]
        else:
            matched = [Path(p) for p in glob.glob(target, recursive=True)]  # noqa: PTH207  (it may be absolute)
            listed = [(p, None) for p in matched if p.is_file()]
            listed += [(p, m) for m in matched if m.is_dir() for p in _under(m)]
            if not listed:
                rejects.add(target, "no such file or folder", file=True)
        for file, root in listed:
            found.setdefault(file.resolve(), (file, root))
    yield from sorted(found.values(), key=lambda pair: str(pair[0]))


def _under(folder: Path) -> Iterator[Path]:
    """Files below a folder, but for hidden ones and what Spark and table formats keep for themselves (_SUCCESS, …)."""
    for here, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if not f.startswith((".", "_"))]
        for name in names:
            if not name.startswith((".", "_")):
                yield Path(here) / name


def _partitions(path: Path, root: Path | None) -> tuple[tuple[str, str], ...]:
    """Columns of ours in Hive-style folder names: `account_id=a/model=m/part.parquet`."""
    parents = path.relative_to(root).parts[:-1] if root is not None and path.is_relative_to(root) else path.parts[:-1]
    pairs = [tuple(part.split("=", 1)) for part in parents if "=" in part]
    return tuple((k, unquote(v)) for k, v in pairs if k in EXCHANGES.names and v != "__HIVE_DEFAULT_PARTITION__")


def _sniff(path: Path, wanted: str, partitions: tuple[tuple[str, str], ...], joined: bool) -> TrafficFile:
    """The file's format; raises DamagedFile with a fixed sentence where it is of none."""
    if not path.is_file():
        raise DamagedFile("neither a file nor a folder")
    head = _head(path)
    if not head:
        raise DamagedFile("empty file")
    if head.startswith(lines.PARQUET_MAGIC):
        if wanted not in ("auto", canonical.NAME):
            raise DamagedFile(f"a Parquet file, which --format {wanted} is not")
        _columns_present(path, partitions, joined)
        return TrafficFile(path, canonical.NAME, True, partitions)
    return TrafficFile(path, _line_format(path, wanted), False, partitions)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as failure:
        raise DamagedFile("no permission to read the file") from failure


def _columns_present(path: Path, partitions: tuple[tuple[str, str], ...], joined: bool) -> None:
    names = {*canonical.parquet_schema(path).names, *(k for k, _ in partitions)}
    required = [c.name for c in EXCHANGES.columns if c.required]
    missing = [name for name in required if name not in names and not (joined and name != "exchange_id")]
    if missing:
        raise DamagedFile(f"required column missing: {', '.join(missing)}")


def _line_format(path: Path, wanted: str) -> str:
    objects = parsed = 0
    binary = False
    try:
        for number, line in islice(lines.lines(path), LOOK_AT):
            if line is None or not line.strip():
                continue
            binary = binary or b"\0" in line
            if number == 1:
                line = line.removeprefix(lines.BYTE_ORDER_MARK)  # noqa: PLW2901
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise DamagedFile("UTF-16 text; convert it to UTF-8")
                if line.startswith(lines.PARQUET_MAGIC):
                    raise DamagedFile("a Parquet file inside a compressed one; unpack it")
            try:
                value, _ = lines.parse(line)
            except ValueError:
                if number == 1 and line.strip() in (b"[", b"{"):
                    raise DamagedFile("JSON over several lines; write one record a line (jq -c '.[]?')") from None
                continue
            parsed += 1
            if isinstance(value, list) and number == 1:
                raise DamagedFile("one JSON array; write one record a line (jq -c '.[]')")
            if not isinstance(value, dict):
                continue
            objects += 1
            for name, module in FORMATS.items():
                if wanted in ("auto", name) and module.recognises(value):
                    return name
    except DamagedFile:
        if not parsed:
            raise
    if not parsed:
        raise DamagedFile(
            "a binary file, neither Parquet nor JSON lines" if binary else "neither Parquet nor JSON lines"
        )
    if wanted != "auto":
        raise DamagedFile(f"JSON lines, but none of the first {LOOK_AT} is of --format {wanted}")
    raise DamagedFile("JSON lines of no known format; name the columns as in the reference, or give --format")
