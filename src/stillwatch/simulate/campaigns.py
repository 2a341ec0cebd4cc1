"""The campaigns of February 2026, after Anthropic's disclosure of that month, with the names of those behind them left
out, and MITRE ATLAS case study AML.CS0056.

What was disclosed: some 24,000 accounts and 16 million exchanges in three campaigns of 150 thousand, 3.4 million and
13 million exchanges.
(A) asked for reasoning, graded against rubrics and reworded sensitive questions; synchronised traffic, identical
patterns, shared payment methods, coordinated timing, load balanced.
(B) agentic reasoning, tool use, coding and computer use over hundreds of accounts and several access paths.
(C) agentic coding and tool orchestration through proxy networks that run over 20,000 accounts at once, replace what is
banned and mix extraction with unrelated customers' requests; it turned half of its traffic to a new model within a day.

Assumed here, since it was not said: accounts by campaign (250, 950 and 22,800 of 24,000), starts and lengths, how often
members share a card, phone, device or mail domain (below half throughout), how many are banned, and that 3% of the
largest pool are stolen keys (AML.T0012, valid accounts).
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.simulate.accounts import DAYS, Account
from stillwatch.simulate.dispatch import Campaign, Pace, Run
from stillwatch.simulate.public import Public
from stillwatch.simulate.recruits import (
    LANGUAGES_ASKED,
    LEAST_ACCOUNTS,
    NOTICES,
    bind,
    carry_customers,
    deal_jobs,
    pool_exits,
    sign_up,
    some_wordings,
    victims,
)
from stillwatch.simulate.rhythm import ALWAYS
from stillwatch.simulate.streams import Stream, Streams

FULL_EXCHANGES = 16_550_000
LEAST_EXCHANGES = 400


@dataclass(frozen=True, slots=True)
class Plan:
    """One campaign as disclosed or assumed."""

    name: str
    population: str
    exchanges: int
    accounts: int
    start: tuple[float, float]  # days, drawn between
    length: tuple[float, float]
    intents: tuple[str, ...]
    balanced: bool  # requests dealt out in turn, against at random by capacity
    spread: float  # of members' capacities (of the logarithm)
    bursts: float  # dispatch in bursts of this many hours; 0 flows on
    cards: float  # share of members whose card another member has
    exits: float  # exits for each account
    banned: float
    stolen: float = 0.0
    customers: float = 0.0  # share of members that carry unrelated customers too
    turns_to_new: float = 0.0  # of requests, within a day of a release
    handed_over: float = 0.0  # of conversations, continued in another account


FEBRUARY_2026 = (
    Plan(
        name="campaign-a",
        population="reasoning_pool",
        exchanges=150_000,
        accounts=250,
        start=(10, 16),
        length=(26, 32),
        intents=("reasoning", "grading", "rewording"),
        balanced=True,
        spread=0.15,
        bursts=5.0,
        cards=0.5,
        exits=1.5,
        banned=0.08,
    ),
    Plan(
        name="campaign-b",
        population="agentic_pool",
        exchanges=3_400_000,
        accounts=950,
        start=(4, 9),
        length=(40, 48),
        intents=("reasoning", "tool_use", "coding", "computer_use", "reasoning"),
        balanced=False,
        spread=0.6,
        bursts=11.0,
        cards=0.35,
        exits=4.0,
        banned=0.12,
        handed_over=0.1,
    ),
    Plan(
        name="campaign-c",
        population="proxy_pool",
        exchanges=13_000_000,
        accounts=22_800,
        start=(0, 3),
        length=(54, 57),
        intents=("coding", "tool_use", "coding", "reasoning", "tool_use", "generation", "coding", "grading"),
        balanced=False,
        spread=0.8,
        bursts=0.0,
        cards=0.3,
        exits=1.5,
        banned=0.22,
        stolen=0.03,
        customers=0.4,
        turns_to_new=0.5,
        handed_over=0.15,
    ),
)


def sizes(exchanges: int) -> list[tuple[int, int]]:
    """Exchanges and accounts of each campaign where all have `exchanges` together."""
    wanted = [max(LEAST_EXCHANGES, round(exchanges * p.exchanges / FULL_EXCHANGES)) for p in FEBRUARY_2026]
    wanted[-1] += exchanges - sum(wanted)
    return [
        (n, max(LEAST_ACCOUNTS, round(p.accounts * exchanges / FULL_EXCHANGES)))
        for n, p in zip(wanted, FEBRUARY_2026, strict=True)
    ]


def recruit(s: Streams, p: Public, plan: Plan, *, number: int, exchanges: int, accounts: int) -> Campaign:
    """Make a campaign's jobs and accounts."""
    r = s.r
    start = r.uniform(*plan.start)
    end = min(start + r.uniform(*plan.length), DAYS - 0.5)
    jobs = deal_jobs(s, plan.name, plan.intents)
    jobs[-1] = jobs[-1] + r.sample(p.pipelines, 1)  # open pipelines serve campaigns as they serve everybody
    run = Run(exchanges, [], start, end, Pace(plan.balanced, plan.bursts, plan.handed_over))
    exits = pool_exits(s, p, max(4, round(accounts * plan.exits)))
    stolen = round(accounts * plan.stolen)
    for account in victims(s, stolen):
        key = s.register.identifier("key_") if r.random() < 0.6 else account.key
        begin = r.uniform(start, start + (end - start) * 0.7)
        life = (begin, min(end, begin + r.uniform(5, 25)))
        run.streams.append(_enlist(s, plan, jobs, account, number=number, exits=exits, life=life, key=key))
    members = sign_up(s, plan.population, accounts - stolen, banned=plan.banned, start=start, end=end)
    bind(s, members, plan.cards)
    for account in members:
        life = (max(start, account.created + 0.02), end)
        run.streams.append(_enlist(s, plan, jobs, account, number=number, exits=exits, life=life, key=account.key))
        if r.random() < plan.customers:
            carry_customers(s, account, run.streams[-1])
    return Campaign(plan.name, [run])


def _enlist(
    s: Streams,
    plan: Plan,
    jobs: list[list[int]],
    account: Account,
    *,
    number: int,
    exits: list[int],
    life: tuple[float, float],
    key: str,
) -> Stream:
    r = s.r
    wordings = some_wordings(r, jobs)
    own = r.random() < 0.2  # some members come from addresses that nobody else has
    addresses = [s.addresses.either() for _ in range(3)] if own else r.sample(exits, min(len(exits), r.randint(3, 16)))
    stream = Stream(
        account=account,
        key=key,
        wordings=wordings,
        addresses=addresses,
        weight=r.lognormvariate(0, plan.spread),
        campaign=number,
        pool=plan.population,
        start=life[0],
        end=life[1],
        profile=ALWAYS,
        language=LANGUAGES_ASKED(r),
        gap=15.0,
        hold=0.2,
        new_model_share=plan.turns_to_new,
    )
    return s.add(stream, NOTICES)
