"""The links of a result, as arrays: who holds which value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.evidence.weigh import Integers
from stillwatch.outputs.links import FILE, KEY_ID, Trace, traces

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the values of one kind.

    account, value: aligned, one row an account and value, both numbered from 0. values: aligned, how many values of the
    kind the account holds in all. holders: by value, how many accounts hold it. known: how many accounts have any value
    of the kind. names: by value, its hash or id.
    """

    trace: Trace
    account: Integers
    value: Integers
    values: Integers
    holders: Integers
    known: int
    names: Sequence[str]

    def of(self, name: str) -> Integers:
        """The accounts that hold the value of this name; none where nobody does."""
        return self.account[self.value == self.names.index(name)] if name in self.names else self.account[:0]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the scan found of an account."""

    account_id: str
    probability: float
    verdict: str
    campaign_id: str | None
    pool_id: str | None


@dataclass(frozen=True, slots=True)
class Links:
    """All accounts of a result, and what joins them. key: tells the key that values were hashed with; "" without."""

    accounts: tuple[Standing, ...]
    held: tuple[Held, ...]
    key: bytes

    def number(self, account_id: str) -> int | None:
        """The account's place, None where the result does not have it."""
        return next((n for n, a in enumerate(self.accounts) if a.account_id == account_id), None)


def read_links(folder: Path) -> Links:
    """Read a result's accounts and links. Raises InputError where the folder is no result, or of an older program."""
    if not (folder / "findings.json").exists():
        raise InputError(f"{folder} is not a result of scan: findings.json is missing")
    if not (folder / FILE).exists():
        raise InputError(f"{folder}: has no {FILE}, which scans write since there is a hunt; scan again")
    try:
        accounts = pq.read_table(folder / "accounts.parquet").to_pylist()
        table = pq.read_table(folder / FILE)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{folder} is not a whole result of scan: {' '.join(str(error).split())}; scan again"
        ) from error
    standings = tuple(
        Standing(a["account_id"], a["probability"] or 0.0, a["verdict"], a["campaign_id"], a["pool_id"])
        for a in accounts
    )
    number = pa.array([s.account_id for s in standings], pa.string())
    known = {trace.name: trace for trace in traces()}
    # Kinds that another installation's packages added are passed over here, where nobody can say what they mean.
    names = [name for name in pc.unique(table["kind"]).to_pylist() if name in known]
    held = tuple(_held(known[name], table.filter(pc.equal(table["kind"], name)), number) for name in names)
    return Links(standings, held, (table.schema.metadata or {}).get(KEY_ID, b""))


def _held(trace: Trace, rows: pa.Table, accounts: pa.Array) -> Held:
    coded = rows["value"].combine_chunks().dictionary_encode()
    account = pc.index_in(rows["account_id"], value_set=accounts).to_numpy().astype(np.int64)
    value = coded.indices.to_numpy().astype(np.int64)
    holders = np.zeros(len(coded.dictionary), np.int64)
    holders[value] = rows["holders"].to_numpy()
    return Held(
        trace,
        account,
        value,
        rows["values"].to_numpy(),
        holders,
        rows["known"][0].as_py(),
        coded.dictionary.to_pylist(),
    )
