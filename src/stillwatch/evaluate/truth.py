"""The truth of a labelled world: its files, read and checked."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.errors import InputError
from stillwatch.tables import Column, Table

ROLES = ("member", "victim", "innocent")

TRUTH_ACCOUNTS = Table(
    "truth_accounts",
    "Who is guilty. Accounts that it leaves out are left out of the figures.",
    (
        Column("account_id", pa.string(), "the account, once", required=True),
        Column("population", pa.string(), "what kind of user it is, in any words", required=True),
        Column("role", pa.string(), "member, victim or innocent", required=True),
    ),
)
TRUTH_MEMBERSHIPS = Table(
    "truth_memberships",
    "Members and victims of each campaign; an account may have several rows.",
    (
        Column("account_id", pa.string(), "a member or victim", required=True),
        Column("campaign", pa.string(), "the campaign's name", required=True),
    ),
)
TRUTH_EXCHANGES = Table(
    "truth_exchanges",
    "The exchanges of campaigns; all others are in none.",
    (
        Column("exchange_id", pa.string(), "the exchange", required=True),
        Column("campaign", pa.string(), "the campaign's name", required=True),
    ),
)
TRUTH_POOLS = Table(
    "truth_pools",
    "Accounts under common control, guilty or not. May be missing.",
    (
        Column("account_id", pa.string(), "the account", required=True),
        Column("pool", pa.string(), "the pool's name", required=True),
    ),
)
TRUTH_WORKLOADS = Table(
    "truth_workloads",
    "The job that an exchange does. May be missing.",
    (
        Column("exchange_id", pa.string(), "the exchange", required=True),
        Column("workload", pa.string(), "the workload's name", required=True),
    ),
)
TRUTH_TABLES = (TRUTH_ACCOUNTS, TRUTH_MEMBERSHIPS, TRUTH_EXCHANGES, TRUTH_POOLS, TRUTH_WORKLOADS)


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true of a world.

    roles and populations: by account. campaigns: the members and victims of each. exchanges (exchange_id, campaign),
    pools (account_id, pool) and workloads (exchange_id, workload): distinct rows; pools and workloads are None where
    the world does not say.
    """

    roles: dict[str, str]
    populations: dict[str, str]
    campaigns: dict[str, frozenset[str]]
    exchanges: pa.Table
    pools: pa.Table | None = None
    workloads: pa.Table | None = None

    def with_role(self, role: str) -> set[str]:
        """The accounts of one role."""
        return {account for account, its in self.roles.items() if its == role}


def read_truth(world: Path) -> Truth:
    """Read and check the truth files of a world.

    Raises InputError, with file, row and column, where one is missing, damaged, or contradicts itself or another.
    """
    accounts = _read(world, TRUTH_ACCOUNTS)
    roles = _roles(world / "truth_accounts.parquet", accounts)
    campaigns = _campaigns(world / "truth_memberships.parquet", _read(world, TRUTH_MEMBERSHIPS), roles)
    exchanges = _distinct(_read(world, TRUTH_EXCHANGES))
    for name in exchanges["campaign"].unique().to_pylist():
        if name not in campaigns:
            raise InputError(
                f"{world / 'truth_exchanges.parquet'}, column campaign: {name!r} has no account in "
                "truth_memberships.parquet"
            )
    return Truth(
        roles,
        dict(zip(accounts["account_id"].to_pylist(), accounts["population"].to_pylist(), strict=True)),
        campaigns,
        exchanges,
        _optional(world, TRUTH_POOLS),
        _optional(world, TRUTH_WORKLOADS),
    )


def _optional(world: Path, table: Table) -> pa.Table | None:
    return _distinct(_read(world, table)) if (world / f"{table.name}.parquet").exists() else None


def _distinct(table: pa.Table) -> pa.Table:
    return table.group_by(table.column_names, use_threads=False).aggregate([])


def _read(world: Path, table: Table) -> pa.Table:
    path = world / f"{table.name}.parquet"
    if not path.exists():
        raise InputError(f"{path}: no such file; a labelled world has {table.name}.parquet ({', '.join(table.names)})")
    try:
        present = pq.read_schema(path).names
        missing = [name for name in table.names if name not in present]
        if missing:
            raise InputError(f"{path}: required column missing: {', '.join(missing)}")
        read = pq.read_table(path, columns=table.names, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: a damaged Parquet file, or none: {' '.join(str(error).split())}") from error
    return pa.table({name: _text(path, name, read[name]) for name in table.names})


def _text(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or (pa.types.is_null(kind) and not len(column))):
        raise InputError(f"{path}, column {name}: holds {column.type}; expected text")
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        raise InputError(f"{path}, row {row + 1}, column {name}: empty; every row needs a value")
    return column.cast(pa.string())


def _roles(path: Path, accounts: pa.Table) -> dict[str, str]:
    roles: dict[str, str] = {}
    for row, (account, role) in enumerate(
        zip(accounts["account_id"].to_pylist(), accounts["role"].to_pylist(), strict=True), 1
    ):
        if role not in ROLES:
            raise InputError(f"{path}, row {row}, column role: {role!r} is none of {', '.join(ROLES)}")
        if account in roles:
            raise InputError(f"{path}, row {row}, column account_id: {account!r} stands there a second time")
        roles[account] = role
    if not roles:
        raise InputError(f"{path}: no account in it; label at least the accounts that you want judged")
    return roles


def _campaigns(path: Path, memberships: pa.Table, roles: dict[str, str]) -> dict[str, frozenset[str]]:
    campaigns: dict[str, set[str]] = defaultdict(set)
    for row, (account, campaign) in enumerate(
        zip(memberships["account_id"].to_pylist(), memberships["campaign"].to_pylist(), strict=True), 1
    ):
        if account not in roles:
            raise InputError(f"{path}, row {row}, column account_id: {account!r} is not in truth_accounts.parquet")
        if roles[account] == "innocent":
            raise InputError(
                f"{path}, row {row}, column account_id: {account!r} is innocent in truth_accounts.parquet; a campaign "
                "has members and victims"
            )
        campaigns[campaign].add(account)
    return {name: frozenset(campaigns[name]) for name in sorted(campaigns)}
