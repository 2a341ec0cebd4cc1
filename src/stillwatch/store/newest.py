"""The exchanges that came into a store last, whatever their days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.store import parts
from stillwatch.store.manifest import ROWS_A_SOURCE, SOURCES, Manifest

# Parts of which it is remembered who sent what is in them: a service asks every few seconds, of a store that others
# read whole in minutes. A day's part of ten thousand accounts takes half a megabyte.
REMEMBERED = 1_024

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Group:
    """A row group of a part, and the latest that any of its exchanges may have come."""

    path: Path
    number: int
    latest: int


def arrival(exchange_no: Integers) -> Integers:
    """Numbers that ascend in the order in which exchanges came into a store, of their numbers there."""
    return np.asarray((SOURCES - 1 - exchange_no // ROWS_A_SOURCE) * ROWS_A_SOURCE + exchange_no % ROWS_A_SOURCE)


def write_newest(store: Path, manifest: Manifest, rows: int, out: Path) -> int:
    """Write the newest exchanges of a state as one part, so many or as many as there are; says how many.

    Only row groups that may hold some are read: of a store that traffic comes to all the time, the last few.
    """
    read: list[tuple[_Group, Integers]] = []
    came = np.zeros(0, np.int64)
    for group in sorted(_groups(store, manifest), key=lambda g: (-g.latest, g.path.name, g.number)):
        if len(came) >= rows and group.latest < came.min():
            break
        with pq.ParquetFile(group.path) as file:
            theirs = arrival(file.read_row_group(group.number, columns=["exchange_no"])["exchange_no"].to_numpy())
        read.append((group, theirs))
        came = np.concatenate([came, theirs])
        if len(came) > rows:
            came = np.partition(came, len(came) - rows)[-rows:]
    if not len(came):
        return 0
    since = came.min()
    with parts.enriched_writer(out) as writer:
        for group, theirs in read:
            if (theirs >= since).any():
                with pq.ParquetFile(group.path) as file:
                    writer.write_table(file.read_row_group(group.number).filter(pa.array(theirs >= since)))
    return len(came)


def in_part(store: Path, manifest: Manifest, judged: Path) -> pa.Table:
    """Of which accounts a part holds not all that a state holds of them: account_id, judged, exchanges."""
    here = _counted(judged)
    everywhere = [_sent(store / part.name) for part in manifest.tables["exchanges"]]
    theirs = [some.filter(pc.is_in(some["account_id"], here["account_id"].combine_chunks())) for some in everywhere]
    counted = pa.concat_tables(theirs).group_by("account_id").aggregate([("exchanges", "sum")])
    both = here.rename_columns(["account_id", "judged"]).join(counted, "account_id", join_type="inner")
    both = both.rename_columns(["account_id", "judged", "exchanges"])
    return both.filter(pc.less(both["judged"], both["exchanges"])).sort_by("account_id")


@lru_cache(REMEMBERED)
def _sent(path: Path) -> pa.Table:
    """`_counted` of a part of a store, which is never changed once it is written."""
    return _counted(path)


def _counted(path: Path) -> pa.Table:
    """Who sent how many of a part's exchanges: account_id, exchanges."""
    accounts = pq.read_table(path, columns=["account_id"], partitioning=None)
    counted = accounts.group_by("account_id").aggregate([([], "count_all")])
    return counted.rename_columns(["account_id", "exchanges"])


def _groups(store: Path, manifest: Manifest) -> Iterator[_Group]:
    for part in manifest.tables["exchanges"]:
        yield from _groups_of(store / part.name)


@lru_cache(REMEMBERED)
def _groups_of(path: Path) -> tuple[_Group, ...]:
    """The row groups of a part. Numbers count down from source to source and up within one, so the least number of
    a group tells its latest source, and the greatest its last exchange if all are of one."""
    told = pq.read_metadata(path)
    column = told.schema.names.index("exchange_no")
    found = []
    for number in range(told.num_row_groups):
        seen = told.row_group(number).column(column).statistics
        of = SOURCES - 1 - seen.min // ROWS_A_SOURCE
        one = seen.min // ROWS_A_SOURCE == seen.max // ROWS_A_SOURCE
        latest = of * ROWS_A_SOURCE + (seen.max % ROWS_A_SOURCE if one else ROWS_A_SOURCE - 1)
        found.append(_Group(path, number, latest))
    return tuple(found)
