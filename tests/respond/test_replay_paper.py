"""A policy played over past traffic: what it counts, by hand and end to end."""

import json
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tests.respond.respond_examples import AT, DAY, policy
from tests.scan.scan_worlds import HAND, START, STRANGERS, accounts, rows, write

from stillwatch.evaluate.sent import Sent
from stillwatch.evaluate.truth import Truth
from stillwatch.respond.decide import made
from stillwatch.respond.decision import Measure
from stillwatch.respond.harm import accounts_of, courses_of, harm_of
from stillwatch.respond.replay import replay, write_replay
from stillwatch.respond.schema import EPOCH, MICROSECOND
from stillwatch.respond.state import Kept
from stillwatch.respond.terminal import print_replay
from stillwatch.settings import Settings


def kept(account, measure, at=AT, *, kind="account", key="k", ended=None, p=0.9):
    subject, holder = (account, None) if kind == "account" else (key, account)
    decision = made(
        policy(),
        at,
        kind=kind,
        subject=subject,
        account=holder,
        measure=measure,
        campaign="C-1",
        probability=p,
        evidence=(),
        salt="x",
    )
    return Kept(decision, ended, None)


def sent(*of: tuple) -> Sent:
    """Exchanges as (account, seconds from AT), and the key of those over one."""
    names = sorted({name for name, *_ in of})
    keys = sorted({one[2] for one in of if len(one) > 2})
    time = [(AT + timedelta(seconds=s) - EPOCH) // MICROSECOND for _, s, *_ in of]
    return Sent(
        pa.chunked_array([[f"x{n}" for n in range(len(of))]]),
        np.array([names.index(name) for name, *_ in of], np.int64),
        np.array([keys.index(one[2]) if len(one) > 2 else -1 for one in of], np.int64),
        np.array(time, np.int64),
        names,
        keys,
    )


TRUTH = Truth(
    {"g": "member", "h": "member", "i": "innocent", "v": "victim"},
    {"g": "pool", "h": "pool", "i": "person", "v": "person"},
    {"c": frozenset({"g", "h", "v"})},
    pa.table({"exchange_id": [f"x{n}" for n in range(30)], "campaign": ["c"] * 30}),
)


def test_what_a_measure_would_have_refused():
    # Fifteen in the first minute and five in the next, after five before the measure and one when it was over.
    traffic = sent(
        *[("g", -9 + n) for n in range(5)], *[("g", n) for n in range(15)], *[("g", 60 + n) for n in range(5)]
    )
    for measure, refused, without in (
        (Measure.BLOCK, 20, 0),
        (Measure.THROTTLE, 5, 0),
        (Measure.WITHHOLD_REASONING, 0, 20),
    ):
        [account] = accounts_of([kept("g", measure)], policy(), traffic, AT + 3 * DAY, None)
        assert (account.exchanges, account.after, account.refused, account.without_reasoning) == (
            25,
            20,
            refused,
            without,
        )
        assert account.days[measure.text] == 3.0  # up to the end of the traffic
    ended = kept("g", Measure.BLOCK, ended=AT + timedelta(seconds=10))
    assert accounts_of([ended], policy(), traffic, AT + DAY, None)[0].refused == 10


def test_a_victim_whose_key_is_stopped_is_not_restricted_and_its_trouble_is_counted():
    # Over the stopped key, over another, over none that is told; somebody else's key of the same name.
    traffic = sent(("v", -5, "k"), ("v", 5, "k"), ("v", 6, "k"), ("v", 7, "own"), ("v", 8), ("i", 5, "k"))
    stopped = kept("v", Measure.BLOCK, kind="key")
    [account] = accounts_of([stopped], policy(), traffic, AT + 2 * DAY, TRUTH)
    assert (account.hardest, account.key_stopped, account.role) == ("observe", True, "victim")
    assert (account.after, account.refused, account.key_days) == (4, 2, 2.0)
    harm = harm_of([account], policy(), labelled=True)
    assert (harm.victims_restricted, harm.keys_stopped) == (0, 1)
    assert (harm.honest, harm.expected_honest) == (40.0, 40.0)  # two days at 20, and its holder is honest
    assert (harm.stopped, harm.expected_stopped) == (0.0, 0.0)


def test_days_of_stopped_keys_are_counted_once_and_so_is_what_is_refused():
    traffic = sent(*[("v", n * 3600, "k") for n in range(48)])
    two = [
        kept("v", Measure.BLOCK, kind="key"),
        kept("v", Measure.BLOCK, AT + DAY, kind="key", key="l"),
        kept("v", Measure.BLOCK, ended=AT + timedelta(hours=6)),
        kept("v", Measure.WITHHOLD_REASONING, AT + DAY),
    ]
    [account] = accounts_of(two, policy(), traffic, AT + 2 * DAY, TRUTH)
    assert (account.key_days, account.refused, account.without_reasoning) == (2.0, 48, 0)
    [later] = accounts_of([two[0], kept("v", Measure.BLOCK, AT + 4 * DAY, kind="key", ended=AT + 5 * DAY, key="l")],
        policy(), traffic, AT + 9 * DAY, TRUTH)  # fmt: skip
    assert later.key_days == 9.0
    [apart] = accounts_of([kept("v", Measure.BLOCK, kind="key", ended=AT + DAY),
        kept("v", Measure.BLOCK, AT + 4 * DAY, kind="key")], policy(), traffic, AT + 9 * DAY, TRUTH)  # fmt: skip
    assert apart.key_days == 6.0


def test_harm_by_the_cost_table():
    of = [kept("g", Measure.BLOCK, p=0.9), kept("i", Measure.THROTTLE, p=0.6)]
    touched = accounts_of(of, policy(), sent(("g", 1), ("i", 1)), AT + 2 * DAY, TRUTH)
    harm = harm_of(touched, policy(), labelled=True)
    # Two days each: a block stops 10 a day of the guilty and costs an honest one 100; a throttle stops 7 and costs 5.
    assert (harm.honest, harm.stopped) == (10.0, 20.0)
    assert harm.expected_honest == pytest.approx(0.1 * 200 + 0.4 * 10)
    assert harm.expected_stopped == pytest.approx(0.9 * 20 + 0.6 * 14)
    assert harm.innocent == {"withhold_reasoning": 0, "throttle": 1, "step_up": 0, "block": 0}
    assert harm_of(touched, policy(), labelled=False).innocent is None


def test_a_campaign_is_acted_on_with_its_second_member():
    traffic = sent(*[("g", n * 3600) for n in range(15)], *[("h", n * 3600 + 60) for n in range(15)])
    of = [kept("g", Measure.BLOCK), kept("h", Measure.BLOCK, AT + timedelta(hours=3)), kept("v", Measure.BLOCK)]
    [course] = courses_of(accounts_of(of, policy(), traffic, AT + DAY, TRUTH), TRUTH, traffic)
    assert course.acted_on == (AT + timedelta(hours=3)).isoformat()
    assert (course.exchanges, course.members, course.members_touched) == (30, 2, 2)
    assert course.share_taken == pytest.approx(6 / 30)  # three each before the third hour
    [never] = courses_of(accounts_of(of[:1], policy(), traffic, AT + DAY, TRUTH), TRUTH, traffic)
    assert (never.acted_on, never.share_taken) == (None, 1.0)


def label(world):
    names = [*HAND, *STRANGERS]
    exchanges = pq.read_table(world / "traffic-0.parquet", columns=["exchange_id", "account_id"])
    own = exchanges.filter([a in HAND for a in exchanges["account_id"].to_pylist()])
    truth = {
        "accounts": {
            "account_id": names,
            "population": ["hand" if n in HAND else "stranger" for n in names],
            "role": ["member" if n in HAND else "innocent" for n in names],
        },
        "memberships": {"account_id": HAND, "campaign": ["c"] * len(HAND)},
        "exchanges": {"exchange_id": own["exchange_id"], "campaign": ["c"] * own.num_rows},
    }
    for name, columns in truth.items():
        pq.write_table(pa.table(columns), world / f"truth_{name}.parquet")
    return world


def test_over_a_world_with_real_scans(tmp_path):
    world = label(write(tmp_path / "world", rows(), accounts()))
    settings = Settings(threads=1)
    dear = policy(dry_run=True, costs={"missed": 100})  # so that measures are hard enough for addresses to get one
    replayed = replay(world, dear, settings, every=7)
    assert [c.day for c in replayed.cycles] == ["2026-02-08", "2026-02-15"]
    assert {a.account for a in replayed.accounts} == set(HAND)
    assert {a.role for a in replayed.accounts} == {"member"}
    assert sum(replayed.cycles[0].under.values()) == 10
    [course] = replayed.campaigns
    # The hand began on the third day; nothing later than the seventh was known to the first cycle.
    assert course.acted_on == (START + 7 * DAY).isoformat()
    assert 0.3 < course.share_taken < 0.6
    assert replayed.harm.innocent == dict.fromkeys(replayed.harm.innocent, 0)
    assert replayed.cases == {"campaign": 1}
    # Measures on addresses are told of, and touch none of the accounts.
    assert replayed.harm.addresses == max(c.addresses for c in replayed.cycles) > 0
    write_replay(replayed, tmp_path / "replay.json")
    told = json.loads((tmp_path / "replay.json").read_text())
    assert told["policy"]["dry_run"] is True
    assert len(told["accounts"]) == 10
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    print_replay(replayed, console)
    said = console.export_text()
    assert "10 of 130 accounts would have been touched in 2 cycles, 7 days apart." in said
    assert "Innocent accounts above observe: none" in said
    assert not (tmp_path / "stillwatch.db").exists()
