"""What is asked of a scan, and what tells how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from stillwatch import sources
from stillwatch.errors import InputError

ENGINES = ("duckdb", "spark")

# Told where a scan stands: the stage, exchanges done in it, and of how many where that is known.
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What to scan. targets: files, folders or globs. newest: how many of the exchanges that came into the store last
    are judged; None for all. beside: judge the store as it is while another process adds to it; what is in the targets
    must be in it."""

    targets: tuple[str, ...]
    out: Path
    format: str = "auto"
    accounts: Path | None = None
    models: Path | None = None
    join: tuple[Path, ...] = ()
    mapping: Path | None = None
    store: Path | None = None
    verdicts: Path | None = None
    engine: str = "duckdb"
    newest: int | None = None
    beside: bool = False


class Feed(Protocol):
    """Traffic that comes into a store by another way than files that somebody names."""

    def inputs(self, rejects: sources.Rejects) -> sources.Inputs:
        """What there is to read now: files that nobody writes to any more, in their order."""
        ...

    def batches(self, inputs: sources.Inputs, rejects: sources.Rejects) -> Iterator[pa.RecordBatch]:
        """Their exchanges, the same in each reading; the next file is asked for once one was read to its end."""
        ...


def silent(stage: str, done: int, total: int | None) -> None:
    """No progress."""


def check_engine(request: Request) -> None:
    """Refuse an engine that there is not, or that cannot do what is asked; raises InputError."""
    if request.engine not in ENGINES:
        raise InputError(f"--engine {request.engine}: no such engine; use {' or '.join(ENGINES)}")
    if request.newest is not None and (request.store is None or request.engine != "duckdb"):
        raise InputError("--newest: of a store alone is known what came last: give --store, and no other engine")
    remote = [target for target in request.targets if "://" in target]
    if request.engine == "duckdb":
        if remote:
            raise InputError(f"{remote[0]}: only --engine spark reads such paths; bring the files here, or use it")
        return
    missing = [name for name in ("pyspark", "sqlglot", "pandas") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"--engine spark: {', '.join(missing)} not installed: pip install 'stillwatch[spark]', or leave it out"
        )
    if request.join:
        raise InputError("--join is not taken by --engine spark: join the second source to the traffic in Spark first")
    if remote and len(remote) < len(request.targets):
        raise InputError(f"{remote[0]}: give all traffic as such paths (file:///... for files here), or none")
    if remote and request.store:
        raise InputError(f"{remote[0]}: a store takes files of this machine: leave --store out, or bring them here")


def found(request: Request, rejects: sources.Rejects) -> sources.Inputs:
    """The files that the request means."""
    return sources.discover(
        request.targets,
        format=request.format,
        accounts=request.accounts,
        models=request.models,
        rejects=rejects,
        join=request.join,
    )
