"""The campaigns of summer 2026: two organisations and two pools, after what was disclosed since February.

What was disclosed: in the largest campaign since, 151 million exchanges in three months, near 3 million a day, from
3,500 accounts. Proxy networks mix extraction with unrelated customers' requests; one pool has carried several
organisations; one organisation moved to a second pool within hours when the first was banned; banned accounts are
replaced by new ones; half of the traffic turns to a new model within a day of its release; a fixed passage is put
around relayed customers' requests; sessions are replayed; stolen keys of honest holders are used (MITRE ATLAS
AML.T0012, and case study AML.CS0056).

- `campaign-d` tries a dozen techniques for three days from a few accounts of `first_pool`, most of them refused, then
  scales the three that worked. When most of its pool is banned in one wave, near the middle of the world, it goes on
  from accounts of `second_pool` within hours.
- `campaign-e`, another organisation with other jobs, is on `second_pool` all along. It runs agentic jobs of its own,
  and puts one fixed passage around what the pool's relayed customers ask, at the customers' own hours.
- Both pools also relay ordinary customers, on the same accounts and exits, whose requests are nobody's campaign.

Assumed, since it was not said: how the exchanges are divided, the days, how many are banned, the shares of streams and
of what members have in common. Cards are virtual, one an account for nine in ten; three in ten sign up with the
disposable mail domains that 8% of everybody use. Six exits in ten are households', which a residential VPN rents to
its honest customers as well. A world of N exchanges has half of them in campaigns. The disclosed accounts each sent
more in a day than most worlds here have for an account in all, so accounts are as many as in `february-2026`, one for
every 690 exchanges, up to the disclosed 3,500; beyond that, each sends more.
"""

from __future__ import annotations

from dataclasses import dataclass

from stillwatch.simulate.accounts import DAYS, TURNS, Account, Draw, close
from stillwatch.simulate.background import background
from stillwatch.simulate.dispatch import Campaign, Pace, Run
from stillwatch.simulate.public import Public, honest_accounts, public
from stillwatch.simulate.recruits import (
    LANGUAGES_ASKED,
    LEAST_ACCOUNTS,
    NOTICES,
    bind,
    carry_customers,
    deal_jobs,
    sign_up,
    some_wordings,
    victims,
)
from stillwatch.simulate.rhythm import ALWAYS, EVENING
from stillwatch.simulate.streams import Asked, Stream, Streams
from stillwatch.simulate.templates import instructions
from stillwatch.simulate.users import own_system

D, E = 0, 1
FIRST, SECOND = "first_pool", "second_pool"
D_SHARE = 0.4  # of the campaigns' exchanges
RELAYED = 0.45  # of campaign-e's exchanges are customers' requests with the passage around them
FIRST_SHARE = 0.35  # of the accounts
EXCHANGES_AN_ACCOUNT, MOST_ACCOUNTS = 450, 3500
TECHNIQUES, WORKED = 12, 3
PROBE_DAYS, PROBE_SHARE, PROBE_ACCOUNTS = 3.0, 0.015, 6
PROBE_REFUSED = 0.75  # of the techniques that did not work
PROBED = ("reasoning", "grading", "rewording", "tool_use", "coding", "computer_use", "generation")
WAVE = (27.0, 33.0)  # day of the wave of bans
WAVE_HOURS, WAVE_SHARE = 6.0, 0.6
FAILOVER_HOURS = (1.0, 8.0)
REPLAYED = 0.1  # of campaign-d's requests
STOLEN = 0.05  # of the second pool
DISPOSABLE_MAIL = 0.3
RENTED = 0.15  # of people who chat come through a residential VPN now and then
LANGUAGES_RELAYED = Draw({0: 0.5, 1: 0.2, 2: 0.06, 3: 0.06, 4: 0.06, 5: 0.06, 6: 0.06})  # customers of a relay


@dataclass(slots=True)
class _Pool:
    """A pool: its accounts, with the keys that it uses, its exits, and how its members' traffic comes."""

    name: str
    exits: list[int]
    members: list[tuple[Account, str]]  # with the key that is used


def summer_2026(s: Streams, asked: Asked) -> list[Campaign]:
    """Fill a world with two campaigns over two pools, and the background."""
    r = s.r
    guilty = asked.exchanges // 2
    accounts = honest_accounts(asked.exchanges - guilty)
    shared = public(s, accounts)
    background(s, shared, accounts)
    members = max(3 * LEAST_ACCOUNTS, min(guilty // EXCHANGES_AN_ACCOUNT, MOST_ACCOUNTS))
    begins = {D: r.uniform(2.0, 4.0), E: r.uniform(5.0, 9.0)}
    wave, end = r.uniform(*WAVE), r.uniform(55.0, 58.0)
    count = max(LEAST_ACCOUNTS, round(members * FIRST_SHARE))
    first = _pool(s, shared, FIRST, count, banned=0.08, life=(begins[D], wave))
    second = _pool(s, shared, SECOND, members - count, banned=0.12, life=(begins[E], end), stolen=STOLEN)
    _ban(s, first, wave)
    for_d = round(guilty * D_SHARE)
    return [
        _campaign_d(s, first, second, begin=begins[D], wave=wave, end=end, exchanges=for_d),
        _campaign_e(s, second, begin=begins[E], end=end, exchanges=guilty - for_d),
    ]


def _pool(
    s: Streams,
    p: Public,
    name: str,
    count: int,
    *,
    banned: float,
    life: tuple[float, float],
    stolen: float = 0.0,
) -> _Pool:
    r = s.r
    homes = [s.addresses.residential() for _ in range(max(6, round(count * 1.2)))]
    _rent(s, homes)
    others = [r.choice(p.vpn) if r.random() < 0.5 else s.addresses.datacentre() for _ in range(len(homes) * 2 // 3)]
    taken = round(count * stolen)
    members = sign_up(s, name, count - taken, banned=banned, start=life[0], end=life[1])
    bind(s, members, cards=0.1)
    for member in members:
        if r.random() < DISPOSABLE_MAIL:
            member.email_domain = r.choice(s.register.disposable)
    keys = [(a, s.register.identifier("key_") if r.random() < 0.6 else a.key) for a in victims(s, taken)]
    return _Pool(name, homes + others, [*((m, m.key) for m in members), *keys])


def _rent(s: Streams, homes: list[int]) -> None:
    """Let honest people come through the same households: customers of the company that rents them out."""
    for x in s.streams:
        if x.account.population in ("person", "shared_address") and s.r.random() < RENTED:
            x.addresses = [*x.addresses, *s.r.sample(homes, min(2, len(homes)))]


def _ban(s: Streams, pool: _Pool, wave: float) -> None:
    """Ban most of a pool within hours; what is left of it is given up."""
    for account, _ in pool.members:
        if account.closed is None and s.r.random() < WAVE_SHARE:
            close(account, wave + s.r.uniform(0.0, WAVE_HOURS / 24), "banned")


def _campaign_d(
    s: Streams, first: _Pool, second: _Pool, *, begin: float, wave: float, end: float, exchanges: int
) -> Campaign:
    r = s.r
    techniques, jobs = _techniques(s)
    scaled = begin + PROBE_DAYS * 0.8
    streams = []
    for account, key in first.members:
        life = (max(scaled, account.created + 0.02), wave + r.uniform(0.0, WAVE_HOURS / 24))
        streams.append(_work(s, first, (account, key), campaign=D, jobs=jobs, life=life))
        if r.random() < 0.3:
            carry_customers(s, account, streams[-1])
    for account, key in second.members:
        start = wave + r.uniform(*FAILOVER_HOURS) / 24
        gone = account.closed is not None and account.closed < start + 0.5
        if account.role == "member" and not gone and r.random() < 0.7:
            life = (max(start, account.created + 0.02), end)
            streams.append(_work(s, second, (account, key), campaign=D, jobs=jobs, life=life))
    oldest = sorted((a for a, _ in first.members), key=lambda a: a.created)[:PROBE_ACCOUNTS]
    trial = (begin, begin + PROBE_DAYS)
    probes = [
        _work(s, first, (a, a.key), campaign=D, jobs=[techniques], life=trial, every_wording=True) for a in oldest
    ]
    probing = max(4 * TECHNIQUES, round(exchanges * PROBE_SHARE))
    pace = Pace(handed_over=0.15, replayed=REPLAYED)
    return Campaign(
        "campaign-d",
        [
            Run(probing, probes, begin, begin + PROBE_DAYS, Pace()),
            Run(exchanges - probing, streams, scaled, end, pace),
        ],
    )


def _techniques(s: Streams) -> tuple[list[int], list[list[int]]]:
    """A wording of each technique that is tried, and the jobs made of those that worked, in many wordings."""
    r = s.r
    intents = [PROBED[i % len(PROBED)] for i in range(TECHNIQUES)]
    r.shuffle(intents)
    jobs = deal_jobs(s, "campaign-d", intents[:WORKED])
    tried = [job[0] for job in jobs]
    for i, intent in enumerate(intents[WORKED:]):
        tried += s.job(intent, 1, workload=f"campaign-d/technique-{i + 1}", refused=PROBE_REFUSED)
    return tried, jobs


def _campaign_e(s: Streams, pool: _Pool, *, begin: float, end: float, exchanges: int) -> Campaign:
    r = s.r
    jobs = deal_jobs(s, "campaign-e", ("coding", "tool_use", "computer_use", "coding"))
    passage = (instructions(r, "reasoning", 1)[0] + "\n\n", "\n\n" + instructions(r, "grading", 1)[0])
    working, relaying = [], []
    for account, key in pool.members:
        life = (max(begin, account.created + 0.02), end)
        if account.role == "victim":
            start = r.uniform(begin, begin + (end - begin) * 0.7)
            life = (start, min(end, start + r.uniform(5, 25)))
        working.append(_work(s, pool, (account, key), campaign=E, jobs=jobs, life=life))
        if account.role == "member":
            if r.random() < 0.6:
                relaying += [_relay(s, pool, account, passage, life) for _ in range(r.randint(1, 2))]
            if r.random() < 0.6:
                carry_customers(s, account, working[-1])
    if not relaying:
        relaying = [_relay(s, pool, pool.members[0][0], passage, (begin, end))]
    relayed = round(exchanges * RELAYED)
    return Campaign(
        "campaign-e",
        [
            Run(exchanges - relayed, working, begin, end, Pace(handed_over=0.1)),
            Run(relayed, relaying, begin, end, Pace(own_hours=True)),
        ],
    )


def _addresses(s: Streams, pool: _Pool) -> list[int]:
    return s.r.sample(pool.exits, min(len(pool.exits), s.r.randint(3, 12)))


def _work(
    s: Streams,
    pool: _Pool,
    member: tuple[Account, str],
    *,
    campaign: int,
    jobs: list[list[int]],
    life: tuple[float, float],
    every_wording: bool = False,
) -> Stream:
    """One account's part in the jobs of a campaign."""
    r = s.r
    account, key = member
    stream = Stream(
        account=account,
        key=key,
        wordings=jobs[0] if every_wording else some_wordings(r, jobs),
        addresses=_addresses(s, pool),
        weight=r.lognormvariate(0, 0.7),
        campaign=campaign,
        pool=pool.name,
        start=life[0],
        end=min(life[1], float(DAYS)),
        profile=ALWAYS,
        language=LANGUAGES_ASKED(r),
        gap=15.0,
        hold=0.2,
        new_model_share=0.5 if campaign == D else 0.0,
    )
    return s.add(stream, NOTICES)


def _relay(s: Streams, pool: _Pool, account: Account, passage: tuple[str, str], life: tuple[float, float]) -> Stream:
    """Customers whose requests are relayed with the passage around each of them."""
    r = s.r
    system = "" if r.random() < 0.5 else own_system(s)
    before, after = passage
    wording = s.wording(
        before, after, system, tools=r.choice((0, 0, 1, 2)), workload="campaign-e/relay", every_turn=True
    )
    stream = Stream(
        account=account,
        key=account.key,
        wordings=[wording],
        addresses=_addresses(s, pool),
        weight=r.lognormvariate(0, 0.7),
        campaign=E,
        pool=pool.name,
        start=life[0],
        end=life[1],
        profile=EVENING,
        turns=r.choice(TURNS),
        busy=r.randint(3, 40),
        language=LANGUAGES_RELAYED(r),
        hold=0.2,
    )
    return s.add(stream, NOTICES)
