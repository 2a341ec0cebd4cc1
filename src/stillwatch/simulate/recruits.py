"""Accounts of a pool: how they are signed up, replaced, stolen, bound together, and whom else they serve."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from stillwatch.simulate.accounts import MADE_WITHIN, TURNS, Account, Draw, close, share_some
from stillwatch.simulate.public import Public
from stillwatch.simulate.rhythm import EVENING
from stillwatch.simulate.streams import Stream, Streams
from stillwatch.simulate.templates import TOOL_SETS
from stillwatch.simulate.users import chat_wordings, own_system, weight

LEAST_ACCOUNTS = 8
NOTICES = (0.02, 0.15)  # days after which a pool notices a loss and sends elsewhere
LANGUAGES_ASKED = Draw({0: 0.62, 1: 0.26, 2: 0.03, 3: 0.03, 5: 0.03, 6: 0.03})  # of payloads: mostly English, Chinese


def deal_jobs(s: Streams, campaign: str, intents: Sequence[str]) -> list[list[int]]:
    """The wordings of each of a campaign's jobs.

    Half of the jobs instruct in the system prompt and a third offer tools, as everybody's do: dealt, not tossed, so
    that a campaign of few jobs does not differ by chance.
    """
    r, n = s.r, len(intents)
    coin = r.randint(0, 1)
    with_tools = set(r.sample(range(n), round(n / 3 + r.uniform(-0.3, 0.3))))
    jobs = []
    for i, intent in enumerate(intents):
        tools = r.randrange(1, len(TOOL_SETS)) if i in with_tools else 0
        chinese, in_system = r.random() < 0.25, (i + coin) % 2 == 0
        named = f"{campaign}/{intent}-{i + 1}"
        jobs.append(s.job(intent, r.randint(6, 12), chinese=chinese, system=in_system, tools=tools, workload=named))
    return jobs


def some_wordings(r: Random, jobs: list[list[int]]) -> list[int]:
    """The part of a campaign's work that one account does: up to three jobs, in a few wordings each."""
    chosen = r.sample(range(len(jobs)), min(r.randint(1, 3), len(jobs)))
    return [w for j in chosen for w in r.sample(jobs[j], min(len(jobs[j]), r.randint(2, 5)))]


def pool_exits(s: Streams, p: Public, count: int) -> list[int]:
    """A pool's exits: a quarter are a commercial VPN's, the rest servers and households."""
    return [s.r.choice(p.vpn) if s.r.random() < 0.25 else s.addresses.either() for _ in range(count)]


def victims(s: Streams, count: int) -> list[Account]:
    """Aged honest holders with traffic of their own, whose keys are stolen."""
    fit = [
        x.account
        for x in s.streams
        if x.account.population in ("developer", "small_company", "framework_app", "person")
    ]
    old = [a for a in fit if a.created < -30 and a.closed is None]
    chosen = s.r.sample(old, min(count, len(old)))
    for account in chosen:
        account.role = "victim"
    return chosen


def sign_up(s: Streams, population: str, count: int, *, banned: float, start: float, end: float) -> list[Account]:
    """Accounts signed up in bursts for a campaign of these days, a share of them banned on the way and replaced."""
    r = s.r
    replaced = min(round(count * banned), count - 2)
    first = count - replaced
    # a burst of sign-ups for every nine accounts or so; with the replacements, ages follow everybody's
    within = max(0.0, (MADE_WITHIN * count - replaced) / first)
    bursts = [s.register.age(within) for _ in range(max(2, first // 9))]
    members = []
    for k in range(first):
        created = r.choice(bursts) + r.uniform(0, 0.25)
        created = min(created, end - 12) if k >= 2 else min(created, start - 0.1)
        members.append(s.register.add(population, role="member", created=created))
    for gone in r.sample(members, replaced):
        begin = max(gone.created, start)
        when = begin + r.uniform(0.25, 0.9) * (end - begin)
        close(gone, when, "banned")
        members.append(s.register.add(population, role="member", created=when + r.uniform(0.05, 0.9)))
    return members


def bind(s: Streams, members: list[Account], cards: float) -> None:
    """What one hand leaves: some share a card, a phone, a device, or a mail domain of the pool's own."""
    r, new = s.r, s.register.identifier
    share_some(r, members, "payment", share=cards, sizes=(3, 8), new=new)
    share_some(r, members, "phone", share=0.15, sizes=(2, 5), new=new)
    share_some(r, members, "device", share=0.2, sizes=(2, 6), new=new)
    share_some(r, members, "email_domain", share=0.25, sizes=(4, 12), new=s.register.new_domain)


def carry_customers(s: Streams, account: Account, member: Stream) -> None:
    """A pool's ordinary customers, relayed through the same account from the pool's exits."""
    r = s.r
    for _ in range(r.randint(1, 3)):
        wordings = [s.plain] if r.random() < 0.5 else [s.wording("", "", own_system(s), tools=r.choice((0, 0, 1, 2)))]
        s.add(
            Stream(
                account=account,
                key=account.key,
                wordings=wordings,
                addresses=member.addresses,
                weight=weight(s, 2.5),
                start=member.start,
                end=member.end,
                profile=EVENING,
                turns=r.choice(TURNS),
                busy=r.randint(3, 40),
                hold=0.2,
            )
        )


def spread_ordinary(s: Streams, p: Public, members: Sequence[Stream], rows: int) -> None:
    """Spread so many rows of ordinary chat over the accounts of a campaign's streams, as its own are spread."""
    r = s.r
    share = [x.weight * max(x.end - x.start, 0.2) for x in members]
    for member, part in zip(members, share, strict=True):
        own = round(rows * part / sum(share))
        if own:
            s.add(
                Stream(
                    account=member.account,
                    key=member.key,
                    wordings=chat_wordings(s, p, member.account),
                    addresses=member.addresses,
                    rows=own,
                    start=member.start,
                    end=member.end,
                    profile=EVENING,
                    turns=r.choice(TURNS),
                    busy=r.randint(3, 40),
                    hold=member.hold,
                )
            )
