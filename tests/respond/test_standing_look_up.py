"""The look-up that every request makes: who is meant, what is hardest, what is over."""

import ipaddress

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.respond.respond_examples import AT, DAY, HOUR, policy

from stillwatch.respond.decide import made
from stillwatch.respond.decision import Measure
from stillwatch.respond.standing import PIECE, Standing


def decision(subject, measure=Measure.BLOCK, *, kind="account", account=None, at=AT, dry_run=False, salt=""):
    return made(
        policy(dry_run=dry_run),
        at,
        kind=kind,
        subject=subject,
        account=account,
        measure=measure,
        campaign="C-1",
        probability=0.9,
        evidence=(),
        salt=salt,
    )


def test_nobody_else_is_meant():
    standing = Standing(
        1,
        [
            decision("a", Measure.THROTTLE),
            decision("k", kind="key", account="b"),
            decision("203.0.113.1", Measure.THROTTLE, kind="address"),
        ],
    )
    assert standing.look_up("a", "k", None, AT).measure is Measure.THROTTLE
    assert standing.look_up("b", "k", None, AT).subject_kind == "key"
    assert standing.look_up("b", None, None, AT) is None
    assert standing.look_up("c", "k", "203.0.113.1", AT) is None
    assert standing.look_up(None, None, "203.0.113.2", AT) is None
    assert standing.look_up(None, None, "203.0.113.1", AT).subject_kind == "address"
    assert (len(standing), len(list(standing))) == (3, 3)


def test_the_hardest_counts_and_what_is_over_does_not():
    early = decision("a", Measure.BLOCK, at=AT - 13 * DAY)
    late = decision("a", Measure.STEP_UP)
    standing = Standing(1, [late, early])
    assert standing.look_up("a", at=AT) is early
    assert standing.look_up("a", at=AT + DAY) is late  # the block ran out at this very moment
    assert standing.look_up("a", at=AT + 14 * DAY) is None
    assert standing.look_up("a", at=AT - 14 * DAY) is None


def test_dry_runs_are_never_given():
    standing = Standing(1, [decision("a", dry_run=True)])
    assert (standing.look_up("a", at=AT), len(standing)) == (None, 0)
    assert [(d.subject, d.measure) for d in standing.in_order(dry_run=True)] == [("a", Measure.BLOCK)]


def test_the_list_is_by_id_however_many_there_are():
    every = [decision(f"a{n}", dry_run=n % 3 == 0) for n in range(3 * PIECE)]
    standing = Standing(1, every)
    for dry_run in (True, False):
        ids = sorted(d.decision_id for d in every if d.dry_run is dry_run)
        assert [d.decision_id for d in standing.in_order(dry_run=dry_run)] == ids


def test_measures_are_ordered_and_named():
    assert [m.text for m in sorted(Measure)] == ["observe", "withhold_reasoning", "throttle", "step_up", "block"]
    assert all(Measure.of(m.text) is m for m in Measure)


def test_a_decision_as_json():
    told = decision("a", Measure.THROTTLE).as_json()
    assert (told["measure"], told["requests_per_minute"], told["created"]) == (
        "throttle",
        10,
        "2026-07-01T12:00:00+00:00",
    )
    assert decision("a", Measure.STEP_UP).as_json()["verification"] == "identity"


subjects = st.tuples(
    st.sampled_from(["account", "key", "address"]),
    st.integers(0, 2),
    st.sampled_from(list(Measure)[1:]),
    st.integers(0, 400),
)


@settings(deadline=None)
@given(
    st.lists(subjects, max_size=12),
    st.none() | st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 500),
)
def test_it_is_what_a_search_of_all_decisions_finds(of, account, key, address, hours):
    at = AT + hours * HOUR
    ips = [str(ipaddress.ip_address("203.0.113.0") + n) for n in range(3)]
    names = {"account": ["a0", "a1", "a2"], "key": ["k0", "k1", "k2"], "address": ips}
    every = [
        decision(
            names[kind][n],
            measure,
            kind=kind,
            account="a0" if kind == "key" else None,
            at=AT + start * HOUR,
            salt=str(place),
        )
        for place, (kind, n, measure, start) in enumerate(of)
    ]
    asked = {"account": None if account is None else f"a{account}", "key": f"k{key}", "address": ips[address]}
    meant = [
        d
        for d in every
        if d.holds(at)
        and asked[d.subject_kind] == d.subject
        and (d.account is None or d.account == asked["account"])
        and (d.subject_kind == "address") == (account is None)
    ]
    found = Standing(1, every).look_up(asked["account"], asked["key"], asked["address"], at)
    assert found == max(meant, key=lambda d: (d.measure, d.expires, d.decision_id), default=None)
