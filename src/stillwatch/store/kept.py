"""A store opened by its one writer: what it holds, what is added to it, and what it gives a scan."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch import __version__
from stillwatch.enrich import Gear
from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.store import key, parts, states
from stillwatch.store.manifest import SCHEMAS, Manifest, Part, Source

# How long who judges beside a writer waits for its turn to write: a cycle holds the store for as long as it judges.
_FOR_A_TURN = 1_800.0
# What may lie in a folder that is becoming a store, where a process was killed that made it.
_BEGUN = {states.LOCK, key.FILE, *SCHEMAS}


class Store:
    """A store, as long as its lock is held. `manifest` is its newest state."""

    # Whether exchanges may be added.
    grows = True

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @contextmanager
    def turn(self) -> Iterator[Store]:
        """The newest state, which nobody else changes within the block."""
        yield self

    def source(self, digest: str) -> Source | None:
        """The source of that digest, where it was read before."""
        return next((s for s in self.manifest.sources if s.digest == digest), None)

    def add(self, sources: Sequence[Source], exchanges: Sequence[Part]) -> None:
        """Publish a state with these sources and their exchanges."""
        now = self.manifest
        self._publish({"exchanges": (*now.tables["exchanges"], *exchanges)}, (*now.sources, *sources))

    def fold(self, gone: Collection[int]) -> None:
        """Publish a state in which the sources of these numbers, whose files nobody can give again, are one.

        What each gave by itself is told no more, and a store that takes traffic every few seconds stays small.
        """
        folded = [source for source in self.manifest.sources if source.number in gone]
        if len(folded) < 2:
            return
        rejected: Counter[str] = Counter()
        for source in folded:
            rejected.update(source.rejected)
        update = {
            "rows": sum(source.rows for source in folded),
            "columns": tuple(sorted({name for source in folded for name in source.columns})),
            "rejected": dict(rejected),
        }
        kept = [source for source in self.manifest.sources if source.number not in gone]
        sources = sorted([*kept, folded[-1].model_copy(update=update)], key=lambda source: source.number)
        self._publish({}, tuple(sources))

    def exchange(self, written: Sequence[Part]) -> None:
        """Publish a state whose exchanges are the same in other parts."""
        self._publish({"exchanges": tuple(written)}, self.manifest.sources)

    def expire(self, days: int) -> None:
        """Publish a state without the exchanges that are older than so many days back from the newest."""
        exchanges = self.manifest.tables["exchanges"]
        newest = max((part.day or 0 for part in exchanges), default=0)
        kept = tuple(part for part in exchanges if (part.day or 0) > newest - days)
        gone = self.manifest.rows - sum(part.rows for part in kept)
        if gone:
            self._publish({"exchanges": kept}, self.manifest.sources, gone)

    def replace(self, tables: dict[str, pa.Table]) -> None:
        """Publish a state in which small tables have these rows; nothing is written where they have them already."""
        changed = {name: rows for name, rows in tables.items() if not self.table(name).equals(rows.cast(SCHEMAS[name]))}
        if changed:
            with writing(self.folder):
                made = {name: (parts.write_table(self.folder, name, rows),) for name, rows in changed.items()}
            self._publish(made, self.manifest.sources)

    def table(self, name: str) -> pa.Table:
        """A small table of the store."""
        read = [pq.read_table(self.folder / part.name, schema=SCHEMAS[name]) for part in self.manifest.tables[name]]
        return pa.concat_tables([SCHEMAS[name].empty_table(), *read])

    def link(self, folder: Path) -> None:
        """Make a folder that shows exactly the parts of exchanges of this state."""
        link(self.folder, self.manifest, folder)

    def _publish(self, tables: Mapping[str, tuple[Part, ...]], sources: tuple[Source, ...], expired: int = 0) -> None:
        update = {
            "number": self.manifest.number + 1,
            "written_by": __version__,
            "tables": {**self.manifest.tables, **tables},
            "sources": sources,
            "expired": self.manifest.expired + expired,
        }
        manifest = self.manifest.model_copy(update=update)
        with writing(self.folder):
            states.publish(self.folder, manifest)
            self.manifest = manifest
            states.clear(self.folder)


class HeldStore(Store):
    """A store as it was when this was opened, while another process adds to it. `manifest` is that state.

    What is written is small tables alone, in turns, upon the state that is the newest by then.
    """

    grows = False

    @contextmanager
    def turn(self) -> Iterator[Store]:
        """The newest state, which nobody else changes within the block; waits for who writes to it."""
        with states.alone(self.folder, _FOR_A_TURN):
            yield Store(self.folder, _usable(self.folder) or self.manifest)


def link(store: Path, manifest: Manifest, folder: Path) -> None:
    """Make a folder of links to the parts of exchanges of a state."""
    folder.mkdir()
    for part in manifest.tables["exchanges"]:
        (folder / Path(part.name).name).symlink_to((store / part.name).resolve())


@contextmanager
def opened(folder: Path, key_file: Path | None = None) -> Iterator[tuple[Store, Gear]]:
    """Open a store for a scan, or make a new one; with it the tables of its key.

    key_file: the key to use in place of the store's own. Raises InputError where the folder is something else, or was
    made with another schema, sketch or key; EnvironmentFailure where another process writes to it.
    """
    _check(folder)
    with writing(folder):
        for name in SCHEMAS:
            (folder / name).mkdir(parents=True, exist_ok=True)
    with states.alone(folder):
        manifest = _usable(folder)
        with writing(folder):
            secret = key.key_of(folder, key_file, manifest.key_id if manifest else None)
            if manifest is None:
                manifest = Manifest.empty(key.key_id(secret))
                states.publish(folder, manifest)
            states.clear(folder)
        yield Store(folder, manifest), Gear.from_key(secret)


@contextmanager
def beside(folder: Path, key_file: Path | None = None) -> Iterator[tuple[Store, Gear]]:
    """Hold a store as it is, to judge it while another process adds to it; with it the tables of its key.

    Raises InputError where there is no store, or it was made with another schema, sketch or key.
    """
    with states.held(folder) as manifest:
        if (fault := manifest.fault()) is not None:
            raise InputError(f"{folder}: {fault}")
        yield HeldStore(folder, manifest), Gear.from_key(key.key_of(folder, key_file, manifest.key_id))


@contextmanager
def reopened(folder: Path) -> Iterator[Store]:
    """Open a store that there is for other writing than a scan's, which takes no key."""
    with states.held(folder):
        pass  # where there is no store, none is made
    with states.alone(folder):
        yield Store(folder, _usable(folder) or Manifest.empty(""))


def _usable(folder: Path) -> Manifest | None:
    manifest = states.newest(folder)
    if manifest is not None and (fault := manifest.fault()) is not None:
        raise InputError(f"{folder}: {fault}")
    return manifest


def _check(folder: Path) -> None:
    """Refuse a place that holds something other than a store."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: give --store a new folder or an earlier store")
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    if there - _BEGUN and not states.numbers(folder):
        raise InputError(f"{folder} holds something other than a store (no manifest): give another --store")


@contextmanager
def writing(folder: Path, after: str = "what was finished before is kept") -> Iterator[None]:
    """Tell a failure to write in one line, and how things stand after it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full"
        elif error.errno == errno.EFBIG:
            reason = "a file would be larger than is allowed here (ulimit -f)"
        else:
            reason = os.strerror(error.errno) if error.errno else str(error)
        raise EnvironmentFailure(f"{folder}: cannot write: {reason}; {after}") from error
