"""What members send with a job that others run as well is not counted to their campaign."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.campaigns.judgement import JudgedFactor, Judgement
from stillwatch.campaigns.roles import TAKEN, own_jobs, take_traffic, with_exchanges
from stillwatch.campaigns.search import Candidate
from stillwatch.engine import DuckDB

# Ten members run job 0 among themselves, and job 1 with as many strangers.
MEMBERS, STRANGERS = range(10), range(10, 20)


@pytest.mark.parametrize(("strangers", "jobs"), [(10, {0}), (2, {0, 1}), (3, {0})])
def test_a_job_is_the_campaigns_own_where_four_in_five_of_its_runners_are_members(tmp_path, strangers, jobs):
    sent = [(0, a) for a in MEMBERS] + [(1, a) for a in (*MEMBERS, *list(STRANGERS)[:strangers])]
    with DuckDB(tmp_path) as engine:
        traffic = [{"job": job, "account_no": a, "exchange_no": n} for n, (job, a) in enumerate(sent)]
        engine.register("job_traffic", pa.Table.from_pylist(traffic))
        engine.register("account_jobs", pa.Table.from_pylist([{"job": j, "account_no": a} for j, a in sent]))
        engine.register("known_accounts", pa.table({"account_no": [0], "organization_id": ["somebody"]}))
        sent_so = [dict.fromkeys(TAKEN.split(), 1) | {"exchange_no": t["exchange_no"]} for t in traffic]
        engine.register("traffic", pa.Table.from_pylist(sent_so))
        campaign = SimpleNamespace(
            weighed=SimpleNamespace(members=np.array(MEMBERS)), probabilities=np.full(10, 0.9), jobs=(0, 1)
        )
        take_traffic(engine, [campaign], [{0: 0, 1: 1}])
        taken = engine.query("SELECT workload_no, count(*) AS n FROM campaign_traffic GROUP BY workload_no")
        assert {r["workload_no"]: r["n"] for r in taken.to_pylist()} == dict.fromkeys(jobs, 10)


def who_runs(sent, of_one=()):
    """job, account_no, owner of pairs of job and account; of_one: accounts that declare one organisation."""
    owners = [-1 if a in of_one else a for _, a in sent]
    return pa.table({"job": [j for j, _ in sent], "account_no": [a for _, a in sent], "owner": owners})


def candidate(accounts, jobs):
    """A sure campaign of these accounts and jobs."""
    members = np.array(accounts)
    sure = Judgement(tuple(JudgedFactor(claim, 0.99, ()) for claim in ("one_hand", "extraction", "unsanctioned")))
    return Candidate(SimpleNamespace(members=members), sure, lambda: np.full(len(members), 0.99), tuple(jobs))


def test_a_campaign_that_no_exchange_can_be_counted_to_is_left_to_a_person():
    """Job 1 is run by strangers as well; jobs 0 and 2 by members alone, of which 2 also by those of the emptied one."""
    sent = [(0, a) for a in range(4)] + [(1, a) for a in range(4, 16)] + [(2, a) for a in (0, 1, 4, 5, 6)]
    rows = who_runs(sent)
    several = [candidate(range(4), (0,)), candidate(range(4, 8), (1,)), candidate(range(2), (2,))]
    assert [c.verdict for c in several] == ["campaign"] * 3
    first, second, third = with_exchanges(several, rows)
    assert first is several[0]
    assert second.verdict == "undetermined"
    # Job 2 was the third one's own only as long as those of the second one were members of a campaign.
    assert third.verdict == "undetermined"


def test_a_small_campaign_of_which_members_were_missed_is_counted_by_what_mostly_its_members_run():
    """Two members and two others run job 0, one member and two others job 1; job 2 of another campaign is unmoved."""
    sent = [(0, a) for a in (0, 1, 8, 9)] + [(1, a) for a in (0, 8, 9)] + [(2, a) for a in (5, 6, 7, 8)]
    rows = who_runs(sent)
    several = [candidate((0, 1), (0, 1)), candidate((5, 6, 7), (2,))]
    assert own_jobs(several, rows).tolist() == [0, 2]
    with_one_of_its_own = candidate((0, 1), (0, 3))
    more = who_runs([*sent, (3, 0), (3, 1)])
    assert own_jobs([with_one_of_its_own], more).tolist() == [3]


def test_what_accounts_of_one_organisation_alone_run_is_its_own_business():
    """Accounts 0 and 1 declare one organisation; they run job 0 of the campaign, and job 1 by themselves."""
    sent = [(0, a) for a in range(5)] + [(1, a) for a in (0, 1)] + [(2, a) for a in (0, 1, 2)]
    campaign = candidate(range(5), (0, 1, 2))
    assert own_jobs([campaign], who_runs(sent, of_one=(0, 1))).tolist() == [0, 2]
    assert own_jobs([campaign], who_runs(sent)).tolist() == [0, 1, 2]
