"""A world's tables as Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.simulate.accounts import DAYS, MICROSECONDS_A_DAY, MODELS, RELEASED_ON, Account
from stillwatch.simulate.exchanges import START, START_MICROSECONDS, Renderer
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


def _ordinals(rows: Rows) -> Ints:
    """The place of each row within its stream, by time."""
    order = np.argsort(rows.stream, kind="stable")
    counts = np.bincount(rows.stream)
    out = np.empty(len(order), np.int64)
    out[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return out


def write_exchanges(
    folder: Path, rows: Rows, renderer: Renderer, names: Sequence[str], progress: Callable[[int, int], None] | None
) -> list[int]:
    """Write exchanges and their truth, in time order and batch by batch; gives each campaign's exchanges."""
    total = len(rows.time)
    campaigns = pa.array(names, pa.string())
    ordinal = _ordinals(rows) if renderer.from_lines else None
    counts = np.zeros(len(names), np.int64)
    with pq.ParquetWriter(folder / "truth_exchanges.parquet", TRUTH_EXCHANGES, compression="zstd") as truth:
        for path, first, last in _files(folder, total):
            with _writer(path) as writer:
                for at in range(first, last, BATCH):
                    numbers = np.arange(at, min(at + BATCH, last))
                    batch = renderer.render(rows, numbers, None if ordinal is None else ordinal[numbers])
                    writer.write_batch(batch)
                    campaign = renderer.campaign_of[rows.stream[numbers]]
                    guilty = np.flatnonzero(campaign >= 0)
                    counts += np.bincount(campaign[guilty], minlength=len(names))
                    columns = [batch.column(0).take(pa.array(guilty)), campaigns.take(pa.array(campaign[guilty]))]
                    truth.write_batch(pa.RecordBatch.from_arrays(columns, schema=TRUTH_EXCHANGES))
                    if progress:
                        progress(int(numbers[-1]) + 1, total)
    return [int(c) for c in counts]


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


def write_accounts(folder: Path, s: Streams, names: Sequence[str]) -> None:
    """Write what the provider knows of accounts and models, and the truth about accounts."""
    # in order of creation, so that the order of the file tells no population
    accounts = sorted(s.register.accounts, key=lambda a: (a.created, a.account_id))
    pq.write_table(_accounts_table(accounts), folder / "accounts.parquet")
    events = sorted((t, a.account_id, field, value) for a in accounts for t, field, value in a.events if t <= DAYS)
    columns: list[list[Any]] = [
        [e[1] for e in events],
        [_moment(e[0]) for e in events],
        [e[2] for e in events],
        [e[3] for e in events],
    ]
    pq.write_table(_table(ACCOUNT_EVENTS.schema, columns), folder / "account_events.parquet")
    released = [START + timedelta(days=d) for d in RELEASED_ON]
    pq.write_table(_table(MODELS_TABLE.schema, [list(MODELS), released]), folder / "models.parquet")
    truth = [[a.account_id for a in accounts], [a.population for a in accounts], [a.role for a in accounts]]
    pq.write_table(_table(TRUTH_ACCOUNTS, truth), folder / "truth_accounts.parquet")
    members = sorted({(x.account.account_id, names[x.campaign]) for x in s.streams if x.campaign >= 0})
    columns = [[m[0] for m in members], [m[1] for m in members]]
    pq.write_table(_table(TRUTH_MEMBERSHIPS, columns), folder / "truth_memberships.parquet")


def _table(schema: pa.Schema, columns: Sequence[Any]) -> pa.Table:
    return pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _moment(day: float) -> int:
    return START_MICROSECONDS + int(day * MICROSECONDS_A_DAY)


def _accounts_table(accounts: list[Account]) -> pa.Table:
    columns: list[list[Any]] = [
        [a.account_id for a in accounts],
        [_moment(a.created) for a in accounts],
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
        [None if a.closed is None else _moment(a.closed) for a in accounts],
    ]
    return _table(ACCOUNTS.schema, columns)
