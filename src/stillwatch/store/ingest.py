"""Traffic taken into a store: each source once, whatever its name, and whole or not at all."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from stillwatch.enrich import Gear, enrich
from stillwatch.errors import InputError
from stillwatch.sources import Inputs, Rejects, TrafficFile
from stillwatch.store import parts
from stillwatch.store.kept import Store, writing
from stillwatch.store.manifest import Source, first_no
from stillwatch.store.threads import in_threads
from stillwatch.tables import EXCHANGES

# A state is published when a source is finished and so many seconds have passed since the last, which is what a killed
# run loses at most beside its unfinished source. Publishing takes some 50 ms, a hundredth of it.
PUBLISH_EVERY = 5.0

# A stretch of traffic on its way: the number of its source, that of its first exchange, and the exchanges.
Stretch = tuple[int, int, pa.RecordBatch]
# Opens the traffic of some files as batches in their order.
Reader = Callable[[Inputs], Iterator[pa.RecordBatch]]


def enriched(stretches: Iterable[Stretch], gear: Gear, threads: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Enrich stretches in threads (the kernels release the GIL); source and rows come in the order of reading."""

    def made(stretch: Stretch) -> tuple[int, pa.RecordBatch]:
        source, first_no, batch = stretch
        return source, enrich(batch, first_no, gear)

    return in_threads(threads, made, stretches)


@dataclass(frozen=True, slots=True)
class Given:
    """A file of traffic that was given to this run, and what the store knows it as. new: read in this run."""

    file: TrafficFile
    source: Source
    new: bool


@dataclass(frozen=True, slots=True)
class New:
    """A file that the store does not hold: what it is known by, and its size and time of writing before it was read."""

    file: TrafficFile
    digest: str
    stamp: tuple[int, int]


def reading_digest(paths: Iterable[Path]) -> str:
    """SHA-256 over the files that decide how traffic is read beside the traffic itself. What is no file counts by its
    name; the reader tells what is wrong with it."""
    told = sorted(parts.digest(path) if path.is_file() else str(path) for path in paths)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def content_digest(file: TrafficFile) -> str:
    """What a file is known by in a store: SHA-256 of its content, its format and what the names of its folders say."""
    named = [parts.digest(file.path), file.format, *(f"{name}={value}" for name, value in file.partitions)]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()


def told_apart(store: Store, inputs: Inputs) -> tuple[list[Given], list[New]]:
    """The files that the store holds, and those that it does not; of several with one content, the first alone."""
    sources = {source.digest: source for source in store.manifest.sources}
    known: list[Given] = []
    new: list[New] = []
    seen: set[str] = set()
    for file in inputs.traffic:
        stamp = _stamp(file.path)
        digest = content_digest(file)
        if digest in sources and digest not in seen:
            known.append(Given(file, sources[digest], False))
        elif digest not in seen:
            new.append(New(file, digest, stamp))
        seen.add(digest)
    return known, new


class _Watched(list[TrafficFile]):
    """Traffic files that tell where their reader is: it asks for the next only when it has read one to its end."""

    def __init__(self, files: Sequence[TrafficFile], finished: Callable[[int], None]) -> None:
        super().__init__(files)
        self._finished = finished
        self._told = 0

    def __iter__(self) -> Iterator[TrafficFile]:
        for number, file in enumerate(super().__iter__()):
            yield file
            if number == self._told:  # it may go over them again, to name them
                self._told += 1
                self._finished(number)


class _Taking:
    """New files on their way into a store."""

    def __init__(self, store: Store, files: Sequence[New], reading: str, rejects: Rejects) -> None:
        self.store = store
        self._files = files
        self._reading = reading
        self._rejects = rejects
        self.first = store.manifest.next_source
        self._now = 0
        self._columns: set[str] = set()
        self._rows = 0
        self._before = dict(rejects.by_reason)
        self.read: list[Source] = []

    def stretches(self, batches: Iterable[pa.RecordBatch], progress: Callable[[int], None]) -> Iterator[Stretch]:
        """The batches with the numbers of their sources and exchanges."""
        done = 0
        for batch in batches:
            self._columns |= {n for n in EXCHANGES.names if batch.column(n).null_count < batch.num_rows}
            yield self._now, first_no(self.first + self._now) + self._rows, batch
            self._rows += batch.num_rows
            done += batch.num_rows
            progress(done)

    def finished(self, number: int) -> None:
        """Called when the reader has come to the end of a file."""
        path = self._files[number].file.path
        if _stamp(path) != self._files[number].stamp:
            raise InputError(f"{path}: was written to while it was read; scan it when it is finished")
        after = self._rejects.by_reason
        rejected = {reason: n - self._before.get(reason, 0) for reason, n in after.items()}
        self.read.append(self._source(self._rows, {reason: n for reason, n in rejected.items() if n}))
        self._before = dict(after)
        self._now, self._rows, self._columns = number + 1, 0, set()

    def _source(self, rows: int, rejected: dict[str, int]) -> Source:
        new = self._files[self._now]
        return Source(
            number=self.first + self._now,
            name=new.file.path.name,
            digest=new.digest,
            reading=self._reading,
            format=new.file.format,
            rows=rows,
            columns=tuple(sorted(self._columns)),
            rejected=rejected,
        )


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def ingest(
    store: Store,
    inputs: Inputs,
    new: Sequence[New],
    read: Reader,
    *,
    reading: str,
    rejects: Rejects,
    gear: Gear,
    threads: int,
    some_known: bool,
    progress: Callable[[int], None],
) -> list[Given]:
    """Read new files into the store, and give them with what the store knows them as.

    reading: what `reading_digest` gives. A source is in the store once it was read to its end and a state was published
    that names it; where this is broken off, the finished ones stay. Raises InputError where no record is usable, unless
    there were `some_known` files beside these.
    """
    taking = _Taking(store, new, reading, rejects)
    written = parts.DayParts(store.folder)
    batches = read(replace(inputs, traffic=_Watched([n.file for n in new], taking.finished)))
    try:
        _take(taking, enriched(taking.stretches(batches, progress), gear, threads), written)
    except InputError:
        if not some_known or len(taking.read) < len(new):
            raise
        _publish(taking, written, len(new))
    finally:
        written.abandon()
    return [Given(n.file, source, True) for n, source in zip(new, taking.read, strict=True)]


def _take(taking: _Taking, made: Iterable[tuple[int, pa.RecordBatch]], written: parts.DayParts) -> None:
    last = time.monotonic()
    for source, rows in made:
        # All rows of the sources before this one are written: rows come in the order of reading.
        if time.monotonic() - last >= PUBLISH_EVERY and _publish(taking, written, source):
            last = time.monotonic()
        with writing(taking.store.folder):
            written.write(rows)
    _publish(taking, written, len(taking.read))


def _publish(taking: _Taking, written: parts.DayParts, up_to: int) -> bool:
    """Publish the finished sources before `up_to` that are in no state yet."""
    done = taking.store.manifest.next_source - taking.first
    if up_to <= done:
        return False
    with writing(taking.store.folder):
        made = written.finish()
    taking.store.add(taking.read[done:up_to], made)
    return True
