"""Which files are meant, and of which format each is, told by content."""

from __future__ import annotations

import glob
import os
import re
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
_ARRAY: Final = re.compile(rb"\s*\[\s*([{\[]|$)")

NEITHER: Final = "neither Parquet nor JSON lines"


@dataclass(frozen=True, slots=True)
class TrafficFile:
    """One file of traffic: its format's name, whether it is Parquet, and columns that its folders supply.

    groups: the first and the last of the row groups that are meant, where it is a stretch of a Parquet file.
    """

    path: Path
    format: str
    parquet: bool = False
    partitions: tuple[tuple[str, str], ...] = ()
    groups: tuple[int, int] | None = None


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
    for path in _files(targets, rejects):
        role = BESIDE.get(path.name)
        if path.name.startswith("truth_") or path.resolve() in named:
            continue
        if role is not None:
            if getattr(inputs, role) is None:
                setattr(inputs, role, path)
            elif getattr(inputs, role) not in (accounts, models):
                rejects.add(str(path), f"a second {path.name}; name the one to use", file=True)
            continue
        partitions = partitions_of(path)
        try:
            traffic = sniff(path, format, partitions, bool(join))
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


def _files(targets: Sequence[str], rejects: Rejects) -> list[Path]:
    """Every file once, sorted by path, so that neither the order of targets nor that of a folder decides anything."""
    found: dict[Path, Path] = {}
    for target in targets:
        try:
            listed = _listed(target, rejects)
            if listed is None:
                rejects.add(target, "no such file or folder", file=True)
            for path in listed or ():
                found.setdefault(path.resolve(), path)
        except OSError:
            rejects.add(target, lines.FORBIDDEN, file=True)
    return sorted(found.values(), key=str)


def _listed(target: str, rejects: Rejects) -> list[Path] | None:
    """The files that a target means; None where there is nothing of that name."""
    path = Path(target)
    if path.is_dir():
        return list(_under(path, rejects))
    if path.exists():
        return [path]
    # A glob may be absolute, which Path.glob does not take.
    matched = [m for m in map(Path, glob.glob(target, recursive=True)) if not kept_apart(m.name)]  # noqa: PTH207
    inside = [p for m in matched if m.is_dir() for p in _under(m, rejects)]
    return [*(m for m in matched if not m.is_dir()), *inside] if matched else None


def _under(folder: Path, rejects: Rejects) -> Iterator[Path]:
    """Files below a folder, but for hidden ones and what Spark and table formats keep for themselves (_SUCCESS, …)."""

    def unreadable(failure: OSError) -> None:
        rejects.add(str(failure.filename), lines.FORBIDDEN, file=True)

    for here, folders, names in os.walk(folder, onerror=unreadable):
        folders[:] = [f for f in folders if not kept_apart(f)]
        for name in names:
            if not kept_apart(name):
                yield Path(here) / name


def kept_apart(name: str) -> bool:
    """Whether a file or folder of this name is nobody's traffic: hidden, or an engine's own (_SUCCESS, ...)."""
    return name.startswith((".", "_"))


def partitions_of(path: Path) -> tuple[tuple[str, str], ...]:
    """Columns of ours in Hive-style folder names: `account_id=a/model=m/part.parquet`."""
    pairs = [tuple(part.split("=", 1)) for part in path.parts[:-1] if "=" in part]
    return tuple((k, unquote(v)) for k, v in pairs if k in EXCHANGES.names and v != "__HIVE_DEFAULT_PARTITION__")


def sniff(path: Path, wanted: str, partitions: tuple[tuple[str, str], ...], joined: bool) -> TrafficFile:
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
        raise DamagedFile(lines.FORBIDDEN) from failure


def _columns_present(path: Path, partitions: tuple[tuple[str, str], ...], joined: bool) -> None:
    names = {*canonical.parquet_schema(path).names, *(k for k, _ in partitions)}
    required = [c.name for c in EXCHANGES.columns if c.required]
    missing = [name for name in required if name not in names and not (joined and name != "exchange_id")]
    if missing:
        raise DamagedFile(f"required column missing: {', '.join(missing)}")


def _line_format(path: Path, wanted: str) -> str:
    """The first format that recognises one of the first lines; raises DamagedFile where none does."""
    parsed = binary = False
    for number, line in _first_lines(path):
        if number == 1:
            _not_lines(line)
        binary = binary or b"\0" in line
        try:
            value, _ = lines.parse(line)
        except ValueError:
            continue
        parsed = True
        if not isinstance(value, dict):
            continue
        for name, module in FORMATS.items():
            if wanted in ("auto", name) and module.recognises(value):
                return name
    if not parsed:
        raise DamagedFile("a binary file, neither Parquet nor JSON lines" if binary else NEITHER)
    if wanted != "auto":
        raise DamagedFile(f"JSON lines, but none of the first {LOOK_AT} is of --format {wanted}")
    raise DamagedFile("JSON lines of no known format; name the columns as in the reference, or give --format")


def _first_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The first lines that are not blank; a file that breaks off after one of them is told by those before."""
    some = False
    try:
        for number, line in islice(lines.lines(path), LOOK_AT):
            if line is not None and line.strip():
                some = True
                yield number, line.removeprefix(lines.BYTE_ORDER_MARK) if number == 1 else line
    except DamagedFile:
        if not some:
            raise


def _not_lines(line: bytes) -> None:
    """Raise DamagedFile for what a first line shows to be something else than JSON lines."""
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DamagedFile("UTF-16 text; convert it to UTF-8")
    if line.startswith(lines.PARQUET_MAGIC):
        raise DamagedFile("a Parquet file inside a compressed one; unpack it")
    if _ARRAY.match(line):
        raise DamagedFile("a JSON array; write one record a line (jq -c '.[]')")
    if line.strip() == b"{":
        raise DamagedFile("JSON over several lines; write one record a line (jq -c .)")
