"""The world of summer 2026 holds what was disclosed since February."""

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from world_tables import number, tables

from stillwatch.simulate import publish, simulate
from stillwatch.simulate.accounts import PUBLIC_MAIL

N = 100_000


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    out = tmp_path_factory.mktemp("summer") / "world"
    simulate(out, world="summer-2026", exchanges=N, seed=11)
    assert pq.read_schema(out / "truth_pools.parquet").equals(publish.TRUTH_POOLS)
    assert pq.read_schema(out / "truth_workloads.parquet").equals(publish.TRUTH_WORKLOADS)
    return tables(out)


SENT = "truth_exchanges join exchanges using (exchange_id) join truth_pools using (account_id)"
MEMBERS = "accounts join truth_accounts using (account_id) where role = 'member'"


def test_half_of_the_rows_are_two_campaigns(db: duckdb.DuckDBPyConnection) -> None:
    found = dict(db.execute("select campaign, count(*) from truth_exchanges group by 1").fetchall())
    assert found == {"campaign-d": 20_000, "campaign-e": 30_000}


def test_every_exchange_of_a_campaign_has_a_workload_of_it(db: duckdb.DuckDBPyConnection) -> None:
    both = "truth_exchanges join truth_workloads using (exchange_id) where starts_with(workload, campaign || '/')"
    assert number(db, f"select count(*) from {both}") == N / 2 == number(db, "select count(*) from truth_workloads")


def test_the_campaigns_last_thirty_days_and_more(db: duckdb.DuckDBPyConnection) -> None:
    shortest = "select min(d) from (select date_diff('day', min(time), max(time)) d from {} group by campaign)"
    assert number(db, shortest.format(SENT)) >= 30


def test_within_hours_of_the_wave_of_bans_the_second_pool_takes_over(db: duckdb.DuckDBPyConnection) -> None:
    waved = "accounts join truth_pools using (account_id) where pool = 'first_pool' and status = 'banned'"
    (wave,) = db.execute(f"select max(status_changed_at) from {waved}").fetchone() or (None,)
    within = f"{waved} and '{wave}'::timestamptz - status_changed_at < interval 6 hours"
    whole = "select count(*) from truth_pools where pool = 'first_pool'"
    assert number(db, f"select count(*) from {within}") > 0.4 * number(db, whole)
    of_d = f"from {SENT} where campaign = 'campaign-d'"
    (last,) = db.execute(f"select max(time) {of_d} and pool = 'first_pool'").fetchone() or (None,)
    (first,) = db.execute(f"select min(time) {of_d} and pool = 'second_pool'").fetchone() or (None,)
    assert abs((last - wave).total_seconds()) < 8 * 3600
    assert abs((first - wave).total_seconds()) < 10 * 3600


def test_the_second_pool_carries_both_organisations_and_ordinary_customers(db: duckdb.DuckDBPyConnection) -> None:
    both = f"""select count(*) from (select account_id from {SENT} where pool = 'second_pool'
        group by 1 having count(distinct campaign) = 2)"""
    assert number(db, both) > 20
    own = """exchanges e join truth_pools using (account_id) join truth_accounts using (account_id)
        where role = 'member' and not exists (from truth_exchanges t where t.exchange_id = e.exchange_id)"""
    assert number(db, f"select count(distinct account_id) from {own} and pool = 'second_pool'") > 20


def test_one_passage_is_put_around_every_relayed_request(db: duckdb.DuckDBPyConnection) -> None:
    relayed = "exchanges join truth_workloads using (exchange_id) where workload = 'campaign-e/relay'"
    assert number(db, f"select count(distinct prompt[:40]) from {relayed}") == 1
    assert number(db, f"select count(distinct prompt[-40:]) from {relayed}") == 1
    assert number(db, f"select count(distinct prompt) > 0.9 * count(*) from {relayed}") == 1
    assert number(db, f"select count(*) from {relayed} and messages > 2") > 500


def test_most_techniques_are_refused_and_what_worked_is_scaled(db: duckdb.DuckDBPyConnection) -> None:
    by = db.execute(
        """select regexp_matches(workload, 'technique') as probe, count(distinct workload), count(*),
        avg((status = 'refused')::int), date_diff('day', min(time), max(time))
        from truth_workloads join exchanges using (exchange_id) where starts_with(workload, 'campaign-d')
        group by 1 order by 1"""
    ).fetchall()
    (_, jobs, scaled, passed, _), (_, techniques, tried, refused, days) = by
    assert (jobs, techniques) == (3, 9)
    assert tried < 0.02 * scaled
    assert refused > 0.6
    assert passed < 0.2
    assert days <= 3


def test_sessions_are_replayed_from_other_accounts(db: duckdb.DuckDBPyConnection) -> None:
    sent = f"""select account_id, history_hashes[-2] before, history_hashes[-1] as whole from {SENT}
        where campaign = 'campaign-d' and len(history_hashes) > 2"""
    again = f"select sum(n - 1) from (select count(*) n from ({sent}) group by before having count(distinct {{}}) > 1)"
    assert 1_000 < number(db, again.format("account_id")) < 3_000
    # half of them with another last message
    assert 500 < number(db, again.format("whole")) < 1_800


def test_conversations_are_handed_on(db: duckdb.DuckDBPyConnection) -> None:
    handed = f"""select count(*) from (select history_hashes[1] first from {SENT} where campaign = 'campaign-e'
        and messages > 2 group by 1 having count(distinct account_id) > 1)"""
    assert number(db, handed) > 50


def test_bans_are_followed_by_new_accounts_and_told_at_their_time(db: duckdb.DuckDBPyConnection) -> None:
    replaced = """accounts b join truth_pools p on b.account_id = p.account_id where status = 'banned'
        and pool = 'second_pool' and exists (from accounts n join truth_pools q on n.account_id = q.account_id
        where n.created_at - b.status_changed_at between interval 1 hour and interval 22 hours and q.pool = p.pool)"""
    assert number(db, f"select count(*) from {replaced}") >= 4
    untold = """accounts a where status = 'banned' and not exists (from account_events e
        where e.account_id = a.account_id and field = 'status' and value = 'banned' and e.time = status_changed_at)"""
    assert number(db, f"select count(*) from {untold}") == 0
    made = """account_events e join accounts a using (account_id)
        where field = 'status' and value = 'active' and e.time = created_at"""
    within = "select count(*) from accounts where created_at >= (select min(time) from exchanges)"
    assert number(db, f"select count(*) from {made}") >= number(db, within)


def test_half_of_the_traffic_turns_to_the_new_model_within_a_day(db: duckdb.DuckDBPyConnection) -> None:
    share = """select avg((e.model = 'meridian-3')::int) from exchanges e join truth_exchanges using (exchange_id),
        models m where campaign = 'campaign-d' and m.model = 'meridian-3'
        and e.time - m.released_at between interval 1 day and interval 4 days"""
    assert 0.4 < number(db, share) < 0.6


def test_households_are_exits_of_honest_people_too(db: duckdb.DuckDBPyConnection) -> None:
    shared = f"""select count(distinct ip) from exchanges join truth_accounts using (account_id)
        where role = 'innocent' and ip in (select ip from {SENT})"""
    assert number(db, shared) > 20


def test_several_paths_disposable_mail_virtual_cards_and_stolen_keys(db: duckdb.DuckDBPyConnection) -> None:
    assert number(db, f"select count(distinct access_path) from {SENT}") >= 3
    honest = "select email_domain from accounts join truth_accounts using (account_id) where role = 'innocent'"
    of_strangers = f"email_domain in ({honest}) and email_domain not in {tuple(PUBLIC_MAIL.values)}"
    assert number(db, f"select avg(({of_strangers})::int) from {MEMBERS}") > 0.2
    cards = f"select count(*) n from {MEMBERS} and payment_fingerprint is not null group by payment_fingerprint"
    assert number(db, f"select avg((n = 1)::int) from ({cards})") > 0.85
    victims = "accounts join truth_accounts using (account_id) where role = 'victim'"
    assert number(db, f"select count(*) from {victims}") >= 2
    assert number(db, f"select count(*) from {victims} and created_at > (select min(time) from exchanges)") == 0


@pytest.mark.parametrize("exchanges", [2_400, 20_000])
def test_small_worlds_keep_the_campaigns(exchanges: int, tmp_path: Path) -> None:
    summary = simulate(tmp_path / "w", world="summer-2026", exchanges=exchanges, seed=1)
    assert [n for _, n in summary.campaigns.values()] == [0.2 * exchanges, 0.3 * exchanges]
    assert min(a for a, _ in summary.campaigns.values()) >= 8
