"""The audit: whatever is done to it is seen, and what is killed leaves it whole."""

import random
import threading
import time
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update
from tests.respond.audit_cycles import ACCOUNTS, cycle, rest, running
from tests.respond.conftest import sealing
from tests.respond.databases import fresh
from tests.respond.respond_examples import AT, DAY, HOUR, contracted, found, policy, suspects

from stillwatch.errors import InputError
from stillwatch.respond import answers
from stillwatch.respond.audit import Entry, Head, canonical, hash_of, key_at, seal_of
from stillwatch.respond.cycle import run_cycle
from stillwatch.respond.policy import as_toml
from stillwatch.respond.schema import APPEALS, AUDIT, CASES, CYCLES, DECISIONS, HEAD, POLICIES, VERDICTS
from stillwatch.respond.state import State

KILLS = 6


def fill(state):
    """One of everything that is recorded."""
    with state.changing("jane", AT) as change:
        change.adopt(as_toml(policy()), "enforce")
    one = found(*suspects("C-1", "a", "b"), *suspects("C-1", "big"), customers=contracted("big"))
    run_cycle(state, one, AT)
    decision = next(d for d in state.standing(AT)[1] if d.subject == "a")
    heard = answers.appeal(state, decision.decision_id, "we are honest", who="a", at=AT + HOUR)
    answers.close_case(state, heard.case_id, "rejected", who="jane", why="it is a pool", at=AT + HOUR)
    answers.give_verdict(state, one, "C-1", "dismissed", who="jane", why="a lab", at=AT + HOUR)
    with state.changing("jane", AT + HOUR) as change:
        change.looked("C-1", "passage")
        change.indicate("address", "203.0.113.1", "C-1", AT + DAY)
    return state


def tamper(state, statement):
    with state.engine.begin() as connection:
        connection.execute(statement)


def fault(state, expected=None):
    return state.verify(expected)[1]


def test_what_nobody_touched_is_whole(state):
    fill(state)
    entries, wrong = state.verify()
    assert (entries, wrong) == (state.head().entries, None)
    assert entries == len(state.entries()) > 10
    actions = {e.action for e in state.entries()}
    assert actions == {"policy", "decision", "case", "cycle", "appeal", "close", "end", "verdict", "look", "indicator"}


def test_a_customers_words_are_not_in_the_audit(state):
    fill(state)
    assert not any("we are honest" in e.body for e in state.entries())
    assert [a.text for a in state.appeals()] == ["we are honest"]


@pytest.mark.parametrize("column", ["time", "actor", "action", "subject", "body", "previous", "hash", "seal"])
def test_any_change_of_any_column_is_pointed_at(tmp_path, column):
    with closing(State.open(tmp_path / "state.db")) as state:
        fill(state)
        last = state.head().entries
        for no in range(1, last + 1):
            kept = getattr(state.entries(no - 1)[0], column)
            other = (
                kept + timedelta(microseconds=1) if column == "time" else f"{kept[:-1]}{'0' if kept[-1] != '0' else 1}"
            )
            tamper(state, update(AUDIT).where(AUDIT.c.no == no).values({column: other}))
            entries, wrong = state.verify()
            assert (entries, wrong.no) == (no - 1, no)
            tamper(state, update(AUDIT).where(AUDIT.c.no == no).values({column: kept}))
        assert fault(state) is None


def test_an_entry_taken_out_or_put_in_is_pointed_at(state):
    fill(state)
    rows = {e.no: e for e in state.entries()}
    for no in (1, 5, len(rows)):
        tamper(state, delete(AUDIT).where(AUDIT.c.no == no))
        assert fault(state).no == no
        tamper(state, insert(AUDIT).values(**{c.name: getattr(rows[no], c.name) for c in AUDIT.c}))
    extra = Entry(len(rows) + 1, AT, "mallory", "look", "C-1", "{}", rows[len(rows)].hash, "", None)
    tamper(state, insert(AUDIT).values(**{**{c.name: getattr(extra, c.name) for c in AUDIT.c}, "hash": hash_of(extra)}))
    assert (fault(state).no, "not sealed" in fault(state).what) == (len(rows) + 1, True)


def rewritten(state, no, key=None):
    """Change an entry and compute the whole chain anew, as who can write to the database could."""
    previous = None
    for entry in state.entries():
        body = canonical({"forged": True}) if entry.no == no else entry.body
        made = Entry(
            entry.no, entry.time, entry.actor, entry.action, entry.subject, body, previous or entry.previous, "", ""
        )
        previous = hash_of(made)
        seal = entry.seal if key is None else seal_of(key, previous)
        row = {"body": body, "previous": made.previous, "hash": previous, "seal": seal}
        tamper(state, update(AUDIT).where(AUDIT.c.no == entry.no).values(**row))
    tamper(state, update(HEAD).values(hash=previous))


def test_a_chain_computed_anew_is_seen_by_its_seals(state):
    fill(state)
    look = next(e.no for e in state.entries() if e.action == "look")
    rewritten(state, look)
    assert (fault(state).no, "not sealed" in fault(state).what) == (look, True)


def test_who_has_the_key_as_well_is_seen_by_a_head_kept_elsewhere(tmp_path):
    with closing(State.open(tmp_path / "state.db")) as state:
        fill(state)
        kept = Head.of(str(state.head()))
        look = next(e.no for e in state.entries() if e.action == "look")
        rewritten(state, look, key_at(tmp_path / "state.db.audit-key", make=False))
        assert fault(state) is None
        assert fault(state, kept).no == kept.entries


def test_an_end_cut_off_is_seen_by_a_head_kept_elsewhere(state):
    fill(state)
    kept, entries = state.head(), state.entries()
    cut = next(e for e in entries if e.action == "look")
    tamper(state, delete(AUDIT).where(AUDIT.c.no >= cut.no))
    assert fault(state).no == cut.no  # the database itself says that there were more
    tamper(state, update(HEAD).values(entries=cut.no - 1, hash=cut.previous))
    assert fault(state, kept).no == cut.no


@pytest.mark.parametrize(
    ("statement", "action"),
    [
        (update(DECISIONS).where(DECISIONS.c.subject == "b").values(measure="observe"), "decision"),
        (update(DECISIONS).where(DECISIONS.c.subject == "b").values(ended=None, ended_why=None), "end"),
        (update(DECISIONS).where(DECISIONS.c.subject == "b").values(expires=AT + 900 * DAY), "decision"),
        (delete(DECISIONS).where(DECISIONS.c.subject == "b"), "decision"),
        (update(CASES).where(CASES.c.kind == "contracted").values(outcome="block", closed=AT), None),
        (update(CASES).where(CASES.c.kind == "appeal").values(outcome="granted"), "close"),
        (update(VERDICTS).values(verdict="confirmed"), "verdict"),
        (update(APPEALS).values(text="something else"), "appeal"),
        (update(POLICIES).where(POLICIES.c.number == 2).values(text="dry_run = true"), "policy"),
    ],
)
def test_a_row_changed_behind_the_audits_back_is_pointed_at(state, statement, action):
    fill(state)
    tamper(state, statement)
    wrong = fault(state)
    told = {e.no: e.action for e in state.entries()}
    assert told.get(wrong.no) == action


def test_a_row_that_no_entry_tells_of(state):
    fill(state)
    with state.engine.connect() as connection:
        row = connection.execute(select(DECISIONS).limit(1)).one()._asdict()
    tamper(state, insert(DECISIONS).values(**{**row, "decision_id": "D-planted"}))
    assert fault(state).no == 0
    assert "D-planted is there, and no entry tells of it" in fault(state).what


def test_the_key_is_made_once_for_its_owner_alone(tmp_path):
    with closing(State.open(tmp_path / "state.db")) as state:
        assert state.sealed
    key = tmp_path / "state.db.audit-key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_state_is_not_opened_with_another_key_or_without(state, place, tmp_path):
    """What could be read, and not written to, would fail at the first decision."""
    key = tmp_path / ("state.db.audit-key" if place.startswith("/") else "audit.key")
    kept = key.read_bytes()
    key.write_bytes(b"x" * 32)
    with pytest.raises(InputError, match=f"{key}: the audit is sealed with another key"):
        State.open(place, key)
    key.unlink()
    with pytest.raises(InputError, match=f"{key}: not there, but the audit is sealed"):
        State.open(place, key)
    assert not key.exists()
    with pytest.raises(InputError, match="the audit is sealed"):
        State.open(place)
    key.write_bytes(kept)
    with closing(State.open(place, key)) as again:
        fill(again)
        assert fault(again) is None


def test_an_audit_begun_without_a_key_gets_none_later(tmp_path, postgresql):
    place = fresh(postgresql)
    with closing(State.open(place)) as state:
        fill(state)
        assert not state.sealed
    with closing(State.open(place, tmp_path / "never-made")) as state:
        assert not state.sealed
    with pytest.raises(InputError, match="begun without a key"):
        State.open(place, sealing(tmp_path))


def test_a_database_restored_under_an_open_state_is_not_added_to(state):
    tamper(state, update(HEAD).values(key_id="0" * 16))
    with pytest.raises(InputError, match="open the state anew"):
        fill(state)


@pytest.mark.parametrize("text", ["", "3", "x:" + "0" * 64, "3:" + "g" * 64, "3:00"])
def test_what_is_no_head(text):
    with pytest.raises(InputError, match="is no head"):
        Head.of(text)


def test_one_value_has_one_text():
    assert canonical({"b": 1, "a": ["é", None, 0.1]}) == '{"a":["\\u00e9",null,0.1],"b":1}'


def test_writers_at_once_make_one_chain(state, place, tmp_path):
    key = None if place.startswith("/") else tmp_path / "audit.key"

    def work(n):
        with closing(State.open(place, key)) as own:
            for i in range(15):
                with own.changing(f"writer {n}") as change:
                    change.looked(f"C-{n}", str(i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.verify() == (61, None)
    for n in range(4):
        assert [e.subject for e in state.entries() if e.actor == f"writer {n}"] == [f"C-{n}"] * 15


def test_killed_at_any_moment_the_chain_is_whole_and_each_cycle_applied_once(place, tmp_path):
    """kill -9 in the middle of cycles; what was said to be applied is, and what is tried again is applied once."""
    key = sealing(tmp_path)
    draw = random.Random(7)
    with closing(State.open(place, key)) as state, state.changing("jane", AT) as change:
        change.adopt(as_toml(policy()), "enforce")
    said = -1
    for _ in range(KILLS):
        with running(place, key, said + 1) as (worker, heard):
            began = time.monotonic()
            said = heard.recv()
            # Somewhere within the next cycle, which takes about as long as the one that was just applied.
            time.sleep(draw.uniform(0.0, time.monotonic() - began))
            worker.kill()
            said = max([said, *rest(heard)])
        with closing(State.open(place, key)) as state:
            assert fault(state) is None
            with state.engine.connect() as connection:
                cycles = connection.execute(select(func.count()).select_from(CYCLES)).scalar_one()
                decisions = connection.execute(select(func.count()).select_from(DECISIONS)).scalar_one()
            assert decisions == cycles * ACCOUNTS  # each whole
            # What was said, and perhaps one that was killed before it could say so.
            assert cycles in (said + 1, said + 2)
            # Tried again, what was applied is not applied a second time.
            assert [cycle(state, n) for n in range(max(0, said - 2), said + 1)] == [0] * min(3, said + 1)
    assert said >= KILLS - 1
