"""Each evasion of the careful adversary does what it says, and has its cost."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from world_tables import number, tables

from stillwatch.errors import InputError
from stillwatch.simulate import publish, simulate
from stillwatch.simulate.careful import EVASIONS
from stillwatch.simulate.templates import AGENT_SYSTEM_PROMPTS

N = 40_000
GUILTY = "truth_exchanges join exchanges using (exchange_id)"
MEMBERS = "truth_accounts join accounts using (account_id) where role = 'member'"
World = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made: dict[tuple[str, ...] | None, duckdb.DuckDBPyConnection] = {}

    def make(*evasions: str, whole: bool = False) -> duckdb.DuckDBPyConnection:
        chosen = None if whole else evasions
        if chosen not in made:
            out = tmp_path_factory.mktemp("careful") / "world"
            simulate(out, world="careful", exchanges=N, seed=5, evasions=chosen)
            made[chosen] = tables(out)
        return made[chosen]

    return make


@pytest.mark.parametrize("evasions", [None, *EVASIONS, "none"])
def test_campaigns_take_a_tenth_with_any_evasion(evasions: str | None, world: World) -> None:
    db = world(whole=True) if evasions is None else world() if evasions == "none" else world(evasions)
    found = dict(db.execute("select campaign, count(*) from truth_exchanges group by 1").fetchall())
    assert found == {"campaign-g": N / 20, "campaign-h": N / 20}
    assert number(db, "select count(*) from truth_workloads") == N / 10


def idle_hours(db: duckdb.DuckDBPyConnection) -> float:
    """The share of an account's exchanges in the six hours in which it sends least."""
    return number(
        db,
        f"""with h as (select account_id, hour(time) h, count(*) n from {GUILTY} group by 1, 2),
        six as (select a.account_id, s.s, sum(coalesce(n, 0)) m from (select distinct account_id from h) a,
            range(24) s(s), range(6) k(k) left join h on h.account_id = a.account_id and h.h = (s.s + k.k) % 24
            group by 1, 2),
        least as (select account_id, min(m) m from six group by 1)
        select sum(m) / (select sum(n) from h) from least""",
    )


def test_human_hours(world: World) -> None:
    plain, human = world(), world("human_hours")
    assert idle_hours(human) < 0.1 < idle_hours(plain)


def test_low_volume(world: World) -> None:
    each = f"select count(*) / count(distinct account_id) from {GUILTY}"
    assert number(world("low_volume"), each) < 130 < number(world(), each) / 1.5


@pytest.mark.parametrize(
    ("evasion", "column"),
    [("own_exit", None), ("own_card", "payment_fingerprint"), ("own_card", "device_fingerprint")],
)
def test_own_exits_and_cards(evasion: str, column: str | None, world: World) -> None:
    value = f"{GUILTY} where true" if column is None else MEMBERS
    name = column or "ip"
    several = f"""select count(*) from (select {name} from {value} and {name} is not null group by 1
        having count(distinct account_id) > 1)"""
    assert number(world(evasion, "low_volume"), several) == 0
    assert number(world("low_volume"), several) > 0


def test_reworded(world: World) -> None:
    first = f"select count(distinct system_prompt) / count(*) from {GUILTY} where system_prompt is not null"
    assert number(world("reworded"), first) > 0.15
    assert number(world(), first) < 0.05


def test_shuffled(world: World) -> None:
    overlap = """select avg(n) from (select count(distinct workload) n from truth_workloads
        join exchanges using (exchange_id) group by account_id, time::date having count(*) >= 8)"""
    assert number(world("shuffled"), overlap) > 2
    assert number(world(), overlap) < 1.3


def test_decoy_chat(world: World) -> None:
    own = """exchanges join truth_accounts using (account_id) where role = 'member'
        and exchange_id not in (select exchange_id from truth_exchanges)"""
    assert number(world(), f"select count(*) from {own}") == 0
    assert number(world("decoy_chat"), f"select count(*) from {own}") == pytest.approx(N / 10, rel=0.05)


def test_camouflage(world: World) -> None:
    agents = ", ".join("?" for _ in AGENT_SYSTEM_PROMPTS)
    sql = f"select avg((coalesce(system_prompt, '') in ({agents}))::int) from {GUILTY}"
    hidden = world("camouflage", "low_volume").execute(sql, list(AGENT_SYSTEM_PROMPTS)).fetchone()
    plain = world("low_volume").execute(sql, list(AGENT_SYSTEM_PROMPTS)).fetchone()
    assert hidden and plain and 0.2 < hidden[0] < 0.6
    assert plain[0] == 0


def test_planted(world: World) -> None:
    aged = f"""select count(distinct account_id) from {GUILTY} join accounts using (account_id)
        where verification in ('phone', 'identity')
        and created_at < (select min(time) from exchanges) - interval 199 day
        and time < (select min(time) + interval 3 day from exchanges)"""
    assert number(world(), aged) == 0
    assert number(world("planted"), aged) >= 2


def test_framing(world: World) -> None:
    copied = f"""select count(*) from {GUILTY} join truth_workloads using (exchange_id)
        where ends_with(workload, '/framing')"""
    db = world("framing")
    assert number(db, copied) == pytest.approx(N / 30, rel=0.4)
    assert number(world(), copied) == 0
    honest = """select count(*) from exchanges join truth_accounts using (account_id) where role = 'innocent'
        and system_prompt is not null and system_prompt in (select system_prompt from exchanges
        join truth_workloads using (exchange_id) where ends_with(workload, '/framing'))"""
    starts = """select count(*) from exchanges join truth_accounts using (account_id) where role = 'innocent'
        and messages <= 2 and prompt[:40] in (select prompt[:40] from exchanges
        join truth_workloads using (exchange_id) where ends_with(workload, '/framing') and messages <= 2)"""
    assert number(db, honest) + number(db, starts) > 0


def test_every_evasion_that_is_on_has_its_cost(world: World) -> None:
    told = world(whole=True).execute("from truth_costs").fetchall()
    assert [e for e, *_ in told] == ["none", *EVASIONS]
    assert all(accounts >= 0 and money >= 0 and 0 < throughput <= 1 for _, accounts, money, throughput in told)
    costs = {e: rest for e, *rest in told}
    assert costs["planted"][0] > 0 and costs["planted"][1] > 0
    assert costs["decoy_chat"][2] == pytest.approx(0.5)
    assert costs["low_volume"][0] > 0 and costs["low_volume"][2] < 0.2
    assert world().execute("select evasion from truth_costs").fetchall() == [("none",)]


def test_the_accounts_that_evasions_cost_are_in_the_world(world: World) -> None:
    count = f"select count(*) from {MEMBERS}"
    added = number(world(whole=True), count) - number(world(), count)
    (planted,) = world(whole=True).execute("select accounts from truth_costs where evasion = 'planted'").fetchone() or (
        0,
    )
    (low,) = world(whole=True).execute("select accounts from truth_costs where evasion = 'low_volume'").fetchone() or (
        0,
    )
    assert added >= planted + low > 0


def test_the_costs_have_their_schema(tmp_path: Path) -> None:
    simulate(tmp_path / "w", world="careful", exchanges=2_400, seed=1)
    assert pq.read_schema(tmp_path / "w" / "truth_costs.parquet").equals(publish.TRUTH_COSTS)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"evasions": ["own_exit", "invisible"]}, "--evasions invisible: unknown; there are human_hours"),
        ({"evasions": [], "world": "february-2026"}, "--evasions: --world february-2026 does not take it"),
    ],
)
def test_evasions_that_are_not(given: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        simulate(tmp_path / "w", **({"world": "careful", "exchanges": N} | given))  # type: ignore[arg-type]
