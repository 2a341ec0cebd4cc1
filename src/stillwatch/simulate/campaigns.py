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

import numpy as np
import numpy.typing as npt

from stillwatch.simulate.accounts import DAYS, MADE_WITHIN, MICROSECONDS_A_DAY, TURNS, Account, Draw, close, share_some
from stillwatch.simulate.public import Public
from stillwatch.simulate.rhythm import ALWAYS, EVENING, Rows, gaps
from stillwatch.simulate.streams import Stream, Streams
from stillwatch.simulate.templates import TOOL_SETS
from stillwatch.simulate.users import own_system, weight

FULL_EXCHANGES = 16_550_000
LEAST_ACCOUNTS, LEAST_EXCHANGES = 8, 400
NOTICES = (0.02, 0.15)  # days after which a pool notices a loss and sends elsewhere
LANGUAGES_ASKED = Draw({0: 0.62, 1: 0.26, 2: 0.03, 3: 0.03, 5: 0.03, 6: 0.03})  # of payloads: mostly English, Chinese


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
    runs: float  # dispatch in bursts of this many hours; 0 flows on
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
        runs=5.0,
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
        runs=11.0,
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
        runs=0.0,
        cards=0.3,
        exits=1.5,
        banned=0.22,
        stolen=0.03,
        customers=0.4,
        turns_to_new=0.5,
        handed_over=0.15,
    ),
)


@dataclass(slots=True)
class Campaign:
    """A campaign in a world: its streams, one an account, with capacity and life."""

    plan: Plan
    exchanges: int
    streams: list[Stream]
    jobs: list[list[int]]
    start: float
    end: float


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
    jobs = _jobs(s, plan)
    jobs[-1] = jobs[-1] + r.sample(p.pipelines, 1)  # open pipelines serve campaigns as they serve everybody
    campaign = Campaign(plan, exchanges, [], jobs, start, end)
    exits = [
        r.choice(p.vpn) if r.random() < 0.25 else s.addresses.either()
        for _ in range(max(4, round(accounts * plan.exits)))
    ]
    stolen = round(accounts * plan.stolen)
    for account in _victims(s, stolen):
        key = s.register.identifier("key_") if r.random() < 0.6 else account.key
        begin = r.uniform(start, start + (end - start) * 0.7)
        life = (begin, min(end, begin + r.uniform(5, 25)))
        _enlist(s, campaign, account, number=number, exits=exits, life=life, key=key)
    members = _members(s, campaign, accounts - stolen)
    _bind(s, plan, members)
    for account in members:
        first = max(start, account.created + 0.02)
        _enlist(s, campaign, account, number=number, exits=exits, life=(first, end), key=account.key)
        if r.random() < plan.customers:
            _customers(s, account, campaign.streams[-1])
    return campaign


def _jobs(s: Streams, plan: Plan) -> list[list[int]]:
    """Half of the jobs instruct in the system prompt and a third offer tools, as everybody's do: dealt, not tossed, so
    that a campaign of few jobs does not differ by chance."""
    r, n = s.r, len(plan.intents)
    coin = r.randint(0, 1)
    with_tools = set(r.sample(range(n), round(n / 3 + r.uniform(-0.3, 0.3))))
    jobs = []
    for i, intent in enumerate(plan.intents):
        tools = r.randrange(1, len(TOOL_SETS)) if i in with_tools else 0
        chinese, in_system = r.random() < 0.25, (i + coin) % 2 == 0
        jobs.append(s.job(intent, r.randint(6, 12), chinese=chinese, system=in_system, tools=tools))
    return jobs


def _victims(s: Streams, count: int) -> list[Account]:
    """Aged honest holders with traffic of their own."""
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


def _members(s: Streams, campaign: Campaign, count: int) -> list[Account]:
    """Accounts signed up in bursts, some of them replacing what was banned."""
    r, plan = s.r, campaign.plan
    replaced = min(round(count * plan.banned), count - 2)
    first = count - replaced
    # a burst of sign-ups for every nine accounts or so; with the replacements, ages follow everybody's
    within = max(0.0, (MADE_WITHIN * count - replaced) / first)
    bursts = [s.register.age(within) for _ in range(max(2, first // 9))]
    members = []
    for k in range(first):
        created = r.choice(bursts) + r.uniform(0, 0.25)
        created = min(created, campaign.end - 12) if k >= 2 else min(created, campaign.start - 0.1)
        members.append(s.register.add(plan.population, role="member", created=created))
    for gone in r.sample(members, replaced):
        begin = max(gone.created, campaign.start)
        when = begin + r.uniform(0.25, 0.9) * (campaign.end - begin)
        close(gone, when, "banned")
        members.append(s.register.add(plan.population, role="member", created=when + r.uniform(0.05, 0.9)))
    return members


def _bind(s: Streams, plan: Plan, members: list[Account]) -> None:
    """What one hand leaves: some share a card, a phone, a device, or a mail domain of the pool's own."""
    r, new = s.r, s.register.identifier
    share_some(r, members, "payment", share=plan.cards, sizes=(3, 8), new=new)
    share_some(r, members, "phone", share=0.15, sizes=(2, 5), new=new)
    share_some(r, members, "device", share=0.2, sizes=(2, 6), new=new)
    share_some(r, members, "email_domain", share=0.25, sizes=(4, 12), new=s.register.new_domain)


def _enlist(
    s: Streams,
    campaign: Campaign,
    account: Account,
    *,
    number: int,
    exits: list[int],
    life: tuple[float, float],
    key: str,
) -> None:
    r, plan = s.r, campaign.plan
    chosen = r.sample(range(len(campaign.jobs)), min(r.randint(1, 3), len(campaign.jobs)))
    wordings = [w for j in chosen for w in r.sample(campaign.jobs[j], min(len(campaign.jobs[j]), r.randint(2, 5)))]
    own = r.random() < 0.2  # some members come from addresses that nobody else has
    addresses = [s.addresses.either() for _ in range(3)] if own else r.sample(exits, min(len(exits), r.randint(3, 16)))
    stream = Stream(
        account=account,
        key=key,
        wordings=wordings,
        addresses=addresses,
        weight=r.lognormvariate(0, plan.spread),
        campaign=number,
        start=life[0],
        end=life[1],
        profile=ALWAYS,
        language=LANGUAGES_ASKED(r),
        gap=15.0,
        hold=0.2,
        new_model_share=plan.turns_to_new,
    )
    campaign.streams.append(s.add(stream, NOTICES))


def _customers(s: Streams, account: Account, member: Stream) -> None:
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


def dispatch(rng: np.random.Generator, campaign: Campaign, first_stream: int, first_conversation: int) -> Rows:
    """Deal a campaign's requests out among its accounts: when, through whom, in which conversation."""
    plan, n = campaign.plan, campaign.exchanges
    # the mean number of turns changes every forty requests or so, with the job in hand
    turns = np.repeat(rng.choice(TURNS, n // 40 + 1), 40)[:n]
    opens = rng.random(n) * turns < 1.0
    opens[::40] = True
    at = np.arange(n)
    turn = at - np.maximum.accumulate(np.where(opens, at, 0))
    conversation = np.cumsum(opens) - 1
    when = _dispatch_times(rng, campaign, int(opens.sum()))
    dealer = _Dealer(rng, campaign)
    owner = dealer.deal(when)
    time = when[conversation] + gaps(rng, turn, np.full(n, 15.0)) / MICROSECONDS_A_DAY
    origin = owner[conversation]
    stream = origin.copy()
    moving = (rng.random(int(opens.sum())) < plan.handed_over)[conversation] & (turn > 0)
    stream[moving] = dealer.deal(time[moving])
    # a conversation that outlasts its account's life goes on elsewhere
    late = time > dealer.end[stream]
    stream[late] = dealer.deal(time[late])
    time = np.maximum(time, dealer.start[stream])
    micro = (np.clip(time, 0.0, DAYS - 1e-6) * MICROSECONDS_A_DAY).astype(np.int64)
    numbers = [(x + first_stream).astype(np.int32) for x in (stream, origin)]
    return Rows(micro, numbers[0], numbers[1], conversation + first_conversation, turn.astype(np.int32))


def _dispatch_times(rng: np.random.Generator, campaign: Campaign, count: int) -> npt.NDArray[np.float64]:
    """Opening times in days: probing for a twentieth of the time, then a plateau; in bursts where the plan has them."""
    start, span = campaign.start, campaign.end - campaign.start
    u = rng.random(count)
    when = start + span * np.where(u < 0.01, u * 5.0, 0.05 + (u - 0.01) / 0.99 * 0.95)
    if campaign.plan.runs:
        # one run a day, beginning at the day's own hour
        day = np.floor(when)
        begin = ((day * 12.9898) % 7.13) / 24.0 + 0.1
        when = np.maximum(start, day + begin + (when - day) * campaign.plan.runs / 24.0)
    return np.sort(np.minimum(when, campaign.end))


class _Dealer:
    """Deals requests to the accounts that are alive, in turn or by capacity."""

    def __init__(self, rng: np.random.Generator, campaign: Campaign) -> None:
        self._rng = rng
        self._balanced = campaign.plan.balanced
        self.start = np.array([x.start for x in campaign.streams])
        self.end = np.array([x.end for x in campaign.streams])
        self._weight = np.array([x.weight for x in campaign.streams])

    def deal(self, when: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """A stream for each time; times are handled in bins of three hours (a pool notices a loss about that fast)."""
        out = np.zeros(len(when), np.int64)
        bins = np.floor(when * 8).astype(np.int64)
        order = np.argsort(bins, kind="stable")
        cuts = np.flatnonzero(np.diff(bins[order])) + 1
        for rows in np.split(order, cuts):
            if not len(rows):
                continue
            moment = float(when[rows].mean())
            alive = np.flatnonzero((self.start <= moment) & (self.end > moment))
            if not len(alive):
                alive = np.array([int(np.argmin(np.abs(self.start - moment)))])
            if self._balanced:
                out[rows] = alive[(np.arange(len(rows)) + int(bins[rows[0]])) % len(alive)]
            else:
                ends = np.cumsum(self._weight[alive])
                out[rows] = alive[np.searchsorted(ends, self._rng.random(len(rows)) * ends[-1], side="right")]
        return out
