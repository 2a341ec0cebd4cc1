"""Holders of stolen keys are victims; who relays customers through the same exits, or only the job, is a member."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.campaigns import members
from stillwatch.engine import DuckDB

DAY = 86_400_000_000
EXITS = ("exit0", "exit1", "exit2")
POOL = range(10)


def sent(account, block, day, count, job):
    """`count` exchanges from one place, by turns on up to six days."""
    days = 6
    return [
        {
            "account_no": account,
            "block": block,
            "time_us": (day + n % days) * DAY + n,
            "day": day + n % days,
            "job": job,
        }
        for n in range(count)
    ]


def pool_traffic():
    """Ten accounts that run the job through three exits, each through all of them."""
    return [row for a in POOL for exit_ in EXITS for row in sent(a, exit_, 20 + a % 3, 10, True)]


@pytest.fixture
def roles_of(tmp_path):
    with DuckDB(tmp_path / "e") as engine:

        def run(rows, created=None):
            rows = [r | {"exchange_no": n, "key_id": f"key{r['account_no']}"} for n, r in enumerate(rows)]
            accounts = sorted({r["account_no"] for r in rows})
            engine.register("traffic", pa.Table.from_pylist(rows))
            engine.register(
                "campaign_members",
                pa.table(
                    {
                        "campaign_no": [0] * len(accounts),
                        "account_no": accounts,
                        "probability_ppm": [900_000] * len(accounts),
                    }
                ),
            )
            engine.create("campaign_traffic", "SELECT 0 AS campaign_no, 0 AS workload_no, * FROM traffic WHERE job")
            known = {"account_no": accounts, "created_hour": [(created or {}).get(a) for a in accounts]}
            engine.register("known_accounts", pa.table(known, schema=pa.schema([(n, pa.int64()) for n in known])))
            return {m.account_no: m for m in members(engine)[0]}

        yield run


def test_a_holder_with_business_of_its_own_from_home_is_a_victim(roles_of):
    stolen = sent(99, "home", 1, 30, False) + sent(99, "exit0", 20, 40, True) + sent(99, "exit1", 21, 40, True)
    found = roles_of(pool_traffic() + stolen)
    assert found[99].role == "victim"
    assert found[99].probability < 0.5
    assert found[99].keys == (("key99", 80),)
    assert all(found[a].role == "member" and found[a].probability == pytest.approx(0.9, rel=0.05) for a in POOL)


def test_exchanges_from_where_the_holder_works_are_told(roles_of):
    """Of the job, those from a place where own business is seen on more days; not those from the pool's exits."""
    at_home = sent(99, "home", 3, 3, True)
    own = sent(99, "home", 1, 30, False)
    found = roles_of(pool_traffic() + own + at_home + sent(99, "exit0", 20, 40, True))
    assert found[99].at_home == len(at_home) > 0


def test_a_few_unrecognised_exchanges_of_the_job_change_nothing(roles_of):
    stolen = sent(99, "home", 1, 30, False) + sent(99, "exit0", 20, 60, True) + sent(99, "exit0", 22, 2, False)
    assert roles_of(pool_traffic() + stolen)[99].role == "victim"


def test_an_account_that_relays_customers_through_the_exits_is_a_member(roles_of):
    relayed = [row for e in EXITS for row in sent(99, e, 19, 20, False) + sent(99, e, 21, 20, True)]
    assert roles_of(pool_traffic() + relayed)[99].role == "member"


def test_business_that_begins_with_the_job_is_no_alibi_for_a_young_account(roles_of):
    late = sent(99, "home", 25, 30, False) + sent(99, "exit0", 20, 40, True)
    assert roles_of(pool_traffic() + late, {99: 19 * 24})[99].role == "member"
    assert roles_of(pool_traffic() + late, {99: -200 * 24})[99].role == "victim"


def test_without_addresses_nobody_is_called_a_victim(roles_of):
    rows = pool_traffic() + sent(99, "home", 1, 30, False) + sent(99, "exit0", 20, 40, True)
    assert roles_of([r | {"block": None if r["account_no"] == 99 else r["block"]} for r in rows])[99].role == "member"
