"""What people say, and what follows from it: verdicts, appeals and the answers to cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, select

from stillwatch.campaigns.verdicts import Verdict, overlap, rival_of, verdicts_of
from stillwatch.errors import InputError
from stillwatch.respond import reasons
from stillwatch.respond.changes import Change
from stillwatch.respond.cycle import held
from stillwatch.respond.decide import made, milder, touched
from stillwatch.respond.decision import Decision, Measure, decision_of
from stillwatch.respond.found import Found
from stillwatch.respond.policy import Policy
from stillwatch.respond.schema import APPEALS, CASES, DECISIONS
from stillwatch.respond.state import State, policy_in_force, standing, verdicts

SAID = ("confirmed", "dismissed", "explained")


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of an appeal so far. stands: the decision that stands while it is open, None where none does."""

    appeal_id: str
    case_id: str
    stands: Decision | None


def appeal(state: State, decision_id: str, text: str, *, who: str, at: datetime) -> Heard:
    """Hear a customer's appeal against a decision that stands: a case for a person, and a milder measure until then.

    who: by whom it came in, for the audit. What is softened, and for how many of a campaign's accounts, the policy
    says. Raises InputError where the decision does not stand or was appealed already.
    """
    with state.changing(who, at) as change:
        connection = change.connection
        row = connection.execute(select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)).first()
        if row is None or row.ended is not None or row.expires <= at:
            raise InputError(f"{decision_id}: no decision that stands, so there is nothing to appeal against")
        if _appealed(connection, decision_id):
            raise InputError(f"{decision_id}: appealed already; a person will look at it")
        decision = decision_of(row)
        _, policy = policy_in_force(connection)
        holds = _softened(connection, policy, decision, at)
        appeal_id, case_id = change.appeal(decision, touched(decision), text, holds)
        if holds is None or holds is decision.measure:
            return Heard(appeal_id, case_id, decision)
        change.end(decision_id, f"softened while {appeal_id} is open")
        if holds is Measure.OBSERVE:
            return Heard(appeal_id, case_id, None)
        softer = milder(policy, decision, holds, at)
        change.decide([(softer, False)])
        return Heard(appeal_id, case_id, softer)


def _appealed(connection: Connection, decision_id: str) -> bool:
    """Whether there was an appeal against it; what stands by an open appeal is appealed against with it."""
    there = select(APPEALS.c.appeal_id).where(APPEALS.c.decision_id == decision_id)
    return connection.execute(there).first() is not None


def _softened(connection: Connection, policy: Policy, decision: Decision, at: datetime) -> Measure | None:
    """What stands while the appeal is open; None where it changes nothing.

    A stopped key stays so, since its thief could appeal as well, and its holder can make a new one; so does an address.
    So does the measure on an account whose appeal a person rejected lately: each cycle makes a new decision to appeal
    against, and would be softened for ever.
    """
    if decision.subject_kind != "account" or _rejected(connection, policy, decision.subject, at):
        return None
    softer = policy.appeals.of(decision.measure)
    already = held(connection)
    if decision.subject in already:
        return min(decision.measure, already[decision.subject])
    of_campaign = {
        d.subject
        for d in standing(connection, at)
        if d.campaign_id == decision.campaign_id and d.subject_kind == "account" and d.dry_run == decision.dry_run
    }
    # Those whose measure an appeal lifted altogether do not stand any more, and count all the same.
    of_campaign |= already.keys() & _ever(connection, decision.campaign_id)
    room = max(1, int(policy.appeals.share_of_campaign * len(of_campaign)))
    return softer if len(of_campaign & already.keys()) < room else None


def _rejected(connection: Connection, policy: Policy, account: str, at: datetime) -> bool:
    lately = (
        select(APPEALS.c.appeal_id)
        .join(CASES, CASES.c.case_id == APPEALS.c.case_id)
        .where(
            APPEALS.c.account == account,
            APPEALS.c.outcome == "rejected",
            CASES.c.subject_kind == "account",
            CASES.c.closed > at - timedelta(days=policy.persons.ask_again_days),
        )
    )
    return connection.execute(lately).first() is not None


def _ever(connection: Connection, campaign: str) -> set[str]:
    of = select(DECISIONS.c.subject).where(DECISIONS.c.campaign_id == campaign, DECISIONS.c.subject_kind == "account")
    return {str(row.subject) for row in connection.execute(of)}


def close_case(state: State, case_id: str, outcome: str, *, who: str, why: str, at: datetime) -> None:
    """Answer a case, in a person's name, and do what follows from the answer.

    An appeal that is granted ends what stands against the account, and is a verdict: the account takes no part. One
    that is rejected leaves it to the next cycle. A contracted customer's case is closed with the measure to be taken.
    """
    with state.changing(who, at) as change:
        change.close_case(case_id, outcome, why)
        row = change.connection.execute(select(CASES).where(CASES.c.case_id == case_id)).one()
        match row.kind:
            case "appeal":
                change.appeal_answered(case_id, outcome)
                if outcome == "granted":
                    _granted(change, row.decision_id, why)
            case "contracted":
                _ordered(change, row.subject, row.campaign_id, Measure.of(outcome), why)


def _granted(change: Change, decision_id: str, why: str) -> None:
    row = change.connection.execute(select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)).one()
    decision = decision_of(row)
    account = touched(decision)
    if decision.subject_kind == "account":
        change.verdict(
            "account", decision.subject, "dismissed", why=f"appeal granted: {why}", accounts=[decision.subject]
        )
    for other in standing(change.connection, change.at):
        same = other.subject_kind == decision.subject_kind and other.subject == decision.subject
        if same and touched(other) == account:
            change.end(other.decision_id, "an appeal was granted")


def _ordered(change: Change, account: str, campaign: str, measure: Measure, why: str) -> None:
    """The measure that a person takes on a customer on whom only people decide."""
    for other in standing(change.connection, change.at):
        if other.subject_kind == "account" and other.subject == account:
            change.end(other.decision_id, f"a person decided: {why}")
    if measure is Measure.OBSERVE:
        return
    _, policy = policy_in_force(change.connection)
    decision = made(
        policy,
        change.at,
        kind="account",
        subject=account,
        account=None,
        measure=measure,
        campaign=campaign,
        probability=1.0,
        evidence=(),
        salt=f"{change.who} {why}",
    )
    change.decide([(replace(decision, reason=reasons.by_person(decision.reason)), False)])


def give_verdict(
    state: State,
    found: Found | None,
    subject: str,
    verdict: str,
    *,
    who: str,
    why: str,
    at: datetime,
    rival: str | None = None,
) -> str:
    """Say of a campaign or an account of these findings what it is; the verdict's id.

    A campaign that findings do not name any more, since it was dismissed, is known by its earlier verdict. A dismissal
    ends at once what stands against the campaign or the account. Raises InputError where nothing is known of the
    subject, or where `explained` names no rival.
    """
    if verdict not in SAID:
        raise InputError(f"{verdict!r} is no verdict; they are {', '.join(SAID)}")
    if (verdict == "explained") != (rival is not None):
        raise InputError("explained takes the rival that explains it, and no other verdict does")
    if rival is not None and rival_of(rival) is None:
        raise InputError(f"{rival!r} is no rival; they are in the reference of evidence")
    with state.changing(who, at) as change:
        earlier = verdicts_of(verdicts(change.connection))
        of = _known(found, subject, earlier)
        verdict_id = change.verdict(
            of.kind,
            subject,
            verdict,
            why=why,
            rival=rival,
            accounts=sorted(of.accounts),
            probability=max([of.probability, *(v.probability for v in earlier if _same(v, of) and v.against)]),
        )
        if verdict != "confirmed":
            for decision in standing(change.connection, at):
                if subject == (decision.campaign_id if of.kind == "campaign" else touched(decision)):
                    change.end(decision.decision_id, f"an analyst {verdict} it ({verdict_id})")
        return verdict_id


@dataclass(frozen=True, slots=True)
class _Known:
    """What a verdict is of. probability: as the findings state it, which may have been told of earlier verdicts."""

    kind: Literal["campaign", "account"]
    accounts: frozenset[str]
    probability: float


def _known(found: Found | None, subject: str, earlier: list[Verdict]) -> _Known:
    if found is not None and subject in found.campaigns:
        return _Known("campaign", found.members(subject), found.campaigns[subject])
    parts = [s.probability for s in found.suspects if s.account == subject and not s.victim] if found else []
    if parts:
        return _Known("account", frozenset((subject,)), max(parts))
    for said in reversed(earlier):
        if said.subject == subject:
            return _Known(said.subject_kind, said.accounts, said.probability)
    raise InputError(f"{subject}: neither a campaign nor an account that takes part in one, by these findings")


def _same(said: Verdict, of: _Known) -> bool:
    return said.subject_kind == of.kind and overlap(said.accounts, of.accounts) is not None
