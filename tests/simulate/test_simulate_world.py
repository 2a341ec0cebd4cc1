"""A simulated world: its tables, its proportions, its truth, and that it is written whole or not at all."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from world_tables import FILES

from stillwatch.errors import InputError
from stillwatch.simulate import WORLDS, publish, simulate
from stillwatch.simulate.background import POPULATIONS
from stillwatch.simulate.campaigns import FULL_EXCHANGES, sizes
from stillwatch.tables import ACCOUNT_STATUSES, STATUSES, VERIFICATIONS

N = 60_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "february"
    simulate(out, exchanges=N, seed=11)
    return out


@pytest.fixture(scope="module")
def db(world: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for file in FILES:
        con.execute(f"create view {file.removesuffix('.parquet')} as from read_parquet('{world / file}')")
    return con


def count(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    assert row is not None
    return int(row[0] or 0)


def test_every_table_has_its_schema(world: Path) -> None:
    assert {p.name for p in world.iterdir()} == set(FILES)
    for file, schema in FILES.items():
        assert pq.read_schema(world / file).equals(schema), file


def test_half_of_the_rows_are_background_and_ids_are_unique(db: duckdb.DuckDBPyConnection) -> None:
    assert count(db, "select count(*) from exchanges") == N
    assert count(db, "select count(distinct exchange_id) from exchanges") == N
    assert count(db, "select count(*) from truth_exchanges") == N // 2


def test_rows_are_in_time_order_within_sixty_days(world: Path) -> None:
    time = pq.read_table(world / "exchanges.parquet", columns=["time"])["time"].cast(pa.int64()).to_numpy()
    assert (time[1:] >= time[:-1]).all()
    assert (time[-1] - time[0]) / 86_400e6 == pytest.approx(60, abs=1)


@pytest.mark.parametrize("exchanges", [1200, 5_000, 50_000, 500_000, FULL_EXCHANGES])
def test_campaigns_keep_their_proportions_down_to_the_least_size(exchanges: int) -> None:
    parts = sizes(exchanges)
    assert sum(n for n, _ in parts) == exchanges
    assert all(n >= 400 and accounts >= 8 for n, accounts in parts)
    if exchanges == FULL_EXCHANGES:
        assert [n for n, _ in parts] == [150_000, 3_400_000, 13_000_000]
        assert sum(accounts for _, accounts in parts) == 24_000
    if exchanges >= 50_000:
        assert parts[1][0] / exchanges == pytest.approx(3.4 / 16.55, rel=0.01)


def test_campaign_sizes_in_the_world_are_the_stated_ones(db: duckdb.DuckDBPyConnection) -> None:
    found = db.execute("select campaign, count(*) from truth_exchanges group by 1 order by 1").fetchall()
    members = db.execute("select campaign, count(*) from truth_memberships group by 1 order by 1").fetchall()
    wanted = sizes(N // 2)
    assert [n for _, n in found] == [n for n, _ in wanted]
    assert [n for _, n in members] == [n for _, n in wanted]


def test_truth_agrees_with_the_exchanges(db: duckdb.DuckDBPyConnection) -> None:
    joined = "truth_exchanges t join exchanges e using (exchange_id)"
    assert count(db, f"select count(*) from {joined}") == N // 2
    assert (
        count(db, f"select count(*) from (select account_id, campaign from {joined} except from truth_memberships)")
        == 0
    )
    assert count(db, "select count(*) from accounts") == count(db, "select count(*) from truth_accounts")
    assert count(db, "select count(*) from exchanges anti join accounts using (account_id)") == 0
    members = "select account_id from truth_memberships"
    assert (
        count(db, f"select count(*) from truth_accounts where (role = 'innocent') = (account_id in ({members}))") == 0
    )


def test_the_background_is_mixed(db: duckdb.DuckDBPyConnection) -> None:
    found = {
        p for (p,) in db.execute("select distinct population from truth_accounts where role <> 'member'").fetchall()
    }
    assert found == set(POPULATIONS)


def test_values_are_those_of_the_contract(db: duckdb.DuckDBPyConnection) -> None:
    assert {s for (s,) in db.execute("select distinct status from exchanges").fetchall()} == set(STATUSES)
    assert {s for (s,) in db.execute("select distinct status from accounts").fetchall()} <= set(ACCOUNT_STATUSES)
    assert {s for (s,) in db.execute("select distinct verification from accounts").fetchall()} <= set(VERIFICATIONS)
    assert count(db, "select count(*) from exchanges anti join models using (model)") == 0
    assert count(db, "select count(*) from exchanges join models using (model) where time < released_at") == 0
    assert (
        count(db, "select count(*) from exchanges where history_hashes is not null and len(history_hashes) <> messages")
        == 0
    )
    assert count(db, "select count(*) from exchanges join accounts using (account_id) where time < created_at") == 0


def test_identifiers_have_one_shape(db: duckdb.DuckDBPyConnection) -> None:
    for table, column in (("accounts", "account_id"), ("exchanges", "exchange_id"), ("exchanges", "key_id"),
                          ("accounts", "payment_fingerprint"), ("exchanges", "conversation_id")):  # fmt: skip
        shape = f"regexp_replace({column}, '[0-9a-f]', 'h', 'g')"
        shapes = f"select count(distinct {shape}) from {table} where contains({column}, '_')"
        lengths = f"select count(distinct length({column})) from {table} where {column} is not null"
        assert count(db, shapes) <= 1 and count(db, lengths) == 1, column


def test_a_pool_carries_customers_and_steals_keys(tmp_path: Path) -> None:
    simulate(tmp_path / "w", exchanges=150_000, seed=2)
    con = duckdb.connect()
    for file in ("exchanges", "truth_exchanges", "truth_accounts"):
        con.execute(f"create view {file} as from read_parquet('{tmp_path / 'w' / file}.parquet')")
    own = """exchanges e join truth_accounts a using (account_id)
        where not exists (from truth_exchanges t where t.exchange_id = e.exchange_id)"""
    assert count(con, f"select count(*) from {own} and a.role = 'member'") > 500
    # every victim goes on as before
    victims = count(con, "select count(*) from truth_accounts where role = 'victim'")
    assert victims >= 2
    assert count(con, f"select count(distinct account_id) from {own} and a.role = 'victim'") == victims


def test_half_of_the_largest_campaign_turns_to_the_new_model_within_a_day(db: duckdb.DuckDBPyConnection) -> None:
    row = db.execute(
        """select avg((e.model = 'meridian-3')::int) from exchanges e join truth_exchanges using (exchange_id), models m
        where campaign = 'campaign-c' and m.model = 'meridian-3'
        and e.time - m.released_at between interval 1 day and interval 4 days"""
    ).fetchone()
    assert row is not None and 0.4 < row[0] < 0.6


def test_bans_are_followed_by_replacements(db: duckdb.DuckDBPyConnection) -> None:
    banned = "accounts join truth_accounts using (account_id) where population = 'proxy_pool' and status = 'banned'"
    assert count(db, f"select count(*) from {banned}") > 3
    replaced = f"""select count(*) from (select status_changed_at t from {banned}) b
        where exists (from accounts join truth_accounts using (account_id) where population = 'proxy_pool'
        and created_at - t between interval 1 hour and interval 22 hours)"""
    assert count(db, replaced) == count(db, f"select count(*) from {banned}")


def same(one: Path, other: Path) -> bool:
    return all(pq.read_table(one / f).equals(pq.read_table(other / f)) for f in FILES)


def test_the_same_arguments_give_the_same_world(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(tmp_path / name, exchanges=3_000, seed=seed)
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_a_large_world_is_a_folder_of_files_with_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(tmp_path / "one", exchanges=3_000, seed=5)
    monkeypatch.setattr(publish, "ROWS_A_FILE", 1_250)
    monkeypatch.setattr(publish, "BATCH", 500)
    simulate(tmp_path / "many", exchanges=3_000, seed=5)
    assert len(list((tmp_path / "many" / "exchanges").iterdir())) == 3
    whole, parts = pq.read_table(tmp_path / "one" / "exchanges.parquet"), pq.read_table(tmp_path / "many" / "exchanges")
    assert whole.equals(parts)


def test_an_ordinary_world_has_no_campaign(tmp_path: Path) -> None:
    summary = simulate(tmp_path / "w", world="ordinary", exchanges=4_000)
    assert summary.campaigns == {}
    assert pq.read_table(tmp_path / "w" / "exchanges.parquet").num_rows == 4_000
    assert pq.read_table(tmp_path / "w" / "truth_exchanges.parquet").num_rows == 0
    assert pc.unique(pq.read_table(tmp_path / "w" / "truth_accounts.parquet")["role"]).to_pylist() == ["innocent"]


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    simulate(tmp_path / "w", exchanges=3_000, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (3_000, 3_000)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"):
        simulate(tmp_path, exchanges=3_000)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    simulate(tmp_path / "w", exchanges=2_400)
    assert (tmp_path / "w" / "exchanges.parquet").exists()


@pytest.mark.parametrize(("given", "said"), [({"world": "mars"}, "ordinary"), ({"exchanges": 100}, "at least 2400")])
def test_arguments_that_cannot_be_met(tmp_path: Path, given: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        simulate(tmp_path / "w", **given)  # type: ignore[arg-type]


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "w", exchanges=3_000, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_names() -> None:
    assert {"february-2026", "ordinary"} <= set(WORLDS)
