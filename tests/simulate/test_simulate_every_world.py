"""What holds in every world, whoever is in it."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world_tables import FILES, number, tables

from stillwatch.simulate import WORLDS, publish, simulate
from stillwatch.tables import ACCOUNT_STATUSES, STATUSES, VERIFICATIONS

N = 20_000
LAYERS = {"truth_pools.parquet": publish.TRUTH_POOLS, "truth_workloads.parquet": publish.TRUTH_WORKLOADS}
COSTS = {"truth_costs.parquet": publish.TRUTH_COSTS}


@pytest.fixture(scope="module", params=list(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    out = tmp_path_factory.mktemp("every") / "world"
    simulate(out, world=request.param, exchanges=N, seed=13)
    return request.param, out


@pytest.fixture
def db(world: tuple[str, Path]) -> duckdb.DuckDBPyConnection:
    return tables(world[1])


def test_it_has_its_files(world: tuple[str, Path]) -> None:
    name, out = world
    expected = FILES | (LAYERS if WORLDS[name].layers else {}) | (COSTS if name == "careful" else {})
    assert {p.name: pq.read_schema(p) for p in out.iterdir()} == expected


def test_rows_are_unique_and_in_time_order_within_sixty_days(
    world: tuple[str, Path], db: duckdb.DuckDBPyConnection
) -> None:
    name, out = world
    assert number(db, "select count(distinct exchange_id) from exchanges") == N
    time = pq.read_table(out / "exchanges.parquet", columns=["time"])["time"].cast(pa.int64()).to_numpy()
    assert (time[1:] >= time[:-1]).all()
    first = WORLDS[name].start.timestamp() * 1e6
    assert first <= time[0] < time[-1] < first + 60 * 86_400e6
    assert WORLDS[name].start.weekday() == 0


def test_values_agree_with_one_another(db: duckdb.DuckDBPyConnection) -> None:
    assert {s for (s,) in db.execute("select distinct status from exchanges").fetchall()} <= set(STATUSES)
    assert {s for (s,) in db.execute("select distinct status from accounts").fetchall()} <= set(ACCOUNT_STATUSES)
    assert {s for (s,) in db.execute("select distinct verification from accounts").fetchall()} <= set(VERIFICATIONS)
    for none in (
        "exchanges join models using (model) where time < released_at",
        "exchanges anti join models using (model)",
        "exchanges anti join accounts using (account_id)",
        "exchanges join accounts using (account_id) where time < created_at",
        "exchanges where history_hashes is not null and len(history_hashes) <> messages",
        "accounts where (status = 'active') <> (status_changed_at is null)",
    ):
        assert number(db, f"select count(*) from {none}") == 0, none


def test_events_tell_of_the_end_of_accounts_at_its_time(db: duckdb.DuckDBPyConnection) -> None:
    untold = """accounts a where status <> 'active' and status_changed_at <= (select max(time) from exchanges)
        and not exists (from account_events e where e.account_id = a.account_id and field = 'status'
        and value = a.status and e.time = status_changed_at)"""
    assert number(db, f"select count(*) from {untold}") == 0
    early = "account_events join accounts using (account_id) where time < created_at"
    assert number(db, f"select count(*) from {early}") == 0


def test_the_truth_agrees_with_itself(world: tuple[str, Path], db: duckdb.DuckDBPyConnection) -> None:
    name, _ = world
    senders = "select distinct account_id, campaign from truth_exchanges join exchanges using (exchange_id)"
    assert number(db, f"select count(*) from ({senders} except from truth_memberships)") == 0
    members = "select account_id from truth_memberships"
    unlike = f"truth_accounts where (role = 'innocent') = (account_id in ({members}))"
    assert number(db, f"select count(*) from {unlike}") == 0
    assert (number(db, "select count(*) from truth_exchanges") > 0) == WORLDS[name].campaigns
    if WORLDS[name].layers:
        same = "select count(*) from (select exchange_id from truth_exchanges except select exchange_id from {})"
        assert number(db, same.format("truth_workloads")) == 0
        assert number(db, f"select count(*) from ({members} except select account_id from truth_pools)") == 0


def test_the_same_arguments_give_the_same_world(world: tuple[str, Path], tmp_path: Path) -> None:
    name, out = world
    simulate(tmp_path / "w", world=name, exchanges=N, seed=13)
    assert all(pq.read_table(p).equals(pq.read_table(tmp_path / "w" / p.name)) for p in out.iterdir())
    simulate(tmp_path / "v", world=name, exchanges=N, seed=14)
    assert not pq.read_table(out / "exchanges.parquet").equals(pq.read_table(tmp_path / "v" / "exchanges.parquet"))
