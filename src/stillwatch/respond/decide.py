"""Findings and policy in, decisions out: a pure function, so that it can be tried on paper.

    plan = decide(policy, found, before, at, cycle_id)

Nothing here depends on the order in which findings come.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from stillwatch.report.wording import percent
from stillwatch.respond import reasons
from stillwatch.respond.decision import Decision, Measure, SubjectKind
from stillwatch.respond.found import Customer, Found, Suspect
from stillwatch.respond.policy import Policy
from stillwatch.tables import VERIFICATIONS

if TYPE_CHECKING:
    from stillwatch.campaigns.verdicts import Verdict

# Where customers appeal, under the service's own address.
APPEALS = "/v1/appeals"
Subject = tuple[SubjectKind, str | None, str]


@dataclass(frozen=True, slots=True)
class NewCase:
    """A question for a person. kind: campaign, returned, contracted, stolen_key, over_cap or appeal."""

    kind: str
    subject_kind: str
    subject: str
    text: str
    campaign_id: str | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of the state when a cycle begins.

    standing: decisions in force, dry runs among them. newly_last_hour: accounts that the machine put under a measure in
    the last 60 minutes, in the policy's mode. held: for an account, the most that may stand while an appeal of it is
    open. asked: (kind, subject) of cases that are open or were closed lately. approved: campaigns that a person let
    through beyond the caps. ordered: ids of those standing decisions that a person made.
    """

    standing: tuple[Decision, ...] = ()
    newly_last_hour: int = 0
    held: Mapping[str, Measure] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    asked: frozenset[tuple[str, str]] = frozenset()
    approved: frozenset[str] = frozenset()
    ordered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cycle changes. decisions: with whether each puts an account under a measure that was under none. ended:
    ids of decisions that stand no more, and why. notes: what waits, in sentences."""

    decisions: tuple[tuple[Decision, bool], ...] = ()
    ended: tuple[tuple[str, str], ...] = ()
    cases: tuple[NewCase, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What should stand against one subject."""

    kind: SubjectKind
    subject: str
    account: str | None
    measure: Measure
    campaign: str
    probability: float
    evidence: tuple[str, ...]

    @property
    def key(self) -> Subject:
        return self.kind, self.account if self.kind == "key" else None, self.subject


def subject_of(decision: Decision) -> Subject:
    """Whom a decision is about, as one value."""
    return decision.subject_kind, decision.account if decision.subject_kind == "key" else None, decision.subject


def touched(decision: Decision) -> str | None:
    """The account that a decision touches; None for an address."""
    return (
        decision.account
        if decision.subject_kind == "key"
        else (decision.subject if decision.subject_kind == "account" else None)
    )


def decide(policy: Policy, found: Found, before: Before, at: datetime, cycle_id: str) -> Plan:
    """What to do about the findings, given what stands.

    at: now. cycle_id: from which the decisions' ids are made. No more accounts are newly put under a measure than the
    caps allow, but those of campaigns that a person confirmed or let through.
    """
    return _Cycle(policy, found, before, at, cycle_id).plan()


class _Cycle:
    """One run of `decide`, with what it has come to so far."""

    def __init__(self, policy: Policy, found: Found, before: Before, at: datetime, cycle_id: str) -> None:
        # All of the judgement comes with it, and the types of this module are needed where nothing is judged.
        from stillwatch.campaigns.verdicts import accounts_said

        self.policy, self.found, self.before, self.at, self.cycle_id = policy, found, before, at, cycle_id
        self.said = accounts_said(before.verdicts)
        self.spared: set[str] = set()  # campaigns
        self.confirmed: set[str] = set(before.approved)
        self.asked = set(before.asked)
        self.decisions: dict[str, tuple[Decision, bool]] = {}
        self.ended: dict[str, str] = {}
        self.cases: dict[tuple[str, str], NewCase] = {}
        self.notes: list[str] = []
        self.standing: dict[Subject, Decision] = {}
        for decision in sorted(before.standing, key=lambda d: (d.measure, d.expires, d.decision_id)):
            if decision.dry_run != policy.dry_run:
                if decision.decision_id in before.ordered:  # what a person ordered for one is asked for the other
                    self.asked.discard(("contracted", decision.subject))
                self._end(decision, "the policy is a dry run again" if policy.dry_run else "the dry run is over")
            elif decision.expires > at:
                if (other := self.standing.get(subject_of(decision))) is not None:
                    self._end(other, "another stands")
                self.standing[subject_of(decision)] = decision
        self.under = {account for d in self.standing.values() if (account := touched(d)) is not None}

    def plan(self) -> Plan:
        self._heed_verdicts()
        wanted = self._within_caps(self._wanted())
        for one in wanted:
            self._put(one)
        self._addresses(wanted)
        self._lift()
        return Plan(
            tuple(self.decisions.values()),
            tuple(sorted(self.ended.items())),
            tuple(self.cases[key] for key in sorted(self.cases)),
            tuple(self.notes),
        )

    def _heed_verdicts(self) -> None:
        """Which campaigns analysts dismissed or confirmed, whether the scan was told of it or not."""
        from stillwatch.campaigns.verdicts import last_said, outgrown

        for campaign in sorted(self.found.campaigns):
            members = self.found.members(campaign)
            last = last_said(self.before.verdicts, members)
            if last is None or outgrown(last, members):
                self._ask(
                    "campaign",
                    campaign,
                    f"{len(members):,} accounts are found to take part, with probability "
                    f"{percent(self.found.campaigns[campaign])}. Is it so? Give a verdict.",
                )
            elif last.against:
                self.spared.add(campaign)
                self._ask(
                    "returned",
                    campaign,
                    f"{last.verdict_id} {last.verdict} it on {reasons.when(last.time)}, and the scan names it again. "
                    "Nothing is done unless a person confirms it.",
                )
            else:
                self.confirmed.add(campaign)

    def _wanted(self) -> list[_Wanted]:
        """What each account's strongest part calls for, contracted customers and spared accounts left out."""
        strongest: dict[str, Suspect] = {}
        for suspect in self.found.suspects:
            if suspect.campaign in self.spared or suspect.campaign not in self.found.campaigns:
                continue
            held = strongest.get(suspect.account)
            if held is None or _strength(suspect) > _strength(held):
                strongest[suspect.account] = suspect
        wanted: list[_Wanted] = []
        for account in sorted(strongest):
            suspect = strongest[account]
            said = self.said.get(account)
            if said is not None and said.against:
                continue
            # Not all that it sent was asked about: that its key was stolen, for one, would show there.
            if account in self.found.in_part and account not in self.under:
                continue
            customer = self.found.customers.get(account, Customer())
            if (why := self._by_person(account)) is not None:
                self._for_a_person(suspect, why)
            elif suspect.victim:
                wanted += self._stolen(suspect)
            else:
                measure = self.policy.choose(suspect.probability, customer.verification)
                measure = min(measure, self.before.held.get(account, measure))
                wanted.append(self._of("account", account, None, measure, suspect))
        return wanted

    def _of(self, kind: SubjectKind, subject: str, account: str | None, measure: Measure, suspect: Suspect) -> _Wanted:
        evidence = (*suspect.evidence, *self.found.evidence.get(suspect.campaign, ()))
        return _Wanted(kind, subject, account, measure, suspect.campaign, suspect.probability, evidence)

    def _by_person(self, account: str) -> str | None:
        """Why only a person decides on an account; None where the machine may."""
        customer = self.found.customers.get(account)
        if customer is None:
            if not self.found.unread:
                return None
            return f"in the accounts file {self.found.unread:,} rows could not be read, and none that could is of it"
        if self.policy.by_person(customer.verification, customer.plan):
            return "the policy leaves customers like it to people"
        if customer.verification not in (None, *VERIFICATIONS):
            return "its verification is none that is known"
        return None

    def _for_a_person(self, suspect: Suspect, why: str) -> None:
        what = "keys of it seem to be stolen" if suspect.victim else f"probability {percent(suspect.probability)}"
        self._ask(
            "contracted",
            suspect.account,
            f"The account is found in {suspect.campaign} ({what}), and nothing is done by the machine: {why}. Close "
            "the case with the measure that is to be taken, or observe.",
            suspect.campaign,
            "account",
        )
        self._let_go(suspect.account, "only a person decides on this customer")

    def _let_go(self, account: str, why: str) -> None:
        """End what the machine, and no person, lets stand against an account itself."""
        held = self.standing.get(("account", None, account))
        if held is not None and held.decision_id not in self.before.ordered:
            self._end(held, why)

    def _stolen(self, suspect: Suspect) -> list[_Wanted]:
        """A stolen key is stopped, and its holder told; the account is let alone, or let go if it was suspected."""
        if self._may_soften(self.standing.get(("account", None, suspect.account))):
            self._let_go(suspect.account, "a key of it was stolen, and its holder takes no part")
        if not self.policy.stops_key(suspect.probability):
            return []
        keys = ", ".join(suspect.keys) or "one that the traffic does not name"
        self._ask(
            "stolen_key",
            suspect.account,
            f"Tell the holder: a key of this account ({keys}) was used from places that are not the holder's, for "
            f"{suspect.campaign}. The account is not restricted; the key is to be replaced.",
            suspect.campaign,
            "account",
        )
        return [self._of("key", key, suspect.account, Measure.BLOCK, suspect) for key in suspect.keys]

    def _within_caps(self, wanted: list[_Wanted]) -> list[_Wanted]:
        """Without the campaigns that would put more accounts under a measure than the machine may: each goes whole, or
        waits whole. Those with most to stop go first."""
        fresh: dict[str, dict[str, float]] = defaultdict(dict)
        for one in wanted:
            account = one.account if one.kind == "key" else one.subject
            if one.measure > Measure.OBSERVE and account is not None and account not in self.under:
                fresh[one.campaign][account] = one.probability
        caps = self.policy.caps
        this_hour = caps.accounts_an_hour - self.before.newly_last_hour
        at_once = int(caps.share_of_accounts * self.found.accounts) - len(self.under)
        acted_on = {d.campaign_id for d in self.standing.values()}
        waits: set[str] = set()
        for campaign in sorted(fresh, key=lambda c: (-round(sum(fresh[c].values()), 6), c)):
            size = len(fresh[campaign])
            if campaign not in self.confirmed and size > min(this_hour, at_once):
                waits.add(campaign)
                self._waits(campaign, size, for_good=size > min(caps.accounts_an_hour, at_once))
                continue
            this_hour -= size
            at_once -= size
            if campaign in acted_on:
                self.notes.append(f"{campaign}: {size:,} accounts came to it after it was acted on, and are followed.")
        return [
            one
            for one in wanted
            if one.campaign not in waits or (one.account if one.kind == "key" else one.subject) in self.under
        ]

    def _waits(self, campaign: str, size: int, *, for_good: bool) -> None:
        if not for_good:
            self.notes.append(f"{campaign}: {size:,} accounts wait for the next hour, so that the cap is kept.")
            return
        self.notes.append(f"{campaign}: {size:,} accounts wait for a person: more than the caps allow the machine.")
        self._ask(
            "over_cap",
            campaign,
            f"{size:,} accounts would be put under a measure, more than the caps allow without a person. Close the "
            "case with act or leave.",
        )

    def _ask(
        self, kind: str, subject: str, text: str, campaign: str | None = None, subject_kind: str = "campaign"
    ) -> None:
        if (kind, subject) not in self.asked:
            self.cases[kind, subject] = NewCase(kind, subject_kind, subject, text, campaign or subject)

    def _put(self, one: _Wanted) -> None:
        """Let stand what is as wanted; renew it when half its time is over; replace it where it is not."""
        held = self.standing.get(one.key)
        if held is not None and held.measure > one.measure and not self._may_soften(held):
            return
        if one.measure is Measure.OBSERVE:
            if held is not None:
                self._end(held, "the findings do not call for it any more")
            return
        new = self._decision(one)
        if held is not None:
            if _alike(held, new) and held.expires - self.at > (held.expires - held.created) / 2:
                return
            self._end(held, _change(held, new))
        account = touched(new)
        self.decisions[new.decision_id] = new, account is not None and account not in self.under
        self.standing[one.key] = new
        if account is not None:
            self.under.add(account)

    def _decision(self, one: _Wanted) -> Decision:
        return made(
            self.policy,
            self.at,
            kind=one.kind,
            subject=one.subject,
            account=one.account,
            measure=one.measure,
            campaign=one.campaign,
            probability=one.probability,
            evidence=one.evidence,
            salt=self.cycle_id,
        )

    def _addresses(self, wanted: list[_Wanted]) -> None:
        """Addresses on which nobody was seen but accounts of one campaign that are under a measure now."""
        seen = self.found.addresses
        if seen is None:
            return
        rule = self.policy.addresses
        known = {one.subject: one for one in wanted if one.kind == "account"}
        for address in sorted(seen):
            on_it = [known.get(account) for account in sorted(seen[address])]
            users = [one for one in on_it if one is not None]
            under = [d for one in users if (d := self.standing.get(one.key)) is not None]
            alone = len(users) == len(on_it) == len(under) and len({one.campaign for one in users}) == 1
            mildest = min((d.measure for d in under), default=Measure.OBSERVE)
            if rule.act and alone and len(users) >= rule.least_accounts and mildest >= Measure.THROTTLE:
                # An address has no account that could verify or read reasoning: it is throttled or blocked.
                measure = Measure.BLOCK if mildest is Measure.BLOCK else Measure.THROTTLE
                least = min(users, key=lambda one: (one.probability, one.subject))
                evidence = self.found.evidence.get(least.campaign, ())
                self._put(_Wanted("address", address, None, measure, least.campaign, least.probability, evidence))
            elif (held := self.standing.get(("address", None, address))) is not None:
                self._end(held, "others share the address")

    def _lift(self) -> None:
        """End what stands against accounts that were cleared since, and campaigns that were dismissed."""
        found = {s.account for s in self.found.suspects if s.campaign not in self.spared}
        for decision in list(self.standing.values()):
            account = touched(decision)
            said = self.said.get(account) if account is not None else None
            if said is not None and said.against:
                self._end(decision, f"an analyst {said.verdict} it ({said.verdict_id})")
            elif decision.campaign_id in self.spared and account not in found:
                self._end(decision, "an analyst dismissed the campaign")
            elif self._may_soften(decision) and account in self.found.cleared and account not in found:
                self._end(decision, "the findings clear the account")

    def _may_soften(self, held: Decision | None) -> bool:
        """Whether the findings may soften or end what stands: those of all traffic may, where that traffic was read
        after it was decided."""
        read = self.found.read_at
        return self.found.whole and (held is None or read is None or held.created <= read)

    def _end(self, decision: Decision, why: str) -> None:
        if decision.decision_id not in self.decisions:
            self.ended[decision.decision_id] = why
        if self.standing.get(subject_of(decision)) is decision:
            del self.standing[subject_of(decision)]


def _alike(one: Decision, other: Decision) -> bool:
    return (one.measure, one.limits, one.verification) == (other.measure, other.limits, other.verification)


def _change(held: Decision, new: Decision) -> str:
    if _alike(held, new):
        return "renewed"
    if held.measure is new.measure:
        return "the policy changed"
    return "hardened" if new.measure > held.measure else "softened"


def _strength(suspect: Suspect) -> tuple[bool, float, str]:
    """Who takes part anywhere is no mere victim; else the likeliest part, and of equals the first campaign."""
    return not suspect.victim, suspect.probability, suspect.campaign


def made(
    policy: Policy,
    at: datetime,
    *,
    kind: SubjectKind,
    subject: str,
    account: str | None,
    measure: Measure,
    campaign: str,
    probability: float,
    evidence: tuple[str, ...],
    salt: str,
) -> Decision:
    """A decision with its words, expiry and way to appeal. salt: what its id is made from besides its subject."""
    told = "\n".join((salt, kind, account or "", subject, measure.text, at.isoformat()))
    decision_id = f"D-{hashlib.sha256(told.encode()).hexdigest()[:20]}"
    appeal = f"{policy.appeals.url or f'{APPEALS}/'}{decision_id}"
    match kind:
        case "key":
            expires = at + timedelta(days=policy.holds.key)
            reason = reasons.of_key(expires, appeal)
        case "address":
            expires = at + timedelta(days=policy.holds.address)
            reason = reasons.of_address(measure, policy.limits, expires, appeal)
        case _:
            expires = at + policy.holds.of(measure)
            reason = reasons.of_account(measure, policy.limits, policy.verification, expires, appeal)
    return Decision(
        decision_id=decision_id,
        subject_kind=kind,
        subject=subject,
        measure=measure,
        reason=reason,
        campaign_id=campaign,
        probability=probability,
        created=at,
        expires=expires,
        appeal=appeal,
        evidence=evidence,
        account=account,
        limits=policy.limits if measure is Measure.THROTTLE else None,
        verification=policy.verification if measure is Measure.STEP_UP else None,
        dry_run=policy.dry_run,
    )


def milder(policy: Policy, decision: Decision, measure: Measure, at: datetime) -> Decision:
    """What stands of a decision on an account while an appeal against it is open; until the same time."""
    softer = made(
        policy,
        at,
        kind=decision.subject_kind,
        subject=decision.subject,
        account=decision.account,
        measure=measure,
        campaign=decision.campaign_id,
        probability=decision.probability,
        evidence=decision.evidence,
        salt=decision.decision_id,
    )
    words = reasons.of_account(measure, policy.limits, policy.verification, decision.expires, softer.appeal)
    return replace(softer, expires=decision.expires, reason=reasons.softened(words), dry_run=decision.dry_run)
