"""Who sent what and when: the traffic of a world without its contents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch import sources
from stillwatch.evaluate.measures import Ints

# Told where the work stands: the stage, exchanges done in it, and of how many where that is known.
Progress = Callable[[str, int, int | None], None]


def silent(stage: str, done: int, total: int | None) -> None:
    """No progress."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Every exchange once: its id, its account's and its key's number and its time (microseconds since 1970 UTC).

    accounts, keys: the names behind the numbers; an exchange whose key is not told has the number -1.
    """

    exchange_id: pa.ChunkedArray
    account: Ints
    key: Ints
    time_us: Ints
    accounts: list[str]
    keys: list[str]

    def places(self, exchange_id: pa.ChunkedArray) -> Ints:
        """Where each of the ids stands in `exchange_id`, -1 where it does not."""
        wanted = exchange_id.unique()
        first = np.full(len(wanted), -1, np.int64)
        place = pc.index_in(self.exchange_id, value_set=wanted).combine_chunks()
        here = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
        first[place.drop_null().to_numpy()] = here
        return np.asarray(first[pc.index_in(exchange_id, value_set=wanted).to_numpy()])


def read_sent(world: Path, progress: Progress = silent) -> Sent:
    """Read the traffic of a world, in any format that a scan reads; raises InputError where there is none.

    A repeated exchange_id is one exchange: its earliest row, and of one time the first account, then key, by name.
    """
    rejects = sources.Rejects(None)
    inputs = sources.discover((str(world),), rejects=rejects)
    parts: list[pa.RecordBatch] = []
    rows = 0
    for batch in sources.read(inputs, rejects=rejects):
        kept = batch.select(["exchange_id", "account_id", "key_id", "time"])
        for place, name in _NAMES.items():
            kept = kept.set_column(place, name, kept[name].dictionary_encode())
        parts.append(kept)
        rows += batch.num_rows
        progress("Reading the world", rows, None)
    table = pa.Table.from_batches(parts).unify_dictionaries()
    if pc.count_distinct(table["exchange_id"]).as_py() < table.num_rows:
        table = _once(table)
    account, accounts = _numbered(table["account_id"])
    key, keys = _numbered(table["key_id"])
    return Sent(table["exchange_id"], account, key, table["time"].cast(pa.int64()).to_numpy(), accounts, keys)


# Columns of names that come again and again, and where they stand.
_NAMES = {1: "account_id", 2: "key_id"}


def _numbered(column: pa.ChunkedArray) -> tuple[Ints, list[str]]:
    coded = column.combine_chunks()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.chunk(0)
    return coded.indices.fill_null(-1).to_numpy().astype(np.int64), coded.dictionary.to_pylist()


def _once(table: pa.Table) -> pa.Table:
    plain = table
    for place, name in _NAMES.items():
        plain = plain.set_column(place, name, plain[name].cast(pa.string()))
    order = pc.sort_indices(plain, [(name, "ascending") for name in ("exchange_id", "time", "account_id", "key_id")])
    plain = plain.take(order)
    ids = plain["exchange_id"].combine_chunks()
    first = np.ones(plain.num_rows, np.bool_)
    first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    kept = plain.filter(pa.array(first))
    for place, name in _NAMES.items():
        kept = kept.set_column(place, name, kept[name].combine_chunks().dictionary_encode())
    return kept
