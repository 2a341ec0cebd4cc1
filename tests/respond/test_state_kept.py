"""The state on both databases: from empty, in transactions, and what follows from what people say."""

import socket
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text, update
from tests.respond.conftest import sealing
from tests.respond.databases import fresh
from tests.respond.respond_examples import AT, DAY, HOUR, contracted, found, policy, suspects

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.respond import answers, database
from stillwatch.respond.changes import MACHINE
from stillwatch.respond.cycle import run_cycle
from stillwatch.respond.decision import Measure
from stillwatch.respond.policy import as_toml
from stillwatch.respond.schema import CITED, METADATA
from stillwatch.respond.standing import Standing
from stillwatch.respond.state import Cited, State


def adopt(state, **parts):
    with state.changing("jane", AT - DAY) as change:
        return change.adopt(as_toml(policy(**parts)), "a test")


def look(state, account, key=None, address=None, at=AT):
    decision = Standing.load(state, at).look_up(account, key, address, at)
    return None if decision is None else decision.measure.text


def of(state, account):
    return next(d for d in state.standing(AT)[1] if d.subject == account)


def test_migrations_from_empty_make_what_the_code_speaks_of(state):
    with state.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "schema_version"})
        assert compare_metadata(context, METADATA) == []
        assert set(METADATA.tables) < set(inspect(connection).get_table_names())


def test_opening_again_changes_nothing(state, place, tmp_path):
    head = state.head()
    key = None if place.startswith("/") else tmp_path / "audit.key"
    with closing(State.open(place, key)) as again:
        assert again.head() == head
        assert again.policy() == state.policy()


def test_the_first_policy_is_the_defaults_and_the_last_one_is_in_force(state):
    number, first = state.policy()
    assert (number, first.dry_run) == (1, True)
    assert adopt(state) == 2
    assert state.policy()[0] == 2
    assert not state.policy()[1].dry_run


def test_what_people_said_is_counted(state):
    assert state.said() == (1, 0)
    adopt(state)
    assert state.said() == (2, 0)
    answers.give_verdict(state, found(*suspects("C-1", "a")), "C-1", "dismissed", who="jane", why="x", at=AT)
    answers.give_verdict(state, None, "C-1", "confirmed", who="jane", why="x", at=AT)
    assert state.said() == (2, 2) == (state.policy()[0], state.verdicts().num_rows)


def test_a_cycle_is_applied_once(state):
    adopt(state)
    one = found(*suspects("C-1", "a", "b"))
    first = run_cycle(state, one, AT)
    assert (len(first.plan.decisions), first.again, first.policy) == (2, False, 2)
    head = state.head()
    assert run_cycle(state, one, AT).again
    assert state.head() == head
    assert run_cycle(state, one, AT + HOUR).plan.decisions == ()


def test_a_dry_run_ends_at_once_what_was_enforced(state):
    adopt(state)
    run_cycle(state, found(*suspects("C-1", "a", "b")), AT)
    version = state.version()
    with state.changing("ana", AT + HOUR) as change:
        change.adopt("dry_run = true\n", "too much at once")
    changes = state.changes(version, AT + HOUR)
    assert len(changes.ended) == 2
    assert {kept.ended_why for kept in state.history()} == {"the policy is a dry run again"}
    assert state.verify()[1] is None
    adopt(state)
    run_cycle(state, found(*suspects("C-1", "a", "b"), digest="2"), AT + 2 * HOUR)
    version = state.version()
    adopt(state)  # another that is enforced leaves what stands
    assert state.version() == version


def test_what_the_evidence_said_is_kept_with_a_decision(state):
    ids = {"evidence": {"C-1": ("C-1:card", "C-1:none")}}
    run_cycle(state, found(*suspects("C-1", "a"), statements={"C-1:card": ("3 share a card", 5.1)}, **ids), AT)
    later = {"C-1:card": ("9 share a card", 9.0), "C-1:other": ("not named", 1.0)}
    more = found(*suspects("C-1", "a", "b"), statements=later, digest="2", **ids)
    run_cycle(state, more, AT + HOUR)
    said = {kept.decision.subject: state.cited(kept.decision) for kept in state.history()}
    assert said == {
        "a": [Cited("C-1:card", "3 share a card", 5.1)], "b": [Cited("C-1:card", "9 share a card", 9.0)]
    }  # fmt: skip
    assert state.verify()[1] is None
    with state.engine.begin() as connection:
        connection.execute(update(CITED).values(statement="nothing"))
    assert "cited" in state.verify()[1].what


def test_whether_the_last_cycle_followed_a_policy(state):
    assert state.followed(1)
    run_cycle(state, found(*suspects("C-1", "a")), AT)
    assert state.followed(1)
    with state.changing("ana") as change:
        assert change.adopt("dry_run = false\n", "tried") == 2
    assert not state.followed(2)
    run_cycle(state, found(*suspects("C-1", "a")), AT + HOUR)
    assert state.followed(2)


def test_what_is_read_is_what_was_decided(state):
    adopt(state, addresses={"least_accounts": 1})
    one = found(
        *suspects("C-1", "a", p=0.995, evidence=("e1", "e2")),
        *suspects("C-1", "b", p=0.7),
        *suspects("C-1", "c", p=0.9),
        *suspects("C-1", "v", victim=True, keys=("k",)),
        addresses={"203.0.113.1": frozenset({"a"})},
    )
    planned = {d for d, _ in run_cycle(state, one, AT).plan.decisions}
    version, standing = state.standing(AT)
    assert set(standing) == planned
    assert {look(state, a) for a in ("a", "b", "c")} == {"block", "throttle", "step_up"}
    assert (look(state, "v", "k"), look(state, "v", "other"), look(state, None, None, "203.0.113.1")) == (
        "block",
        None,
        "block",
    )
    assert version == state.version()
    assert [i["value"] for i in state.indicators(AT)] == ["203.0.113.1"]


def test_a_snapshot_is_loaded_anew_only_when_something_changed(state):
    adopt(state)
    standing = Standing.load(state, AT)
    assert standing.newer(state) is standing
    with state.changing("jane") as change:
        change.looked("C-1", "p")
    assert standing.newer(state) is standing
    run_cycle(state, found(*suspects("C-1", "a")), AT)
    assert standing.newer(state) is not standing


def same(one, other):
    """Whether two snapshots answer alike: the real ones and the dry runs, by what they are looked up by."""
    tables = ("version", "_by_id", "_accounts", "_keys", "_addresses")
    assert [getattr(one, t) for t in tables] == [getattr(other, t) for t in tables]
    assert (list(one), len(one), one.in_order(dry_run=True)) == (list(other), len(other), other.in_order(dry_run=True))
    assert {m: n for m, n in one.measures.items() if n} == {m: n for m, n in other.measures.items() if n}


def test_what_changed_makes_of_a_snapshot_what_a_new_load_gives(state, monkeypatch):
    adopt(state, addresses={"least_accounts": 1})
    snapshot, at = Standing.load(state, AT), AT
    loaded = Standing.load
    monkeypatch.setattr(Standing, "load", None)  # what changed is enough
    on = {"addresses": {"203.0.113.1": frozenset({"a"})}}
    steps = [
        lambda: run_cycle(state, found(*suspects("C-1", "a", "b", p=0.995), digest="1", **on), at),
        lambda: run_cycle(
            state, found(*suspects("C-1", "b", "c"), *suspects("C-1", "v", victim=True, keys=("k", "l"))), at
        ),
        lambda: run_cycle(state, found(*suspects("C-1", "c"), digest="3", cleared=frozenset({"b"})), at),
        lambda: (
            adopt(state, dry_run=True) and run_cycle(state, found(*suspects("C-1", "c", "d", p=0.7), digest="4"), at)
        ),
        lambda: run_cycle(state, found(*suspects("C-2", "e"), digest="5"), at),
    ]
    for hours, step in zip((0, 1, 2, 3, 24 * 9), steps, strict=True):  # by the last, what held a week is over
        at = AT + hours * HOUR
        step()
        newer = snapshot.newer(state, at)
        assert newer is not snapshot
        same(newer, loaded(state, at))
        snapshot = newer
    assert {d.subject for d in snapshot.in_order(dry_run=True)} == {"e"}


def test_a_snapshot_of_another_database_or_of_a_later_time_is_loaded_whole(state):
    adopt(state)
    run_cycle(state, found(*suspects("C-1", "a")), AT)
    ahead = Standing(state.version() + 5, (), AT)
    assert [d.subject for d in ahead.newer(state, AT)] == ["a"]
    later = Standing.load(state, AT + 30 * DAY)
    run_cycle(state, found(*suspects("C-1", "a", "b"), digest="2"), AT + HOUR)
    same(later.newer(state, AT + HOUR), Standing.load(state, AT + HOUR))


def test_changes_since_a_version(state):
    adopt(state)
    start = state.version()
    run_cycle(state, found(*suspects("C-1", "a", "b")), AT)
    first = state.changes(start, AT)
    assert ({d.subject for d in first.new}, first.ended) == ({"a", "b"}, ())
    one = of(state, "a")
    with state.changing("jane", AT) as change:
        change.end(one.decision_id, "a mistake")
    second = state.changes(first.version, AT)
    assert (second.new, [d.subject for d in second.ended]) == ((), ["a"])
    assert state.changes(second.version, AT).ended == ()
    # Who asks from the start never heard of what is over already.
    whole = state.changes(start, AT)
    assert ({d.subject for d in whole.new}, whole.ended) == ({"b"}, ())
    assert state.decision(one.decision_id).ended_why == "a mistake"


def test_dry_runs_are_recorded_and_not_in_the_changes(state):
    adopt(state, dry_run=True)
    run_cycle(state, found(*suspects("C-1", "a")), AT)
    assert state.changes(0, AT).new == ()
    assert look(state, "a") is None
    assert [d.measure for d in Standing.load(state, AT).in_order(dry_run=True) if d.subject == "a"] == [Measure.STEP_UP]


def test_what_fails_half_way_is_not_there(state):
    head, version = state.head(), state.version()
    with pytest.raises(RuntimeError), state.changing("jane", AT) as change:
        change.adopt(as_toml(policy()), "never")
        raise RuntimeError
    assert (state.head(), state.version(), state.policy()[0]) == (head, version, 1)


def test_an_appeal_opens_a_case_and_softens(state):
    adopt(state)
    run_cycle(state, found(*suspects("C-1", "a", "b", p=0.995)), AT)
    heard = answers.appeal(state, of(state, "a").decision_id, "we are a\nuniversity", who="a", at=AT + HOUR)
    assert heard.stands.measure is Measure.STEP_UP
    assert heard.stands.reason.startswith("Your appeal was received")
    assert heard.stands.expires == AT + 14 * DAY
    assert look(state, "a", at=AT + HOUR) == "step_up"
    [case] = [c for c in state.cases() if c.kind == "appeal"]
    assert (case.case_id, case.subject, case.decision_id) == (heard.case_id, "a", state.appeals()[0].decision_id)
    # No cycle hardens it while a person has not looked at it, and none closes the case.
    for n in range(1, 5):
        run_cycle(state, found(*suspects("C-1", "a", "b", p=0.995), digest=f"{n}"), AT + n * 7 * DAY)
        assert look(state, "a", at=AT + n * 7 * DAY) == "step_up"
    assert heard.case_id in [c.case_id for c in state.cases()]


def test_a_granted_appeal_frees_the_account_for_good(state):
    adopt(state)
    one = found(*suspects("C-1", "a", "b", p=0.995))
    run_cycle(state, one, AT)
    heard = answers.appeal(state, of(state, "a").decision_id, "no", who="a", at=AT)
    answers.close_case(state, heard.case_id, "granted", who="jane", why="they showed their course", at=AT + HOUR)
    assert look(state, "a", at=AT + HOUR) is None
    run_cycle(state, one, AT + 2 * HOUR)
    assert (look(state, "a", at=AT + 2 * HOUR), look(state, "b", at=AT + 2 * HOUR)) == (None, "block")
    [row] = state.verdicts().to_pylist()
    assert (row["subject_kind"], row["subject"], row["verdict"], row["who"]) == ("account", "a", "dismissed", "jane")


def test_a_rejected_appeal_leaves_it_to_the_next_cycle(state):
    adopt(state)
    one = found(*suspects("C-1", "a", p=0.995))
    run_cycle(state, one, AT)
    heard = answers.appeal(state, of(state, "a").decision_id, "no", who="a", at=AT)
    answers.close_case(state, heard.case_id, "rejected", who="jane", why="it is a pool", at=AT)
    run_cycle(state, one, AT + HOUR)
    assert look(state, "a", at=AT + HOUR) == "block"


def test_a_rejected_appeal_softens_nothing_for_as_long_as_a_question_is_not_asked_again(state):
    adopt(state)
    one = found(*suspects("C-1", "a", "b", p=0.995), *suspects("C-2", "c", p=0.995))
    run_cycle(state, one, AT)
    heard = answers.appeal(state, of(state, "a").decision_id, "no", who="a", at=AT)
    answers.close_case(state, heard.case_id, "rejected", who="jane", why="it is a pool", at=AT)

    def appeals_again(account, at):
        run_cycle(state, replace(one, digest=f"{at}"), at)
        stands = next(d for d in state.standing(at)[1] if d.subject == account)
        again = answers.appeal(state, stands.decision_id, "no", who=account, at=at)
        assert state.case(again.case_id).closed is None  # a person reads it all the same
        return again.stands.measure

    assert appeals_again("a", AT + HOUR) is Measure.BLOCK
    run_cycle(state, replace(one, digest="2"), AT + 2 * HOUR)
    assert look(state, "a", at=AT + 2 * HOUR) == "block"
    assert appeals_again("c", AT + 2 * HOUR) is Measure.STEP_UP  # another account
    assert appeals_again("a", AT + 31 * DAY) is Measure.STEP_UP


def test_a_pool_that_appeals_as_one_is_not_softened_as_one(state):
    adopt(state)
    names = [f"a{n}" for n in range(20)]
    run_cycle(state, found(*suspects("C-1", *names, p=0.995)), AT)
    for name in names:
        answers.appeal(state, of(state, name).decision_id, "no", who=name, at=AT)
    assert sum(look(state, name) == "step_up" for name in names) == 2  # a tenth
    assert len([c for c in state.cases() if c.kind == "appeal"]) == 20


def test_an_appeal_for_a_stopped_key_opens_a_case_and_leaves_it_stopped(state):
    adopt(state)
    run_cycle(state, found(*suspects("C-1", "v", victim=True, keys=("k",))), AT)
    heard = answers.appeal(state, of(state, "k").decision_id, "it was me", who="v", at=AT)
    assert look(state, "v", "k") == "block"
    answers.close_case(state, heard.case_id, "granted", who="jane", why="it was", at=AT)
    assert look(state, "v", "k") is None


def test_what_cannot_be_appealed_against(state):
    adopt(state)
    run_cycle(state, found(*suspects("C-1", "a", p=0.7)), AT)
    decision = of(state, "a").decision_id
    for wrong, at in (("D-none", AT), (decision, AT + 7 * DAY)):
        with pytest.raises(InputError, match="no decision that stands"):
            answers.appeal(state, wrong, "no", who="a", at=at)
    with pytest.raises(InputError, match="text: empty"):
        answers.appeal(state, decision, " \n", who="a", at=AT)
    heard = answers.appeal(state, decision, "no", who="a", at=AT)
    again = answers.appeal(state, heard.stands.decision_id, "no!", who="a", at=AT)
    assert again.stands.measure is Measure.WITHHOLD_REASONING  # no further down by a second one
    with pytest.raises(InputError, match="appealed already"):
        answers.appeal(state, heard.stands.decision_id, "no!", who="a", at=AT)


def test_only_people_close_cases_and_give_verdicts(state):
    adopt(state)
    one = found(*suspects("C-1", "a"))
    run_cycle(state, one, AT)
    [case] = state.cases()
    with pytest.raises(InputError, match="only a person may close a case"):
        answers.close_case(state, case.case_id, "seen", who=MACHINE, why="x", at=AT)
    with pytest.raises(InputError, match="only a person may give a verdict"):
        answers.give_verdict(state, one, "C-1", "dismissed", who=MACHINE, why="x", at=AT)
    with pytest.raises(InputError, match="closed with seen"):
        answers.close_case(state, case.case_id, "granted", who="jane", why="x", at=AT)
    with pytest.raises(InputError, match="why: empty"):
        answers.close_case(state, case.case_id, "seen", who="jane", why="", at=AT)
    answers.close_case(state, case.case_id, "seen", who="jane", why="looked", at=AT)
    with pytest.raises(InputError, match="closed already, by jane"):
        answers.close_case(state, case.case_id, "seen", who="joe", why="looked", at=AT)
    with pytest.raises(InputError, match="no such case"):
        answers.close_case(state, "K-0", "seen", who="jane", why="x", at=AT)


def test_a_contracted_customers_case_is_answered_with_the_measure(state):
    adopt(state)
    one = found(*suspects("C-1", "big", p=0.995), customers=contracted("big"))
    run_cycle(state, one, AT)
    assert look(state, "big") is None
    [case] = [c for c in state.cases() if c.kind == "contracted"]
    answers.close_case(state, case.case_id, "throttle", who="jane", why="agreed by telephone", at=AT)
    assert look(state, "big") == "throttle"
    assert of(state, "big").reason.endswith("A person decided this.")
    run_cycle(state, one, AT + HOUR)
    assert look(state, "big", at=AT + HOUR) == "throttle"
    assert [c for c in state.cases() if c.kind == "contracted"] == []


def test_a_campaign_let_through_the_cap_by_a_person(state):
    with state.changing("jane", AT - DAY) as change:
        change.adopt("dry_run = false\n[caps]\naccounts_an_hour = 1", "tight")
    one = found(*suspects("C-1", "a", "b"))
    assert run_cycle(state, one, AT).plan.decisions == ()
    [case] = [c for c in state.cases() if c.kind == "over_cap"]
    answers.close_case(state, case.case_id, "act", who="jane", why="seen", at=AT)
    assert len(run_cycle(state, one, AT + HOUR).plan.decisions) == 2


def test_the_hours_cap_is_counted_over_cycles(state):
    with state.changing("jane", AT - DAY) as change:
        change.adopt("dry_run = false\n[caps]\naccounts_an_hour = 3\nshare_of_accounts = 1.0", "tight")
    minute = timedelta(minutes=1)
    assert len(run_cycle(state, found(*suspects("C-1", "a", "b")), AT).plan.decisions) == 2
    two = found(*suspects("C-1", "a", "b"), *suspects("C-2", "c", "d"), digest="2")
    assert run_cycle(state, two, AT + minute).plan.decisions == ()
    assert run_cycle(state, two, AT + 59 * minute).plan.decisions == ()
    assert len(run_cycle(state, two, AT + 60 * minute).plan.decisions) == 2


def test_a_dismissal_lifts_at_once_and_outlives_the_scan(state):
    adopt(state)
    one = found(*suspects("C-1", "a", "b"), *suspects("C-2", "c"))
    run_cycle(state, one, AT)
    answers.give_verdict(state, one, "C-1", "explained", rival="evaluation", who="jane", why="a lab", at=AT)
    assert (look(state, "a"), look(state, "b"), look(state, "c")) == (None, None, "step_up")
    run_cycle(state, found(*suspects("C-9", "a", "b", "x")), AT + HOUR)
    assert look(state, "a", at=AT + HOUR) is None
    [row] = state.verdicts().to_pylist()
    assert (row["rival"], row["accounts"], row["probability"]) == ("evaluation", ["a", "b"], 0.95)


def test_a_second_dismissal_keeps_what_the_evidence_said_at_first(state):
    one = found(*suspects("C-1", "a", "b"), p=0.97)
    answers.give_verdict(state, one, "C-1", "dismissed", who="jane", why="x", at=AT)
    told = found(*suspects("C-1", "a", "b"), p=0.6)
    answers.give_verdict(state, told, "C-1", "dismissed", who="jane", why="still", at=AT + HOUR)
    assert [r["probability"] for r in state.verdicts().to_pylist()] == [0.97, 0.97]


def test_a_verdict_can_be_taken_back_though_the_findings_do_not_name_it_any_more(state):
    adopt(state)
    one = found(*suspects("C-1", "a", "b"))
    answers.give_verdict(state, one, "C-1", "dismissed", who="jane", why="x", at=AT)
    answers.give_verdict(state, None, "C-1", "confirmed", who="joe", why="it was one", at=AT + HOUR)
    assert state.verdicts().to_pylist()[-1]["accounts"] == ["a", "b"]
    run_cycle(state, one, AT + DAY)
    assert look(state, "a", at=AT + DAY) == "step_up"


@pytest.mark.parametrize(
    ("subject", "said", "rival", "fault"),
    [
        ("C-1", "guilty", None, "no verdict"),
        ("C-1", "explained", None, "takes the rival"),
        ("C-1", "dismissed", "evaluation", "takes the rival"),
        ("C-1", "explained", "aliens", "no rival"),
        ("nobody", "dismissed", None, "neither a campaign nor an account"),
    ],
)
def test_verdicts_that_make_no_sense(state, subject, said, rival, fault):
    with pytest.raises(InputError, match=fault):
        answers.give_verdict(
            state, found(*suspects("C-1", "a")), subject, said, rival=rival, who="jane", why="x", at=AT
        )


def test_cycles_at_the_same_time_follow_one_another(place, tmp_path, state):
    """Four writers with connections of their own: every decision once, the cap kept, one chain."""
    with state.changing("jane", AT - DAY) as change:
        change.adopt("dry_run = false\n[caps]\naccounts_an_hour = 10\nshare_of_accounts = 1.0", "tight")
    key = None if place.startswith("/") else tmp_path / "audit.key"
    made, faults = [], []

    def work(n):
        try:
            with closing(State.open(place, key)) as own:
                for i in range(3):
                    one = found(*suspects(f"C-{n}-{i}", *(f"a{n}-{i}-{m}" for m in range(3))), digest=f"{n} {i}")
                    made.append(len(run_cycle(own, one, AT).plan.decisions))
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(made) == [0] * 9 + [3] * 3
    assert len(list(state.standing(AT)[1])) == 9
    entries, fault = state.verify()
    assert fault is None
    assert [e.no for e in state.entries()] == list(range(1, entries + 1))


def test_a_url_that_is_none_of_ours(tmp_path):
    with pytest.raises(InputError, match="SQLite"):
        State.open("mysql://somewhere/x")
    with pytest.raises(InputError, match="no folder"):
        State.open(tmp_path / "nowhere" / "state.db")


def test_a_password_is_never_told():
    with pytest.raises(EnvironmentFailure) as raised:
        State.open("postgresql://user:secret@127.0.0.1:1/none")
    assert "secret" not in str(raised.value)
    assert "127.0.0.1" in str(raised.value)


def test_a_database_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(EnvironmentFailure, match="no answer from the state's database"):
            State.open(f"postgresql://user:secret@127.0.0.1:{silent.getsockname()[1]}/none")
    assert time.monotonic() - began < 5


def test_a_connection_that_fell_silent_is_given_up(postgresql, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 1)
    with closing(State.open(fresh(postgresql), sealing(tmp_path))) as state:
        for way in (database.reading, database.writing):
            began = time.monotonic()
            with pytest.raises(EnvironmentFailure, match="no answer"), way(state.engine) as connection:
                connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": 60})
            assert time.monotonic() - began < 5
            assert state.said() == (1, 0)
        with state.changing("jane") as change:
            change.looked("C-1", "p")
        assert state.verify() == (2, None)
