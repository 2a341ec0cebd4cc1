"""Who would have been touched, when, with which measure, and at what harm: decisions against the traffic as it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from stillwatch.evaluate.measures import Bools, Ints
from stillwatch.evaluate.sent import Sent
from stillwatch.evaluate.truth import Truth
from stillwatch.respond.decide import touched
from stillwatch.respond.decision import Decision, Measure
from stillwatch.respond.policy import Policy
from stillwatch.respond.schema import EPOCH, MICROSECOND
from stillwatch.respond.state import Kept

MICROSECONDS_A_MINUTE = 60_000_000
MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Account:
    """One account that was touched.

    campaign: as it was found when it was touched first. first: when; hardest: the hardest measure. days: under each
    measure. key_stopped: whether a key of it was stopped, as stolen; key_days: how long. after: exchanges that it sent
    from the first measure on; of these, `refused` would have been (blocked, short of a verification, beyond a
    throttle's requests a minute, or over a stopped key, whoever had it) and `without_reasoning` answered without
    reasoning. role, true_campaigns: by the labels.
    """

    account: str
    campaign: str
    probability: float
    first: str
    hardest: str
    days: dict[str, float]
    key_stopped: bool
    key_days: float
    exchanges: int
    after: int
    refused: int
    without_reasoning: int
    role: str | None = None
    population: str | None = None
    true_campaigns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """How a true campaign fared. acted_on: when two of its members stood under a measure for the first time, None where
    they never did; share_taken: of its exchanges by then. refused: exchanges of its members that measures would have
    refused, other business of theirs among them."""

    campaign: str
    first_exchange: str
    days: float
    members: int
    exchanges: int
    acted_on: str | None
    share_taken: float
    members_touched: int
    refused: int


@dataclass(frozen=True, slots=True)
class Harm:
    """Costs by the policy's table, for accounts and days, first as the probabilities expect them.

    expected_honest: sum of (1 - p) · cost to the honest; expected_stopped: sum of p · what is stopped of a guilty
    account. honest, stopped: the same by the labels, None without them. The holder of a stopped key is honest, and what
    is stopped of the thief is not counted. innocent: accounts by role innocent that were touched, by the hardest
    measure; victims_restricted: victims whose account was, not merely a key. keys_stopped: accounts of which a key was.
    addresses: on how many there was a measure, which holds for callers that name no account and so for none of these.
    """

    expected_honest: float
    expected_stopped: float
    honest: float | None
    stopped: float | None
    touched: dict[str, int]
    innocent: dict[str, int] | None
    victims_restricted: int | None
    keys_stopped: int
    addresses: int


@dataclass(frozen=True, slots=True)
class _Span:
    """A decision, and from when to when it stood (microseconds since 1970)."""

    decision: Decision
    start: int
    end: int


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def accounts_of(kept: Iterable[Kept], policy: Policy, sent: Sent, last: datetime, truth: Truth | None) -> list[Account]:
    """Everybody whom a decision touched, the first to be touched leading; nothing is counted from `last` on."""
    spans: dict[str, list[_Span]] = defaultdict(list)
    for one in kept:
        end = min(_us(t) for t in (one.decision.expires, one.ended, last) if t is not None)
        account = touched(one.decision)
        if account is not None:
            spans[account].append(_Span(one.decision, _us(one.decision.created), end))
    own = _sent_by(sent, spans.keys())
    made = [
        _account(account, sorted(of, key=lambda s: (s.start, s.decision.decision_id)), policy, own[account], truth)
        for account, of in spans.items()
    ]
    return sorted(made, key=lambda a: (a.first, a.account))


@dataclass(frozen=True, slots=True)
class _Own:
    """What an account sent, by time: when, and over which key (None where that is not told)."""

    times: Ints
    keys: npt.NDArray[np.object_]


def _sent_by(sent: Sent, accounts: Iterable[str]) -> dict[str, _Own]:
    number = {name: n for n, name in enumerate(sent.accounts)}
    names = np.array([*sent.keys, None], np.object_)  # the last is that of the number -1
    order = np.lexsort((sent.time_us, sent.account))
    account, time, key = sent.account[order], sent.time_us[order], sent.key[order]
    found = {}
    for name in accounts:
        n = number.get(name, -1)
        own = slice(np.searchsorted(account, n), np.searchsorted(account, n, side="right"))
        found[name] = _Own(time[own], names[key[own]])
    return found


def _account(name: str, spans: Sequence[_Span], policy: Policy, own: _Own, truth: Truth | None) -> Account:
    days = {m.text: 0.0 for m in list(Measure)[1:]}
    times = own.times
    refused, without = np.zeros(len(times), np.bool_), np.zeros(len(times), np.bool_)
    for span in spans:
        here = slice(np.searchsorted(times, span.start), np.searchsorted(times, span.end))
        if span.decision.subject_kind == "key":
            refused[here] |= own.keys[here] == span.decision.subject
            continue
        measure = span.decision.measure
        days[measure.text] += max(0, span.end - span.start) / MICROSECONDS_A_DAY
        match measure:
            case Measure.WITHHOLD_REASONING:
                without[here] = True
            case Measure.THROTTLE:
                refused[here] |= _beyond(times[here], policy.throttle.requests_per_minute)
            case Measure.STEP_UP | Measure.BLOCK:
                refused[here] = True
    of_account = [s.decision for s in spans if s.decision.subject_kind == "account"]
    first = spans[0]
    return Account(
        account=name,
        campaign=first.decision.campaign_id,
        probability=max(s.decision.probability for s in spans),
        first=first.decision.created.isoformat(),
        hardest=max((d.measure for d in of_account), default=Measure.OBSERVE).text,
        days={m: round(d, 3) for m, d in days.items()},
        key_stopped=len(of_account) < len(spans),
        key_days=round(_covered([s for s in spans if s.decision.subject_kind == "key"]) / MICROSECONDS_A_DAY, 3),
        exchanges=len(times),
        after=int(len(times) - np.searchsorted(times, first.start)),
        refused=int(refused.sum()),
        without_reasoning=int((without & ~refused).sum()),
        role=truth.roles.get(name) if truth else None,
        population=truth.populations.get(name) if truth else None,
        true_campaigns=tuple(c for c, of in truth.campaigns.items() if name in of) if truth else (),
    )


def _beyond(times: Ints, limit: int) -> Bools:
    """Which exchanges, ascending in time, are beyond so many in one minute of the clock."""
    minute = times // MICROSECONDS_A_MINUTE
    return np.arange(len(times)) - np.searchsorted(minute, minute) >= limit


def _covered(spans: Sequence[_Span]) -> int:
    """Microseconds in which one of them stood, or more. spans: by when they began."""
    covered, until = 0, 0
    for span in spans:
        covered += max(0, span.end - max(span.start, until))
        until = max(until, span.end)
    return covered


def courses_of(accounts: Sequence[Account], truth: Truth, sent: Sent) -> list[Course]:
    """How each true campaign fared."""
    found = []
    under = {a.account: a for a in accounts if a.hardest != Measure.OBSERVE.text}
    for campaign in truth.campaigns:
        members = truth.campaigns[campaign] & truth.with_role("member")
        own = truth.exchanges.filter([c == campaign for c in truth.exchanges["campaign"].to_pylist()])
        place = sent.places(own["exchange_id"])
        times = np.sort(sent.time_us[place[place >= 0]])
        if not len(times):
            continue
        those = sorted(under[m].first for m in members if m in under)
        acted = those[1] if len(those) > 1 else None
        by_then = len(times) if acted is None else np.searchsorted(times, _us(datetime.fromisoformat(acted)))
        found.append(
            Course(
                campaign,
                (EPOCH + int(times[0]) * MICROSECOND).isoformat(),
                round(float(times[-1] - times[0]) / MICROSECONDS_A_DAY, 2),
                len(members),
                len(times),
                acted,
                float(by_then / len(times)),
                len(those),
                sum(under[m].refused for m in members if m in under),
            )
        )
    return found


def harm_of(accounts: Sequence[Account], policy: Policy, *, labelled: bool, addresses: int = 0) -> Harm:
    """What it would have cost whom, by the policy's cost table. addresses: on how many there was a measure."""
    honest = [_honest(a, policy) for a in accounts]
    stopped = [_stopped(a, policy) for a in accounts]
    p = [policy.belief.believed(a.probability) if not a.key_stopped else 0.0 for a in accounts]
    guilty = [a.role == "member" for a in accounts]
    measures = [m.text for m in list(Measure)[1:]]
    innocent = [a for a in accounts if a.role == "innocent"]
    restricted = [a for a in accounts if a.role == "victim" and a.hardest != Measure.OBSERVE.text]
    return Harm(
        expected_honest=round(sum((1 - q) * h for q, h in zip(p, honest, strict=True)), 3),
        expected_stopped=round(sum(q * s for q, s in zip(p, stopped, strict=True)), 3),
        honest=round(sum(h for h, g in zip(honest, guilty, strict=True) if not g), 3) if labelled else None,
        stopped=round(sum(s for s, g in zip(stopped, guilty, strict=True) if g), 3) if labelled else None,
        touched={m: sum(a.hardest == m for a in accounts) for m in measures},
        innocent={m: sum(a.hardest == m for a in innocent) for m in measures} if labelled else None,
        victims_restricted=len(restricted) if labelled else None,
        keys_stopped=sum(a.key_stopped for a in accounts),
        addresses=addresses,
    )


def _honest(account: Account, policy: Policy) -> float:
    restricted = sum(days * policy.costs.honest.of(Measure.of(m)) for m, days in account.days.items())
    return restricted + account.key_days * policy.costs.key_stopped


def _stopped(account: Account, policy: Policy) -> float:
    through = policy.costs.lets_through
    return sum(d * policy.costs.missed * (1 - through.of(Measure.of(m))) for m, d in account.days.items())
