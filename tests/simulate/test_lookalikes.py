"""The world of look-alikes: nobody guilty, every benign cause present, and each as binding as its name says."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from stillwatch.simulate import simulate
from stillwatch.simulate.lookalikes import LOOK_ALIKES, ROWS_AN_ACCOUNT
from stillwatch.tables import ACCOUNTS, EXCHANGES

N = 60_000
TEXTS = ("prompt", "response", "system_prompt")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lookalikes") / "world"
    simulate(out, world="look-alikes", exchanges=N, seed=17)
    return out


@pytest.fixture(scope="module")
def db(world: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for path in world.glob("*.parquet"):
        con.execute(f"create view {path.stem} as from read_parquet('{path}')")
    con.execute("create view a as from accounts join truth_accounts using (account_id)")
    con.execute("create view e as from exchanges join truth_accounts using (account_id)")
    return con


def one(db: duckdb.DuckDBPyConnection, sql: str) -> float:
    row = db.execute(sql).fetchone()
    assert row is not None
    return float(row[0] or 0)


def test_shares_are_of_one_whole() -> None:
    assert sum(x.share for x in LOOK_ALIKES.values()) == pytest.approx(1.0)


def test_nobody_is_guilty_and_every_benign_cause_is_there(db: duckdb.DuckDBPyConnection) -> None:
    found = db.execute("select distinct population from truth_accounts").fetchall()
    assert {p for (p,) in found} == set(LOOK_ALIKES)
    assert one(db, "select count(*) from truth_accounts where role <> 'innocent'") == 0
    assert one(db, "select count(*) from truth_memberships") == 0
    assert one(db, "select count(*) from truth_exchanges") == 0


def test_most_accounts_are_small_and_a_few_are_large(db: duckdb.DuckDBPyConnection) -> None:
    sent = "(select count(exchange_id) n from a left join exchanges using (account_id) group by account_id)"
    assert one(db, f"select avg(n) from {sent}") == pytest.approx(ROWS_AN_ACCOUNT, rel=0.1)
    assert one(db, f"select median(n) from {sent}") <= 6
    assert one(db, f"select max(n) from {sent}") > 500
    assert one(db, f"select min(n) from {sent}") >= 1


@pytest.mark.parametrize("exchanges", [2_400, 9_000])
def test_every_cause_is_present_in_a_small_world(tmp_path: Path, exchanges: int) -> None:
    simulate(tmp_path / "w", world="look-alikes", exchanges=exchanges, seed=4)
    assert pq.read_metadata(tmp_path / "w" / "exchanges.parquet").num_rows == exchanges
    truth = pq.read_table(tmp_path / "w" / "truth_accounts.parquet")
    assert set(pc.unique(truth["population"]).to_pylist()) == set(LOOK_ALIKES)


def test_one_seed_is_one_world_and_public_artefacts_differ_between_seeds(tmp_path: Path) -> None:
    prompts = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(tmp_path / name, world="look-alikes", exchanges=6_000, seed=seed)
        prompts.append(pq.read_table(tmp_path / name / "exchanges.parquet"))
    assert prompts[0].equals(prompts[1])
    long = [{s for s in p["system_prompt"].to_pylist() if s and len(s) > 400} for p in prompts]
    assert long[0] and not long[0] & long[2]


def test_names_of_populations_stand_in_the_truth_alone(world: Path) -> None:
    for file in ("exchanges", "accounts", "account_events"):
        table = pq.read_table(world / f"{file}.parquet")
        for column in table.column_names:
            if not pa.types.is_string(table.schema.field(column).type):
                continue
            values = pc.unique(table[column])
            for name in LOOK_ALIKES:
                told = pc.match_substring(values, name) if "_" in name else pc.equal(values, name)
                assert not pc.any(told).as_py(), (file, column, name)


def test_tables_keep_their_promises(db: duckdb.DuckDBPyConnection, world: Path) -> None:
    assert pq.read_schema(world / "exchanges.parquet").equals(EXCHANGES.schema)
    assert pq.read_schema(world / "accounts.parquet").equals(ACCOUNTS.schema)
    assert one(db, "select count(*) - count(distinct exchange_id) from exchanges") == 0
    assert one(db, "select count(*) from exchanges join accounts using (account_id) where time < created_at") == 0
    assert one(db, "select count(*) from exchanges join models using (model) where time < released_at") == 0


def test_events_tell_what_changed_and_when(db: duckdb.DuckDBPyConnection) -> None:
    last = """(select account_id, value from account_events where field = '{0}'
        qualify row_number() over (partition by account_id order by time desc) = 1)"""
    for field in ("status", "programme", "verification", "payment_fingerprint"):
        told = f"{last.format(field)} v join accounts x using (account_id)"
        assert one(db, f"select count(*) from {told}") > 0
        assert one(db, f"select count(*) from {told} where value is distinct from {field}") == 0
    assert one(db, "select count(*) from a where status <> 'active' and status_changed_at is null") == 0


# What each look-alike is, as one number that must lie between two: accounts that share something, shares, counts.
GROUPS = "select count(*) n from a where population = '{0}' and {1} is not null group by {1}"
TRAITS: dict[str, tuple[str, float, float]] = {
    "an agency has one card or one device for many clients": (
        f"select max(n) from ({GROUPS.format('agency', 'payment_fingerprint')})", 6, 40),
    "an agency's clients have a template each": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'agency'
        and system_prompt is not null group by system_prompt)""", 1, 1),
    "a free-tier rider has many accounts on one device": (
        f"select max(n) from ({GROUPS.format('free_rider', 'device_fingerprint')})", 4, 48),
    "and all of them are free": ("select avg((plan <> 'free')::int) from a where population = 'free_rider'", 0, 0),
    "free-tier conversations go on in another account": (
        """select count(*) from (select h from (select unnest(history_hashes) h, account_id from e
        where population = 'free_rider' and messages > 2) group by h
        having count(distinct account_id) > 1)""", 10, 1e9),
    "the banned come back within two days": (
        """select avg((exists (from a y where y.population = x.population
        and y.created_at - x.status_changed_at between interval 0 hour and interval 49 hours))::int)
        from a x where population = 'returned_after_ban' and status = 'banned'
        and status_changed_at < timestamptz '2026-01-25'""", 0.9, 1),
    "start-ups share a sponsor's payment and programme": (
        f"select max(n) from ({GROUPS.format('startup_credits', 'payment_fingerprint')})", 10, 60),
    "and nothing else: each has its organisation": (
        f"select max(n) from ({GROUPS.format('startup_credits', 'organization_id')})", 1, 1),
    "approved synthetic data has a contract": (
        "select avg((verification = 'contract')::int) from a where population = 'approved_synthetic'", 1, 1),
    "one's own synthetic data has none, but an identity, and one account to a company": (
        f"""select max(n) + (select count(*) from a where population = 'own_synthetic'
        and (verification <> 'identity' or declared_use is null))
        from ({GROUPS.format('own_synthetic', 'organization_id')})""", 1, 1),
    "an aggregator shows no address, client or end user": (
        """select count(ip) + count(user_agent) + count(tls_fingerprint) + count(end_user_id) + count(conversation_id)
        from e where population in ('aggregator', 'stripping_gateway')""", 0, 0),
    "strangers behind a gateway share its address": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'gateway_customers'
        group by ip)""", 5, 150),
    "a class has one block, of which most of its accounts use an address": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'campus_class'
        and contains(ip, '.') group by regexp_extract(ip, '^[0-9]+\\.[0-9]+\\.[0-9]+'))""", 15, 120),
    "and one exercise sheet": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'campus_class'
        group by prompt)""", 5, 120),
    "a tutorial has one sign-up day": (
        """select max(n) from (select count(*) n from a where population = 'tutorial_weekend'
        group by time_bucket(interval 1 day, created_at))""", 20, 200),
    "one system prompt serves hundreds of strangers": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'popular_agent'
        group by system_prompt)""", 200, 1e9),
    "an open pipeline serves a hundred strangers": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'open_pipeline'
        and system_prompt is not null group by system_prompt)""", 20, 1e9),
    "whose data are their own": (
        """select count(*) / (select count(*) from e where population = 'open_pipeline') from e
        where population = 'open_pipeline' and messages = 1
        and prompt in (select prompt from e group by prompt having count(distinct account_id) > 1)""", 0, 0.2),
    "day one is the new model's": (
        """select avg((model = 'meridian-3')::int) from e where population = 'day_one_benchmark'
        and time between timestamptz '2025-12-28' and timestamptz '2025-12-30'""", 0.8, 1),
    "a viral prompt is sent by hundreds": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'viral_prompt'
        and messages <= 2 group by prompt)""", 50, 1e9),
    "a team has a key for everyone": (
        """select median(n) from (select count(distinct key_id) n from e where population = 'team_keys'
        group by account_id)""", 4, 25),
    "a fleet has one or two keys": (
        """select max(n) from (select count(distinct key_id) n from e where population = 'ci_fleet'
        group by account_id)""", 1, 2),
    "and addresses that strangers use": (
        """select avg((n > 1)::int) from (select count(distinct account_id) n from e where population = 'ci_fleet'
        group by ip)""", 0.5, 1),
    "a labelling firm sends nothing twice": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'labelling_firm'
        and messages <= 2 group by prompt)""", 1, 1),
    "an enterprise has many accounts under one contract": (
        f"select max(n) from ({GROUPS.format('enterprise_accounts', 'organization_id')})", 8, 60),
    "a reseller has a card for its customers": (
        f"select max(n) from ({GROUPS.format('reseller', 'payment_fingerprint')})", 10, 60),
    "a night's suite repeats its cases": (
        """select count(distinct prompt) / count(*) from e where population = 'nightly_regression'""", 0, 0.9),
    "one carrier's address serves many": (
        """select max(n) from (select count(distinct account_id) n from e where population = 'carrier_nat'
        group by ip)""", 5, 150),
    "a VPN's exit serves many": (
        """select max(n) from (select count(distinct account_id) n from e where population in
        ('commercial_vpn', 'open_pipeline') group by ip)""", 5, 150),
}  # fmt: skip


@pytest.mark.parametrize("trait", TRAITS)
def test_a_look_alike_is_what_it_is_called(trait: str, db: duckdb.DuckDBPyConnection) -> None:
    sql, least, most = TRAITS[trait]
    assert least <= one(db, sql) <= most


def test_one_hand_is_told_as_a_pool_and_strangers_are_in_none(db: duckdb.DuckDBPyConnection) -> None:
    pooled = db.execute("select distinct population from a join truth_pools using (account_id)").fetchall()
    assert {p for (p,) in pooled} == {name for name, x in LOOK_ALIKES.items() if x.one_hand}
    assert one(db, "select min(n) from (select count(*) n from truth_pools group by pool)") >= 2


def test_every_look_alike_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "worlds.md").read_text("utf-8")
    for name, kind in LOOK_ALIKES.items():
        assert f"| `{name}` | {100 * kind.share:g}% |" in page
