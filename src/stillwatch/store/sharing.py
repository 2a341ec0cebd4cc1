"""Which passages several accounts carry, and where they stand, of enriched exchanges on this machine.

As `occurrences.sql`, `shared.sql` and `carried.sql` say it, and several times as fast: of all passages nine in ten are
of one account alone, and these never leave what is done here. Occurrences are divided by hash as exchanges come, and
kept on disk; then each range, small enough for a cache, says which of its passages two accounts have and how often they
stand, and where. Memory goes with the shared passages and with four bytes an exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine import Engine
from stillwatch.store.sharing_kernels import scatter, several
from stillwatch.store.threads import in_threads

Integers = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]

# Ranges of hashes, by their highest bits. At 33 million exchanges a range is 60 MB on disk.
RANGE_BITS = 8
# Rows of a stored part read at a time: some 40 passages each, so a stretch and what is made of it take 60 MB.
STRETCH = 65_536
COLUMNS = ("exchange_no", "account_id", "prompt_hash", "system_prompt_passages", "prompt_passages")
CARRIED = pa.schema([(name, pa.int64()) for name in ("passage", "exchange_no", "account_no", "prompt_hash")])


class Divided:
    """Some exchanges: their numbers, accounts and prompts, and their passages with the rows that hold them, in order of
    their ranges; `starts` is where each range begins. A missing prompt is -1: hashes are not negative."""

    def __init__(self, rows: pa.RecordBatch) -> None:
        self.exchange_no = rows.column("exchange_no").to_numpy()
        self.prompt_hash = pc.fill_null(rows.column("prompt_hash"), -1).to_numpy()
        account = rows.column("account_id")
        self.accounts = account if pa.types.is_dictionary(account.type) else account.dictionary_encode()
        system, first = _lists(rows.column("system_prompt_passages"))
        prompt, second = _lists(rows.column("prompt_passages"))
        size = len(system) + len(prompt)
        self.passages, self.rows = np.empty(size, np.int64), np.empty(size, np.int32)
        self.starts: Integers = scatter(system, first, prompt, second, 63 - RANGE_BITS, self.passages, self.rows)


def _lists(lists: pa.Array) -> tuple[Integers, Integers]:
    """The values of all lists and where each list begins; a missing list is empty."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return np.asarray(lists.flatten()), offsets


class Occurrences:
    """Where passages stand, on disk in a folder of work until they are asked for."""

    def __init__(self, work: Path) -> None:
        self._paths = {name: work / f"{name}.spill" for name in ("passages", "rows", "exchanges", "prompts")}
        self._files = {name: path.open("wb") for name, path in self._paths.items()}
        self._starts: list[Integers] = []
        self._size = 0
        self._codes: dict[str, int] = {}
        self._accounts: list[Small] = []
        self._rows = 0

    def add(self, given: Divided) -> None:
        """Take what was made of further exchanges."""
        names = given.accounts.dictionary.to_pylist()
        codes = np.array([self._codes.setdefault(name, len(self._codes)) for name in names], np.int32)
        self._accounts.append(codes[np.asarray(given.accounts.indices)])
        given.rows += self._rows  # an overflow, at two thousand million exchanges, is raised
        for name, values in (
            ("passages", given.passages),
            ("rows", given.rows),
            ("exchanges", given.exchange_no),
            ("prompts", given.prompt_hash),
        ):
            self._files[name].write(np.ascontiguousarray(values).data)
        self._starts.append(given.starts + self._size)
        self._size += len(given.passages)
        self._rows += len(given.exchange_no)

    def finish(self) -> None:
        """Bring all that was taken to the files, before anything is asked."""
        for file in self._files.values():
            file.close()

    def remove(self) -> None:
        """Delete the files."""
        self.finish()
        for path in self._paths.values():
            path.unlink(missing_ok=True)

    def accounts(self, parties: pa.Table, without: pa.ChunkedArray) -> Small:
        """The number of each row's account, as `parties` has them; -1 for the exchanges that do not count."""
        numbers = parties["account_no"].to_numpy().astype(np.int32)
        ids = pa.array(parties["account_id"].combine_chunks())
        # A name that only exchanges have that do not count is no party, and no row asks for it.
        known = np.asarray(pc.fill_null(pc.index_in(pa.array(list(self._codes), pa.string()), ids), 0))
        of = numbers[known] if len(numbers) else np.zeros(0, np.int32)
        found: Small = of[np.concatenate([np.zeros(0, np.int32), *self._accounts])]
        if len(without):
            found[np.isin(self._memory("exchanges", np.int64, self._rows), without.to_numpy())] = -1
        return found

    def _memory(self, name: str, kind: type, size: int) -> npt.NDArray[Any]:
        return np.memmap(self._paths[name], kind, "r", shape=size) if size else np.zeros(0, kind)

    def _range(self, name: str, number: int, kind: type) -> npt.NDArray[Any]:
        everything = self._memory(name, kind, self._size)
        return np.concatenate([everything[starts[number] : starts[number + 1]] for starts in self._starts])

    def shared(self, number: int, accounts: Small, least: int) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """Of one range: what several accounts carry and that stands often enough, and the rows of `carried`."""
        passages = self._range("passages", number, np.int64)
        prompts = self._memory("prompts", np.int64, self._rows)
        found, counts, which, rows = several(passages, self._range("rows", number, np.int32), accounts, prompts, least)
        columns = {"passage": found, "accounts": counts[0], "exchanges": counts[1], "prompts": counts[2]}
        prompt = prompts[rows]
        carried = [
            pa.array(found[which]),
            pa.array(self._memory("exchanges", np.int64, self._rows)[rows]),
            pa.array(accounts[rows].astype(np.int64)),
            pa.array(prompt, mask=prompt < 0),
        ]
        return pa.RecordBatch.from_pydict(columns), pa.RecordBatch.from_arrays(carried, schema=CARRIED)


def read_parts(parts: Path, work: Path, threads: int, progress: Callable[[int], None]) -> Occurrences:
    """The occurrences of enriched parts that lie on this machine. progress: told how many exchanges are done."""
    found = Occurrences(work)

    def stretches() -> Iterator[pa.RecordBatch]:
        for path in sorted(parts.glob("*.parquet")):
            with pq.ParquetFile(path, read_dictionary=["account_id"]) as file:
                yield from file.iter_batches(STRETCH, columns=COLUMNS)

    done = 0
    for made in in_threads(threads, Divided, stretches()):
        found.add(made)
        done += len(made.exchange_no)
        progress(done)
    return found


def share(
    engine: Engine,
    found: Occurrences,
    *,
    without: pa.ChunkedArray,
    least: int,
    threads: int,
    progress: Callable[[int, int], None],
) -> None:
    """Make `shared` and `carried` in the engine, which holds `parties`, of occurrences, which are removed.

    without: the exchanges that do not count. least: occurrences of what counts as shared. progress: told how
    many of how many ranges are done.
    """
    ranges = 1 << RANGE_BITS
    shared: list[pa.RecordBatch] = []
    try:
        found.finish()
        accounts = found.accounts(engine.query("SELECT account_id, account_no FROM parties"), without)

        def carried() -> Iterator[pa.RecordBatch]:
            for passages, rows in in_threads(threads, lambda n: found.shared(n, accounts, least), range(ranges)):
                shared.append(passages)
                progress(len(shared), ranges)
                yield rows

        engine.register("carried", pa.RecordBatchReader.from_batches(CARRIED, carried()))
    finally:
        found.remove()
    engine.register("shared", pa.Table.from_batches(shared))
