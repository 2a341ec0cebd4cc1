"""One cycle: findings and policy against what stands, applied whole and once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, distinct, func, or_, select

from stillwatch.campaigns.verdicts import verdicts_of
from stillwatch.respond.addresses import addresses_of
from stillwatch.respond.changes import MACHINE, Change
from stillwatch.respond.decide import Before, Plan, decide
from stillwatch.respond.decision import Measure
from stillwatch.respond.found import Found, read_found
from stillwatch.respond.policy import Policy
from stillwatch.respond.schema import APPEALS, CASES, CYCLES, DECISIONS
from stillwatch.respond.state import State, policy_in_force, standing, verdicts
from stillwatch.settings import Settings
from stillwatch.sources import Rejects, read_accounts

AN_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a cycle did. again: it had been applied before, and nothing was done."""

    cycle_id: str
    policy: int
    plan: Plan
    again: bool = False


def run_cycle(state: State, found: Found, at: datetime) -> Applied:
    """Decide about findings and let it stand, by the policy in force.

    at: now; with the findings it names the cycle, so that one which was cut off and is tried again is applied once.
    """
    cycle_id = hashlib.sha256(f"{found.digest} {at.isoformat()}".encode()).hexdigest()
    with state.changing(MACHINE, at) as change:
        number, policy = policy_in_force(change.connection)
        known = select(CYCLES.c.cycle_id).where(CYCLES.c.cycle_id == cycle_id)
        if change.connection.execute(known).first() is not None:
            return Applied(cycle_id, number, Plan(), again=True)
        plan = decide(policy, found, before(change.connection, policy, at), at, cycle_id)
        _apply(change, plan)
        named = {evidence_id for decision, _ in plan.decisions for evidence_id in decision.evidence}
        change.cite(cycle_id, {name: said for name, said in found.statements.items() if name in named})
        counts = {"decisions": len(plan.decisions), "ended": len(plan.ended), "cases": len(plan.cases)}
        change.cycle(cycle_id, found.as_of, number, counts, plan.notes)
        return Applied(cycle_id, number, plan)


def act_on(
    state: State,
    folder: Path,
    at: datetime,
    settings: Settings,
    *,
    accounts: Path | None,
    store: Path | None,
    of_accounts: int | None = None,
    read_at: datetime | None = None,
) -> Applied:
    """Read a scan's result folder and decide about it: what follows every judgement, live or by hand.

    at: now. accounts: the accounts file that the scan was given, which says who has a contract. store: the scan's
    store, which says who was seen on which address; without it no address gets a measure. of_accounts: how many
    accounts there are, where only the newest exchanges were judged: then measures may be put on accounts, but none is
    ended or softened. read_at: when the traffic was read, where decisions may have been made since: those are not ended
    or softened either. Raises InputError where one of the files is not what it should be.
    """
    unread = Rejects(None)
    customers = read_accounts(accounts, unread) if accounts is not None else None
    found = replace(read_found(folder, customers), read_at=read_at, unread=unread.count)
    _, policy = state.policy()
    if of_accounts is not None:
        found = replace(found, whole=False, accounts=max(of_accounts, found.accounts))
    elif store is not None and policy.addresses.act:
        suspects = [s.account for s in found.suspects]
        seen = addresses_of(store, suspects, at, policy.addresses.seen_days, settings) if suspects else {}
        found = replace(found, addresses=seen)
    return run_cycle(state, found, at)


def before(connection: Connection, policy: Policy, at: datetime) -> Before:
    """What a cycle needs to know of the state."""
    stands = standing(connection, at)
    ids = [d.decision_id for d in stands]
    return Before(
        standing=stands,
        newly_last_hour=_newly(connection, policy, at),
        held=held(connection),
        verdicts=tuple(verdicts_of(verdicts(connection))),
        asked=_asked(connection, at - timedelta(days=policy.persons.ask_again_days)),
        approved=_approved(connection, at - timedelta(days=policy.persons.ask_again_days)),
        ordered=_ordered(connection) & frozenset(ids),
    )


def _newly(connection: Connection, policy: Policy, at: datetime) -> int:
    account = func.coalesce(DECISIONS.c.account, DECISIONS.c.subject)
    lately = select(func.count(distinct(account))).where(
        DECISIONS.c.created > at - AN_HOUR,
        DECISIONS.c.newly.is_(True),
        DECISIONS.c.who == MACHINE,
        DECISIONS.c.dry_run.is_(policy.dry_run),
    )
    return int(connection.execute(lately).scalar_one())


def held(connection: Connection) -> dict[str, Measure]:
    """For every account with an open appeal, the most that may stand against it."""
    open_ = select(APPEALS.c.account, APPEALS.c.holds).where(
        APPEALS.c.outcome.is_(None), APPEALS.c.account.is_not(None), APPEALS.c.holds.is_not(None)
    )
    most: dict[str, Measure] = {}
    for row in connection.execute(open_):
        measure = Measure.of(row.holds)
        most[row.account] = min(measure, most.get(row.account, measure))
    return most


def _asked(connection: Connection, since: datetime) -> frozenset[tuple[str, str]]:
    lately = select(CASES.c.kind, CASES.c.subject).where(or_(CASES.c.closed.is_(None), CASES.c.closed > since))
    return frozenset((row.kind, row.subject) for row in connection.execute(lately))


def _approved(connection: Connection, since: datetime) -> frozenset[str]:
    through = select(CASES.c.subject).where(
        CASES.c.kind == "over_cap", CASES.c.outcome == "act", CASES.c.closed > since
    )
    return frozenset(str(row.subject) for row in connection.execute(through))


def _ordered(connection: Connection) -> frozenset[str]:
    by_people = select(DECISIONS.c.decision_id).where(DECISIONS.c.who != MACHINE, DECISIONS.c.ended.is_(None))
    return frozenset(str(row.decision_id) for row in connection.execute(by_people))


def _apply(change: Change, plan: Plan) -> None:
    for decision_id, why in plan.ended:
        change.end(decision_id, why)
    change.decide(plan.decisions)
    for case in plan.cases:
        change.open_case(case)
    for decision, _ in plan.decisions:
        if decision.subject_kind == "address" and not decision.dry_run:
            change.indicate("address", decision.subject, decision.campaign_id, decision.expires)
