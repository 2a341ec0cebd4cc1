"""Each rule of the policy by a worked example, and what holds whatever is found."""

import random
from dataclasses import replace

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from tests.respond.respond_examples import AT, DAY, HOUR, contracted, decided, found, measures, policy, suspects

from stillwatch.campaigns.verdicts import Verdict
from stillwatch.respond.decide import Before
from stillwatch.respond.decision import Limits, Measure
from stillwatch.respond.found import Customer, Suspect, customers_of
from stillwatch.respond.standing import Standing


def after(plan, before=None):
    """What a cycle begins with, once a plan stands."""
    ended = {i for i, _ in plan.ended}
    stands = [d for d in (before.standing if before else ()) if d.decision_id not in ended]
    asked = {(c.kind, c.subject) for c in plan.cases} | (before.asked if before else set())
    return replace(before or Before(), standing=(*stands, *(d for d, _ in plan.decisions)), asked=frozenset(asked))


def verdict(said, *accounts, kind="campaign", subject="C-1", p=0.9):
    return Verdict("V-1", AT - DAY, kind, subject, said, None, frozenset(accounts), p)


def test_each_account_gets_what_its_probability_calls_for_all_at_once():
    of = [*suspects("C-1", "sure", p=0.995), *suspects("C-1", "likely", p=0.9), *suspects("C-1", "perhaps", p=0.7)]
    of += [*suspects("C-1", "barely", p=0.55), *suspects("C-1", "hardly", p=0.4)]
    plan = decided(found(*of))
    assert measures(plan) == {
        "sure": "block",
        "likely": "step_up",
        "perhaps": "throttle",
        "barely": "withhold_reasoning",
    }
    assert {d.created for d, _ in plan.decisions} == {AT}


def test_a_decision_says_why_until_when_and_how_to_appeal():
    [(decision, newly)] = decided(
        found(*suspects("C-1", "a", p=0.7, evidence=("C-1:a:x",)), evidence={"C-1": ("C-1:one_hand:y",)})
    ).decisions
    assert newly
    assert decision.limits == Limits(10, 20_000)
    assert decision.expires == AT + 7 * DAY
    assert decision.evidence == ("C-1:a:x", "C-1:one_hand:y")
    assert decision.appeal == f"/v1/appeals/{decision.decision_id}"
    assert decision.reason.startswith("Until 8 July 2026, 12:00 UTC this account may send 10 requests and use 20,000")
    assert decision.appeal in decision.reason
    assert "C-1" not in decision.reason


def test_the_strongest_part_of_an_account_counts():
    plan = decided(found(*suspects("C-1", "a", p=0.55), *suspects("C-2", "a", p=0.995)))
    [(decision, _)] = plan.decisions
    assert (decision.measure, decision.campaign_id) == (Measure.BLOCK, "C-2")


def test_dry_run_decides_and_enforces_nothing():
    plan = decided(found(*suspects("C-1", "a", p=0.995)), policy(dry_run=True))
    [(decision, _)] = plan.decisions
    assert decision.dry_run
    standing = Standing(1, [decision])
    assert standing.look_up("a", at=AT) is None
    assert [d.measure for d in standing.in_order(dry_run=True) if d.subject == "a"] == [Measure.BLOCK]


def test_the_end_of_the_dry_run_begins_anew():
    one = found(*suspects("C-1", "a", p=0.995))
    dry = decided(one, policy(dry_run=True))
    [old] = dry.decisions
    real = decided(one, policy(), after(dry))
    assert real.ended == ((old[0].decision_id, "the dry run is over"),)
    assert [(d.dry_run, newly) for d, newly in real.decisions] == [(False, True)]
    back = decided(one, policy(dry_run=True), after(real))
    assert back.ended == ((real.decisions[0][0].decision_id, "the policy is a dry run again"),)


def test_a_stolen_key_is_stopped_and_its_holder_told_not_punished():
    plan = decided(found(*suspects("C-1", "holder", victim=True, keys=("k1", "k2"))))
    assert [(d.subject_kind, d.subject, d.account, d.measure.text) for d, _ in plan.decisions] == [
        ("key", "k1", "holder", "block"),
        ("key", "k2", "holder", "block"),
    ]
    assert [n for _, n in plan.decisions] == [True, False]  # one account was touched, with two keys
    assert "stolen" in plan.decisions[0][0].reason
    assert "The account itself is not restricted" in plan.decisions[0][0].reason
    [case] = [c for c in plan.cases if c.kind == "stolen_key"]
    assert (case.subject, case.campaign_id) == ("holder", "C-1")
    standing = Standing(1, [d for d, _ in plan.decisions])
    assert standing.look_up("holder", "k1", at=AT).measure is Measure.BLOCK
    assert standing.look_up("holder", "another", at=AT) is None
    assert standing.look_up("somebody-else", "k1", at=AT) is None


def test_who_turns_out_to_be_a_victim_is_let_go_at_once():
    first = decided(found(*suspects("C-1", "holder", p=0.7)))
    plan = decided(found(*suspects("C-1", "holder", victim=True, keys=("k",))), before=after(first))
    assert plan.ended == ((first.decisions[0][0].decision_id, "a key of it was stolen, and its holder takes no part"),)
    assert measures(plan) == {"k": "block"}


def test_a_victim_in_one_campaign_who_takes_part_in_another_takes_part():
    plan = decided(found(*suspects("C-1", "a", victim=True, keys=("k",), p=0.99), *suspects("C-2", "a", p=0.7)))
    assert measures(plan) == {"a": "throttle"}


def test_a_key_that_is_perhaps_stolen_is_let_alone():
    assert decided(found(*suspects("C-1", "a", victim=True, keys=("k",), p=0.6))).decisions == ()


def test_contracted_customers_are_decided_on_by_people():
    one = found(*suspects("C-1", "big", "small", p=0.995), customers=contracted("big"))
    plan = decided(one)
    assert measures(plan) == {"small": "block"}
    [case] = [c for c in plan.cases if c.kind == "contracted"]
    assert (case.subject, case.subject_kind) == ("big", "account")
    assert [c for c in decided(one, before=after(plan)).cases if c.kind == "contracted"] == []


def test_a_stolen_key_of_a_contracted_customer_too():
    plan = decided(found(*suspects("C-1", "big", victim=True, keys=("k",)), customers=contracted("big")))
    assert (plan.decisions, [c.kind for c in plan.cases]) == ((), ["campaign", "contracted"])


def test_a_plan_may_be_for_people_alone():
    given_policy = policy(persons={"verification": [], "plans": ["team"]})
    one = found(*suspects("C-1", "a", "b", p=0.995), customers={"a": Customer(None, "team"), **contracted("b")})
    assert measures(decided(one, given_policy)) == {"b": "block"}


def test_who_signs_a_contract_is_out_of_the_machines_hands():
    one = found(*suspects("C-1", "a", p=0.995))
    first = decided(one)
    plan = decided(replace(one, customers=contracted("a")), before=after(first))
    assert plan.ended == ((first.decisions[0][0].decision_id, "only a person decides on this customer"),)


def test_what_a_person_ordered_stands():
    one = found(*suspects("C-1", "a", p=0.995), customers=contracted("a"))
    ordered = decided(found(*suspects("C-1", "a", p=0.7))).decisions[0][0]
    before = Before(
        standing=(ordered,), ordered=frozenset({ordered.decision_id}), asked=frozenset({("contracted", "a")})
    )
    assert decided(one, before=before).ended == ()


def test_nothing_on_an_address_that_others_share():
    one = found(
        *suspects("C-1", "a", "b", p=0.995),
        addresses={
            "203.0.113.1": frozenset({"a", "b"}),
            "203.0.113.2": frozenset({"a", "b", "stranger"}),
            "203.0.113.3": frozenset({"a"}),
        },
    )
    plan = decided(one)
    assert [(d.subject, d.measure.text) for d, _ in plan.decisions if d.subject_kind == "address"] == [
        ("203.0.113.1", "block")
    ]
    shared = replace(one, addresses={"203.0.113.1": frozenset({"a", "b", "newcomer"})})
    later = decided(shared, before=after(plan), at=AT + HOUR)
    assert [why for _, why in later.ended] == ["others share the address"]


def test_an_address_gets_no_more_than_the_mildest_of_its_accounts():
    of = [*suspects("C-1", "a", p=0.995), *suspects("C-1", "b", p=0.9)]
    plan = decided(found(*of, addresses={"203.0.113.1": frozenset({"a", "b"})}))
    assert measures(plan)["203.0.113.1"] == "throttle"
    of = [*suspects("C-1", "a", p=0.995), *suspects("C-1", "b", p=0.55)]
    plan = decided(found(*of, addresses={"203.0.113.1": frozenset({"a", "b"})}))
    assert "203.0.113.1" not in measures(plan)


def test_addresses_may_be_left_out():
    one = found(*suspects("C-1", "a", "b", p=0.995), addresses={"203.0.113.1": frozenset({"a", "b"})})
    assert "203.0.113.1" not in measures(decided(one, policy(addresses={"act": False})))


def test_a_campaign_beyond_the_cap_waits_whole_and_a_smaller_one_goes():
    tight = policy(caps={"accounts_an_hour": 3, "share_of_accounts": 1.0})
    large, small = suspects("C-1", "a", "b", "c", "d"), suspects("C-2", "e", "f")
    plan = decided(found(*large, *small), tight)
    assert set(measures(plan)) == {"e", "f"}
    assert [c.subject for c in plan.cases if c.kind == "over_cap"] == ["C-1"]
    assert plan.notes == ("C-1: 4 accounts wait for a person: more than the caps allow the machine.",)


def test_what_would_fit_into_another_hour_waits_for_it():
    tight = policy(caps={"accounts_an_hour": 3, "share_of_accounts": 1.0})
    one = found(*suspects("C-1", "a", "b", "c"))
    plan = decided(one, tight, Before(newly_last_hour=1))
    assert (plan.decisions, plan.notes) == ((), ("C-1: 3 accounts wait for the next hour, so that the cap is kept.",))
    assert len(decided(one, tight, Before(newly_last_hour=0)).decisions) == 3


def test_the_share_of_all_accounts_is_a_cap():
    tight = policy(caps={"accounts_an_hour": 100, "share_of_accounts": 0.003})
    assert len(decided(found(*suspects("C-1", "a", "b", "c")), tight).decisions) == 3  # of 1,000
    assert decided(found(*suspects("C-1", "a", "b", "c", "d")), tight).decisions == ()


def test_a_person_lets_a_campaign_through_the_caps():
    tight = policy(caps={"accounts_an_hour": 1, "share_of_accounts": 1.0})
    one = found(*suspects("C-1", "a", "b", "c"))
    assert len(decided(one, tight, Before(approved=frozenset({"C-1"}))).decisions) == 3
    assert len(decided(one, tight, Before(verdicts=(verdict("confirmed", "a", "b", "c"),))).decisions) == 3


def test_what_moves_elsewhere_is_followed():
    first = decided(found(*suspects("C-1", "a", "b")))
    moved = found(*suspects("C-1", "a", "b", "successor"), digest="next")
    plan = decided(moved, before=after(first), at=AT + DAY)
    assert measures(plan) == {"successor": "step_up"}
    assert plan.notes == ("C-1: 1 accounts came to it after it was acted on, and are followed.",)


def test_what_stands_is_renewed_when_half_of_it_is_over_and_expires_when_not_found():
    one = found(*suspects("C-1", "a", p=0.7))
    first = decided(one)
    assert decided(one, before=after(first), at=AT + 3 * DAY).decisions == ()
    later = decided(one, before=after(first), at=AT + 4 * DAY)
    assert [why for _, why in later.ended] == ["renewed"]
    [(again, newly)] = later.decisions
    assert (again.expires, newly) == (AT + 11 * DAY, False)
    gone = decided(found(*suspects("C-1", "b")), before=after(first), at=AT + 4 * DAY)
    assert gone.ended == ()
    assert not first.decisions[0][0].holds(AT + 7 * DAY)


def test_a_measure_follows_the_probability_both_ways():
    first = decided(found(*suspects("C-1", "a", p=0.9)))
    harder = decided(found(*suspects("C-1", "a", p=0.995)), before=after(first))
    assert ([w for _, w in harder.ended], measures(harder)) == (["hardened"], {"a": "block"})
    softer = decided(found(*suspects("C-1", "a", p=0.6)), before=after(first))
    assert ([w for _, w in softer.ended], measures(softer)) == (["softened"], {"a": "withhold_reasoning"})
    lifted = decided(found(*suspects("C-1", "a", p=0.3)), before=after(first))
    assert ([w for _, w in lifted.ended], lifted.decisions) == (["the findings do not call for it any more"], ())


def test_who_is_cleared_is_let_go_at_once():
    first = decided(found(*suspects("C-1", "a", "b")))
    plan = decided(found(*suspects("C-1", "b"), cleared=frozenset({"a"})), before=after(first))
    assert [why for _, why in plan.ended] == ["the findings clear the account"]


def test_a_judgement_of_the_newest_hardens_and_ends_or_softens_nothing():
    first = decided(found(*suspects("C-1", "a", "b", "c", "d", p=0.9)))
    of_newest = found(
        *suspects("C-1", "a", p=0.6), *suspects("C-1", "b", p=0.995), *suspects("C-2", "e", p=0.9),
        *suspects("C-1", "d", victim=True, keys=("k",)), cleared=frozenset({"c"}), whole=False,
    )  # fmt: skip
    plan = decided(of_newest, before=after(first))
    assert [why for _, why in plan.ended] == ["hardened"]
    assert measures(plan) == {"b": "block", "e": "step_up", "k": "block"}
    of_all = decided(replace(of_newest, whole=True), before=after(first))
    assert sorted(why for _, why in of_all.ended) == [
        "a key of it was stolen, and its holder takes no part", "hardened", "softened",
        "the findings clear the account",
    ]  # fmt: skip
    dismissed = decided(replace(of_newest, customers=contracted("a")), before=after(first))
    assert "only a person decides on this customer" in [why for _, why in dismissed.ended]


def test_what_was_decided_since_the_traffic_was_read_is_neither_ended_nor_softened():
    first = decided(found(*suspects("C-1", "a", "b", "c", "d", p=0.9)))
    later = found(
        *suspects("C-1", "a", p=0.6), *suspects("C-1", "b", p=0.995), *suspects("C-1", "d", victim=True, keys=("k",)),
        cleared=frozenset({"c"}), read_at=AT - HOUR,
    )  # fmt: skip
    plan = decided(later, before=after(first), at=AT + HOUR)
    assert [why for _, why in plan.ended] == ["hardened"]
    read_since = decided(replace(later, read_at=AT), before=after(first), at=AT + HOUR)
    assert len(read_since.ended) == 4


def test_who_may_be_under_contract_is_left_to_a_person():
    of = suspects("C-1", "a", "b", "c", p=0.995)
    known = {"a": Customer("email"), "b": Customer("gold")}
    plan = decided(found(*of, customers=known, unread=3))
    assert measures(plan) == {"a": "block"}
    asked = {case.subject: case.text for case in plan.cases if case.kind == "contracted"}
    assert asked.keys() == {"b", "c"}
    assert "verification is none that is known" in asked["b"]
    assert "3 rows could not be read" in asked["c"]
    assert measures(decided(found(*of, customers=known))) == {"a": "block", "c": "block"}


def test_customers_go_by_a_level_however_it_is_written():
    table = pa.table({"account_id": ["a", "b", "c"], "verification": [" Contract", None, ""], "plan": [None] * 3})
    assert customers_of(table) == {"a": Customer("contract"), "b": Customer(), "c": Customer()}


def test_an_appeal_goes_where_the_policy_says():
    [(one, _)] = decided(found(*suspects("C-1", "a"))).decisions
    assert one.appeal == f"/v1/appeals/{one.decision_id}"
    page = policy(appeals={"url": "https://example.com/appeal?of="})
    [(one, _)] = decided(found(*suspects("C-1", "a")), page).decisions
    assert one.appeal == f"https://example.com/appeal?of={one.decision_id}"
    assert one.appeal in one.reason


def test_nothing_new_is_done_about_who_was_judged_in_part():
    first = decided(found(*suspects("C-1", "a", p=0.9)))
    of = found(*suspects("C-1", "a", "b", "c", p=0.995), in_part=frozenset({"a", "b"}), whole=False)
    assert measures(decided(of, before=after(first))) == {"a": "block", "c": "block"}
    assert measures(decided(of)) == {"c": "block"}


def test_a_dismissed_campaign_is_let_go_and_asked_about_when_it_returns():
    one = found(*suspects("C-1", "a", "b"))
    first = decided(one)
    plan = decided(one, before=replace(after(first), verdicts=(verdict("dismissed", "a", "b"),)))
    assert plan.decisions == ()
    assert {why for _, why in plan.ended} == {"an analyst dismissed the campaign"}
    assert [c.kind for c in plan.cases] == ["returned"]


def test_a_dismissed_campaign_under_another_id_is_still_the_dismissed_one():
    one = found(*suspects("C-7", "a", "b", "c"))
    assert decided(one, before=Before(verdicts=(verdict("explained", "a", "b"),))).decisions == ()


def test_a_dismissal_does_not_cover_a_campaign_that_has_outgrown_it():
    one = found(*suspects("C-1", "a", "b", "c", "d", "e"))
    assert len(decided(one, before=Before(verdicts=(verdict("dismissed", "a", "b"),))).decisions) == 5


def test_an_account_that_an_analyst_cleared_is_spared():
    said = verdict("dismissed", "a", kind="account", subject="a")
    one = found(*suspects("C-1", "a", "b"))
    plan = decided(one, before=replace(after(decided(one)), verdicts=(said,)))
    assert [why for _, why in plan.ended] == ["an analyst dismissed it (V-1)"]
    assert measures(decided(one, before=Before(verdicts=(said,)))) == {"b": "step_up"}


def test_an_open_appeal_holds_the_account_at_its_softer_measure():
    one = found(*suspects("C-1", "a", "b", p=0.995))
    assert measures(decided(one, before=Before(held={"a": Measure.THROTTLE}))) == {"a": "throttle", "b": "block"}
    assert measures(decided(one, before=Before(held={"a": Measure.OBSERVE}))) == {"b": "block"}


def test_a_change_of_limits_reaches_who_is_throttled():
    one = found(*suspects("C-1", "a", p=0.7))
    plan = decided(one, policy(throttle={"requests_per_minute": 5}), after(decided(one)))
    assert [why for _, why in plan.ended] == ["the policy changed"]
    assert plan.decisions[0][0].limits == Limits(5, 20_000)


names = st.sampled_from([f"a{n}" for n in range(12)])
parts = st.builds(
    Suspect,
    names,
    st.sampled_from(["C-1", "C-2", "C-3"]),
    st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.9, 0.95, 0.995]),
    st.booleans(),
    st.sampled_from([(), ("k1",), ("k1", "k2")]),
)
several = st.lists(parts, max_size=25, unique_by=lambda s: (s.account, s.campaign))
rooms = st.integers(0, 12)


def caps(hour, share):
    return policy(caps={"accounts_an_hour": hour, "share_of_accounts": share / 100})


@given(several, rooms, rooms, st.randoms())
def test_the_order_of_findings_never_matters(of, hour, share, draw):
    other = list(of)
    draw.shuffle(other)
    plans = [decided(found(*o, accounts=100), caps(hour, share)) for o in (of, other)]
    assert plans[0] == plans[1]


@given(st.lists(several, min_size=1, max_size=4), rooms, rooms, rooms)
def test_the_caps_are_never_exceeded(scans, hour, share, lately):
    before, given_policy = Before(newly_last_hour=lately), caps(hour, share)
    newly = lately
    for n, of in enumerate(scans):
        plan = decided(found(*of, digest=str(n), accounts=100), given_policy, before, AT + n * HOUR / 10)
        fresh = {d.account or d.subject for d, new in plan.decisions if new}
        newly += len(fresh)
        assert not fresh or newly <= hour
        before = replace(after(plan, before), newly_last_hour=newly)
        under = {d.account or d.subject for d in before.standing}
        assert not fresh or len(under) <= share


@given(several, rooms)
def test_a_campaign_goes_whole_or_waits_whole(of, hour):
    plan = decided(found(*of), caps(hour, 100))
    free = decided(found(*of), caps(100, 100))
    touched = {d.account or d.subject: d.campaign_id for d, _ in free.decisions}
    acted = {d.account or d.subject for d, _ in plan.decisions}
    for campaign in set(touched.values()):
        members = {a for a, c in touched.items() if c == campaign}
        assert members <= acted or not members & acted


@given(several, st.integers(1, 60))
def test_whatever_is_done_expires(of, days):
    for decision, _ in decided(found(*of)).decisions:
        assert AT < decision.expires <= AT + 30 * DAY
        assert decision.holds(AT)
        assert decision.holds(AT + days * DAY) == (AT + days * DAY < decision.expires)


@given(several)
def test_a_second_cycle_over_the_same_findings_does_nothing(of):
    one = found(*of)
    plan = decided(one)
    again = decided(one, before=after(plan), at=AT + HOUR)
    assert (again.decisions, again.ended, again.cases) == ((), (), ())


def test_ten_thousand_accounts_in_any_order():
    of = list(suspects("C-1", *(f"a{n}" for n in range(10_000))))
    random.Random(1).shuffle(of)
    assert len(decided(found(*of, accounts=20_000)).decisions) == 10_000


def test_ids_are_another_for_every_subject_and_cycle():
    one = found(*suspects("C-1", "a", "b"))
    ids = {d.decision_id for d, _ in decided(one).decisions}
    assert len(ids) == 2
    assert ids.isdisjoint(d.decision_id for d, _ in decided(one, at=AT + HOUR).decisions)
