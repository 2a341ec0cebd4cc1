"""A world's tables as Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.simulate.accounts import DAYS, MICROSECONDS_A_DAY, MODELS, RELEASED_ON, Account
from stillwatch.simulate.exchanges import Renderer
from stillwatch.simulate.rhythm import Rows
from stillwatch.simulate.streams import Streams
from stillwatch.tables import ACCOUNT_EVENTS, ACCOUNTS, EXCHANGES
from stillwatch.tables import MODELS as MODELS_TABLE

Ints = npt.NDArray[np.int64]

BATCH = 50_000  # rows rendered at a time: some 80 MB of text
ROWS_A_FILE = 2_000_000
TRUTH_ACCOUNTS = pa.schema([("account_id", pa.string()), ("population", pa.string()), ("role", pa.string())])
TRUTH_MEMBERSHIPS = pa.schema([("account_id", pa.string()), ("campaign", pa.string())])
TRUTH_EXCHANGES = pa.schema([("exchange_id", pa.string()), ("campaign", pa.string())])
TRUTH_POOLS = pa.schema([("account_id", pa.string()), ("pool", pa.string())])
TRUTH_WORKLOADS = pa.schema([("exchange_id", pa.string()), ("workload", pa.string())])
TRUTH_COSTS = pa.schema(
    [
        ("evasion", pa.string()),
        ("accounts", pa.int64()),
        ("money_usd", pa.float64()),
        ("throughput_share", pa.float64()),
    ]
)


def _ordinals(rows: Rows) -> Ints:
    """The place of each row within its stream, by time."""
    order = np.argsort(rows.stream, kind="stable")
    counts = np.bincount(rows.stream)
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return out


def write_exchanges(
    folder: Path,
    rows: Rows,
    renderer: Renderer,
    names: Sequence[str],
    *,
    layers: bool,
    progress: Callable[[int, int], None] | None,
) -> list[int]:
    """Write exchanges and their truth, in time order and batch by batch; gives each campaign's exchanges.

    With `layers`, the workload of each of a campaign's exchanges is written too.
    """
    total = len(rows.time)
    ordinal = _ordinals(rows) if renderer.from_lines else None
    counts = np.zeros(len(names), np.int64)
    with _Truth(folder, renderer, names, layers=layers) as truth:
        for path, first, last in _files(folder, total):
            with _writer(path) as writer:
                for at in range(first, last, BATCH):
                    numbers = np.arange(at, min(at + BATCH, last))
                    batch = renderer.render(rows, numbers, None if ordinal is None else ordinal[numbers])
                    writer.write_batch(batch)
                    counts += truth.write(rows, numbers, batch.column(0))
                    if progress:
                        progress(int(numbers[-1]) + 1, total)
    return [int(c) for c in counts]


class _Truth(ExitStack):
    """The files that say which exchange belongs to which campaign and workload."""

    def __init__(self, folder: Path, renderer: Renderer, names: Sequence[str], *, layers: bool) -> None:
        super().__init__()
        self._renderer, self._names = renderer, pa.array(names, pa.string())
        self._campaigns = self._open(folder / "truth_exchanges.parquet", TRUTH_EXCHANGES)
        self._workloads = self._open(folder / "truth_workloads.parquet", TRUTH_WORKLOADS) if layers else None

    def _open(self, path: Path, schema: pa.Schema) -> pq.ParquetWriter:
        return self.enter_context(pq.ParquetWriter(path, schema, compression="zstd"))

    def write(self, rows: Rows, numbers: Ints, ids: pa.Array) -> Ints:
        """Write the truth of the rows with these numbers and ids; gives how many each campaign has of them."""
        campaign = self._renderer.campaign_of[rows.stream[numbers]]
        guilty = np.flatnonzero(campaign >= 0)
        ids, of = ids.take(pa.array(guilty)), campaign[guilty]
        columns = [ids, self._names.take(pa.array(of))]
        self._campaigns.write_batch(pa.RecordBatch.from_arrays(columns, schema=TRUTH_EXCHANGES))
        if self._workloads:
            named = self._renderer.workloads(rows, numbers[guilty])
            public = pc.binary_join_element_wise(columns[1], "public prompt", "/")
            columns = [ids, pc.if_else(pc.equal(named, ""), public, named)]
            self._workloads.write_batch(pa.RecordBatch.from_arrays(columns, schema=TRUTH_WORKLOADS))
        counts: Ints = np.bincount(of, minlength=len(self._names))
        return counts


def _files(folder: Path, total: int) -> Iterator[tuple[Path, int, int]]:
    if total <= ROWS_A_FILE:
        yield folder / "exchanges.parquet", 0, total
        return
    (folder / "exchanges").mkdir()
    for part, first in enumerate(range(0, total, ROWS_A_FILE)):
        yield folder / "exchanges" / f"part-{part:05d}.parquet", first, min(first + ROWS_A_FILE, total)


def _writer(path: Path) -> pq.ParquetWriter:
    # dictionaries only where values repeat: on texts and ids they cost time and hold memory
    few = [
        "account_id",
        "key_id",
        "access_path",
        "ip",
        "user_agent",
        "tls_fingerprint",
        "model",
        "system_prompt",
        "status",
        "tools.list.element",
    ]
    return pq.ParquetWriter(path, EXCHANGES.schema, compression="zstd", compression_level=1, use_dictionary=few)


def write_accounts(folder: Path, s: Streams, names: Sequence[str], *, layers: bool) -> None:
    """Write what the provider knows of accounts and models, and the truth about accounts.

    With `layers`, events tell of accounts that are made within the world, and the pools that accounts are in are
    written too, and what evasions cost where there are any.
    """
    # in order of creation, so that the order of the file tells no population
    accounts = sorted(s.register.accounts, key=lambda a: (a.created, a.account_id))
    pq.write_table(_accounts_table(accounts, s.start), folder / "accounts.parquet")
    made = [(a.created, a.account_id, "status", "active") for a in accounts if layers and a.created >= 0]
    told = [(t, a.account_id, field, value) for a in accounts for t, field, value in a.events if t <= DAYS]
    events = sorted(made + told)
    columns: list[list[Any]] = [
        [e[1] for e in events],
        [_moment(s.start, e[0]) for e in events],
        [e[2] for e in events],
        [e[3] for e in events],
    ]
    pq.write_table(_table(ACCOUNT_EVENTS.schema, columns), folder / "account_events.parquet")
    released = [s.start + timedelta(days=d) for d in RELEASED_ON]
    pq.write_table(_table(MODELS_TABLE.schema, [list(MODELS), released]), folder / "models.parquet")
    truth = [[a.account_id for a in accounts], [a.population for a in accounts], [a.role for a in accounts]]
    pq.write_table(_table(TRUTH_ACCOUNTS, truth), folder / "truth_accounts.parquet")
    members = sorted({(x.account.account_id, names[x.campaign]) for x in s.streams if x.campaign >= 0})
    columns = [[m[0] for m in members], [m[1] for m in members]]
    pq.write_table(_table(TRUTH_MEMBERSHIPS, columns), folder / "truth_memberships.parquet")
    if layers:
        pools = sorted({(x.account.account_id, x.pool) for x in s.streams if x.pool})
        columns = [[p[0] for p in pools], [p[1] for p in pools]]
        pq.write_table(_table(TRUTH_POOLS, columns), folder / "truth_pools.parquet")
    if s.costs:
        rows = [(c.evasion, c.accounts, c.money_usd, c.throughput_share) for c in s.costs]
        pq.write_table(_table(TRUTH_COSTS, list(zip(*rows, strict=True))), folder / "truth_costs.parquet")


def _table(schema: pa.Schema, columns: Sequence[Any]) -> pa.Table:
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _moment(start: datetime, day: float) -> int:
    return round(start.timestamp()) * 1_000_000 + int(day * MICROSECONDS_A_DAY)


def _accounts_table(accounts: list[Account], start: datetime) -> pa.Table:
    columns: list[list[Any]] = [
        [a.account_id for a in accounts],
        [_moment(start, a.created) for a in accounts],
        [a.organization_id for a in accounts],
        [a.email_domain for a in accounts],
        [a.email_hash for a in accounts],
        [a.payment for a in accounts],
        [a.phone for a in accounts],
        [a.device for a in accounts],
        [a.country for a in accounts],
        [a.plan for a in accounts],
        [a.programme for a in accounts],
        [a.verification for a in accounts],
        [a.declared_use for a in accounts],
        [a.status for a in accounts],
        [None if a.closed is None else _moment(start, a.closed) for a in accounts],
    ]
    return _table(ACCOUNTS.schema, columns)
