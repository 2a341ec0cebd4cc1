"""Which passages several accounts carry, and where they stand, from enriched parts on this machine.

As `occurrences.sql`, `shared.sql` and `carried.sql` say it, and several times as fast: of all passages nine in ten are
of one account alone, and these never leave the two passes here. The first divides all occurrences by hash into ranges
small enough for a cache, and finds in each which passages have two accounts and stand often enough; the second goes
over the parts once more and keeps what is shared. Memory goes with the shared passages and not with the traffic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine import Engine
from stillwatch.store import Local
from stillwatch.store.sharing_kernels import carriers, count, scatter, several, table_of

Integers = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]
Made = TypeVar("Made")

# Ranges of hashes, by their highest bits. A range's table stays in the second level of cache up to a million exchanges,
# and takes 200 MB at 33 million.
RANGE_BITS = 8
# Rows read at a time: some 40 passages each, so a stretch and what is made of it take 60 MB.
STRETCH = 65_536
COLUMNS = ("exchange_no", "account_id", "prompt_hash", "system_prompt_passages", "prompt_passages")
CARRIED = pa.schema([(name, pa.int64()) for name in ("passage", "exchange_no", "account_no", "prompt_hash")])


def share(engine: Engine, local: Local, least: int) -> None:
    """Make `shared` and `carried` in the engine, which holds `parties` and `repeats`. least: occurrences of what
    counts."""
    parties = engine.query("SELECT account_id, account_no FROM parties")
    numbers = parties["account_no"].to_numpy().astype(np.int32)
    ids = pa.array(parties["account_id"].combine_chunks())
    repeats = engine.query("SELECT exchange_no FROM repeats")["exchange_no"].combine_chunks()
    threads = local.threads
    with ThreadPoolExecutor(threads) as pool:

        def stretches(stage: str) -> Iterator[_Stretch]:
            done = 0
            for stretch in _stretches(local.parts, ids, numbers, repeats, local.since):
                yield stretch
                done += len(stretch.accounts)
                local.progress(stage, done)

        spilled = _Spilled(local.work, least)
        try:
            for made in _in_threads(pool, threads, _Stretch.ranges, stretches("shared")):
                spilled.write(*made)
            spilled.finish()
            found = [*_in_threads(pool, threads, spilled.shared, range(1 << RANGE_BITS))]
        finally:
            spilled.remove()
        passages = np.concatenate([p for p, _ in found])
        accounts = np.concatenate([a for _, a in found])
        table, filled = table_of(passages)
        exchanges = np.zeros(len(passages), np.int64)

        def carried() -> Iterator[pa.RecordBatch]:
            def of(stretch: _Stretch) -> tuple[Integers, pa.RecordBatch]:
                return stretch.carried(passages, table, filled)

            for which, rows in _in_threads(pool, threads, of, stretches("carried")):
                count(which, exchanges)
                yield rows

        engine.register("carried", pa.RecordBatchReader.from_batches(CARRIED, carried()))
    engine.register("shared", pa.table({"passage": passages, "accounts": accounts, "exchanges": exchanges}))


def _in_threads(
    pool: ThreadPoolExecutor, ahead: int, work: Callable[[Any], Made], given: Iterable[Any]
) -> Iterator[Made]:
    """What comes of each, in order, with only so many under way."""
    waiting: deque[Future[Made]] = deque()
    for one in given:
        waiting.append(pool.submit(work, one))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Stretch:
    """Some exchanges: their numbers, accounts and prompts, and the passages of their two texts."""

    def __init__(self, rows: pa.RecordBatch, accounts: Small) -> None:
        self.exchange_no = rows.column("exchange_no")
        self.prompt_hash = rows.column("prompt_hash")
        self.accounts = accounts
        self.texts = [_lists(rows.column(f"{part}_passages")) for part in ("system_prompt", "prompt")]

    def ranges(self) -> tuple[Integers, Small, Integers]:
        """Passages and their accounts in order of their ranges, and where each range begins."""
        (system, first), (prompt, second) = self.texts
        size = len(system) + len(prompt)
        passages, accounts = np.empty(size, np.int64), np.empty(size, np.int32)
        starts = scatter(system, first, prompt, second, self.accounts, 63 - RANGE_BITS, passages, accounts)
        return passages, accounts, starts

    def carried(
        self, passages: Integers, table: Integers, filled: npt.NDArray[np.uint64]
    ) -> tuple[Integers, pa.RecordBatch]:
        """Which of the shared passages stand in which exchange: their places, and the rows of `carried`."""
        (system, first), (prompt, second) = self.texts
        size = len(system) + len(prompt)
        which, rows = np.empty(size, np.int64), np.empty(size, np.int64)
        found = carriers(system, first, prompt, second, passages, table, filled, which, rows)
        which, at = which[:found].copy(), pa.array(rows[:found])
        columns = [
            pa.array(passages[which]),
            self.exchange_no.take(at),
            pa.array(self.accounts[rows[:found]].astype(np.int64)),
            self.prompt_hash.take(at),
        ]
        return which, pa.RecordBatch.from_arrays(columns, schema=CARRIED)


def _lists(lists: pa.Array) -> tuple[Integers, Integers]:
    """The values of all lists and where each list begins; a missing list is empty."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return np.asarray(lists.flatten()), offsets


def _stretches(parts: Path, ids: pa.Array, numbers: Small, repeats: pa.Array, since: int | None) -> Iterator[_Stretch]:
    columns = [*COLUMNS, "day"] if since is not None else COLUMNS
    for path in sorted(parts.glob("*.parquet")):
        with pq.ParquetFile(path, read_dictionary=["account_id"]) as file:
            for rows in file.iter_batches(STRETCH, columns=columns):
                if since is not None:
                    rows = rows.filter(pc.greater_equal(rows.column("day"), since))  # noqa: PLW2901
                if len(repeats):
                    rows = rows.filter(pc.invert(pc.is_in(rows.column("exchange_no"), repeats)))  # noqa: PLW2901
                account = rows.column("account_id")
                coded = account if pa.types.is_dictionary(account.type) else account.dictionary_encode()
                # A name that only repeats have stays in the dictionary, and no row asks for it.
                known = np.asarray(pc.fill_null(pc.index_in(coded.dictionary, ids), 0))
                yield _Stretch(rows, numbers[known[np.asarray(coded.indices)]])


class _Spilled:
    """Occurrences on disk, stretch after stretch, each in order of its ranges."""

    def __init__(self, work: Path, least: int) -> None:
        self._least = least
        self._paths = work / "passages.spill", work / "accounts.spill"
        self._passages, self._accounts = (path.open("wb") for path in self._paths)
        self._starts: list[Integers] = []
        self._size = 0

    def write(self, passages: Integers, accounts: Small, starts: Integers) -> None:
        self._passages.write(passages.data)
        self._accounts.write(accounts.data)
        self._starts.append(starts + self._size)
        self._size += len(passages)

    def finish(self) -> None:
        """Bring all that was written to the files, before any range is read."""
        self._passages.close()
        self._accounts.close()

    def _range(self, path: Path, number: int, kind: type) -> npt.NDArray[Any]:
        everything = np.memmap(path, kind, "r", shape=self._size)
        return np.concatenate([everything[starts[number] : starts[number + 1]] for starts in self._starts])

    def shared(self, number: int) -> tuple[Integers, Integers]:
        """Passages of one range that several accounts carry often enough, and how many accounts."""
        if not self._size:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        passages = self._range(self._paths[0], number, np.int64)
        accounts = self._range(self._paths[1], number, np.int32)
        kept = several(passages, accounts, self._least)
        found, place = np.unique(passages[kept], return_inverse=True)
        pairs = np.unique(place * np.int64(2**32) + accounts[kept])
        return found, np.bincount(pairs // 2**32, minlength=len(found)).astype(np.int64)

    def remove(self) -> None:
        for file, path in zip((self._passages, self._accounts), self._paths, strict=True):
            file.close()
            path.unlink()
