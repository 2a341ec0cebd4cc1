"""The careful adversary, who knows how such campaigns are found: every evasion is a switch, and has its cost.

One adversary runs two campaigns that take a tenth of the world's exchanges, whatever is switched on: what evasions
change is from how many accounts, when, in which words and at what cost (`truth_costs.parquet`). Without any of them
the campaigns run as others do: round the clock, through shared exits, a part on shared cards, one job after another,
each in some wordings of its own.

In this world a quarter of the honest accounts are strangers on popular agents, with the agents' own clients; two in
five of a camouflaged campaign's accounts look like them. All else is the background of `february-2026`. How an
adversary would do each of these is assumed: none has been disclosed as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from stillwatch.errors import InputError
from stillwatch.simulate.accounts import DAYS, TURNS, Account
from stillwatch.simulate.background import background
from stillwatch.simulate.costs import Force, costs
from stillwatch.simulate.dispatch import Campaign, Pace, Run
from stillwatch.simulate.public import Public, honest_accounts, public
from stillwatch.simulate.recruits import (
    LANGUAGES_ASKED,
    LEAST_ACCOUNTS,
    NOTICES,
    bind,
    pool_exits,
    sign_up,
    spread_ordinary,
)
from stillwatch.simulate.rhythm import ALWAYS, EVENING, OFFICE
from stillwatch.simulate.streams import Asked, Stream, Streams
from stillwatch.simulate.templates import AGENT_SYSTEM_PROMPTS, TOOL_SETS, Subject, instructions, subject
from stillwatch.simulate.users import PERSON_SPREAD, person_stream, weight

EVASIONS: dict[str, str] = {
    "human_hours": "requests come at the hours and on the days of a person or an office, in each account's time zone",
    "low_volume": "an account sends no more than the mean honest one",
    "own_exit": "each account has household addresses that no other account of the pool uses",
    "own_card": "each account has a card, phone, device and mail address of its own",
    "reworded": "every conversation's instruction is worded anew, keeping what the job is about",
    "shuffled": "every account works on all jobs at once, instead of all on one job after another",
    "decoy_chat": "each account also chats, as much as it extracts",
    "camouflage": "two accounts in five use the system prompt, tools and client of a popular agent",
    "planted": "aged and verified accounts send some of the same instructions from the first day, so that trusted "
    "accounts seem to send them too",
    "framing": "a third of the requests copy the template of an honest organisation",
}
SHARE = 0.1  # of all exchanges are the campaigns'
NAMES = ("campaign-g", "campaign-h")
INTENTS = (
    ("reasoning", "grading", "coding", "reasoning"),
    ("tool_use", "coding", "reasoning", "generation"),
)
AN_ACCOUNT, LOW = 690, 110  # exchanges: as in February's campaigns, and as the mean honest account
DECOYS = 1.0  # for each useful exchange
POPULAR = 0.25  # of honest accounts use a popular agent
CAMOUFLAGED = 0.4
PLANTED, PLANTED_EXCHANGES = 0.25, 0.05  # accounts for each member; of the campaign's exchanges
FRAMED = 1 / 3
BANNED = 0.03  # as anybody, and one in a hundred more
CONVERSATION = 3  # exchanges: the mean of TURNS, near enough


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    intent: str
    in_system: bool
    after: bool
    tools: int
    about: Subject
    texts: list[str]  # its wordings, where each conversation has none of its own


@dataclass(frozen=True, slots=True)
class _Adversary:
    """One campaign being put together."""

    number: int
    evasions: frozenset[str]
    force: Force
    jobs: list[_Job]
    framed: list[int]  # wordings of an honest organisation
    exits: list[int]

    @property
    def name(self) -> str:
        return NAMES[self.number]

    @property
    def pool(self) -> str:
        return f"careful_pool_{self.number + 1}"


def careful(s: Streams, asked: Asked) -> list[Campaign]:
    """Fill a world with two careful campaigns and the background; raises InputError for an unknown evasion."""
    evasions = _known(asked.evasions)
    force = _force(evasions, round(asked.exchanges * SHARE / len(NAMES)))
    honest = honest_accounts(asked.exchanges - len(NAMES) * (force.exchanges + force.decoys))
    shared = public(s, honest)
    background(s, shared, round(honest * (1 - POPULAR)))
    _agent_users(s, shared, round(honest * POPULAR))
    organisations = _organisations(s)
    campaigns = []
    for number in range(len(NAMES)):
        framed = [replace(s.wordings[w], workload=f"{NAMES[number]}/framing") for w in s.r.choice(organisations)]
        s.wordings += framed
        copied = [len(s.wordings) - 1 - i for i in range(len(framed))]
        exits = pool_exits(s, shared, max(4, round(force.accounts * 1.5)))
        adversary = _Adversary(number, evasions, force, _jobs(s, number), copied, exits)
        campaigns.append(_campaign(s, shared, adversary))
    s.costs = costs(force, len(NAMES), evasions)
    return campaigns


def _known(evasions: frozenset[str] | None) -> frozenset[str]:
    if evasions is None:
        return frozenset(EVASIONS)
    unknown = sorted(evasions - set(EVASIONS))
    if unknown:
        raise InputError(f"--evasions {unknown[0]}: unknown; there are {', '.join(EVASIONS)}, or none")
    return evasions


def _force(evasions: frozenset[str], exchanges: int) -> Force:
    """What one campaign takes with these evasions."""
    decoys = DECOYS if "decoy_chat" in evasions else 0.0
    useful = (LOW if "low_volume" in evasions else AN_ACCOUNT) / (1 + decoys)
    accounts = max(LEAST_ACCOUNTS, round(exchanges / useful))
    planted = max(2, round(accounts * PLANTED)) if "planted" in evasions else 0
    return Force(
        exchanges=exchanges,
        accounts=accounts,
        planted=planted,
        decoys=round(exchanges * decoys),
        framed=round(exchanges * FRAMED) if "framing" in evasions else 0,
        camouflaged=round(exchanges * CAMOUFLAGED) if "camouflage" in evasions else 0,
        plain_accounts=max(LEAST_ACCOUNTS, round(exchanges / AN_ACCOUNT)),
        low_share=LOW / AN_ACCOUNT,
    )


def _agent_users(s: Streams, p: Public, count: int) -> None:
    """Strangers on popular agents, each with its agent's own client."""
    for _ in range(count):
        agent = s.r.randrange(len(p.agents))
        account = s.register.add("agent_user", client=agent, tls=agent)
        turns = s.r.choice((2.0, 4.0, 8.0))
        person_stream(s, p, account, wordings=[p.agents[agent]], turns=turns, gap=12.0, weight=weight(s, 1.5))


def _organisations(s: Streams) -> list[list[int]]:
    """The wordings of each honest organisation that has several accounts."""
    accounts: dict[str, set[int]] = defaultdict(set)
    wordings: dict[str, list[int]] = {}
    for x in s.streams:
        organisation = x.account.organization_id
        if organisation and all(
            s.wordings[w].before or s.wordings[w].after or s.wordings[w].system for w in x.wordings
        ):
            accounts[organisation].add(x.account.number)
            wordings[organisation] = list(x.wordings)
    return [wordings[o] for o, a in accounts.items() if len(a) > 1]


def _jobs(s: Streams, number: int) -> list[_Job]:
    r = s.r
    jobs = []
    for i, intent in enumerate(INTENTS[number]):
        about = subject(r, False)
        texts = instructions(r, intent, r.randint(6, 12), about=about)
        tools = r.randrange(1, len(TOOL_SETS)) if i == number else 0
        jobs.append(
            _Job(
                f"{NAMES[number]}/{intent}-{i + 1}",
                intent,
                (i + number) % 2 == 0,
                r.random() < 0.4,
                tools,
                about,
                texts,
            )
        )
    return jobs


def _campaign(s: Streams, p: Public, a: _Adversary) -> Campaign:
    r = s.r
    start, end = r.uniform(3.0, 8.0), r.uniform(54.0, 58.0)
    members = sign_up(s, a.pool, a.force.accounts, banned=BANNED, start=start, end=end)
    if "own_card" not in a.evasions:
        bind(s, members, cards=0.4)
    streams = [x for m in members for x in _member(s, a, m, (start, end))]
    planted = [_plant(s, a) for _ in range(a.force.planted)]
    seeded = max(len(planted), round(a.force.exchanges * PLANTED_EXCHANGES)) if planted else 0
    pace = Pace(own_hours=True) if "human_hours" in a.evasions else Pace()
    runs = [Run(a.force.exchanges - seeded, streams, start, end, pace)]
    if planted:
        runs.append(Run(seeded, planted, 0.0, float(DAYS), Pace(own_hours=True)))
    if a.force.decoys:
        spread_ordinary(s, p, streams + planted, a.force.decoys)
    return Campaign(a.name, runs)


def _member(s: Streams, a: _Adversary, account: Account, span: tuple[float, float]) -> list[Stream]:
    """One account's streams: one for all jobs, or one for each job in turn."""
    r = s.r
    agent = _camouflage(s, account) if "camouflage" in a.evasions and r.random() < CAMOUFLAGED else None
    start, end = max(span[0], account.created + 0.02), span[1]
    parts = [(a.jobs, start, end)]
    if "shuffled" not in a.evasions:
        step = (span[1] - span[0]) / len(a.jobs)
        spans = [(span[0] + i * step, span[0] + (i + 1) * step) for i in range(len(a.jobs))]
        stops = end if account.closed is None else min(end, account.closed)
        parts = [
            ([job], max(start, first), last)
            for job, (first, last) in zip(a.jobs, spans, strict=True)
            if min(last, stops) - max(start, first) > 0.5
        ] or parts
    addresses = _addresses(s, a)
    several = len(parts)
    streams = []
    for jobs, first, last in parts:
        wordings = _wordings(s, a, jobs, agent, a.force.exchanges / a.force.accounts / several)
        stream = _stream(s, a, account, wordings, addresses)
        stream.start, stream.end = first, last
        streams.append(s.add(stream, NOTICES))
    return streams


def _stream(s: Streams, a: _Adversary, account: Account, wordings: list[int], addresses: list[int]) -> Stream:
    r = s.r
    human = "human_hours" in a.evasions
    return Stream(
        account=account,
        key=account.key,
        wordings=wordings,
        addresses=addresses,
        weight=weight(s, 1.0, PERSON_SPREAD),
        campaign=a.number,
        pool=a.pool,
        profile=r.choice((EVENING, OFFICE)) if human else ALWAYS,
        turns=r.choice(TURNS),
        gap=60.0 if human else 15.0,
        busy=r.randint(5, 40),
        hold=r.choice((0.5, 4.0, 20.0)) if "own_exit" in a.evasions else 0.2,
        language=LANGUAGES_ASKED(r),
    )


def _plant(s: Streams, a: _Adversary) -> Stream:
    """An aged and verified account that sends some of the instructions, now and then, from the first day."""
    r = s.r
    account = s.register.add(
        a.pool, role="member", created=-r.uniform(200.0, 900.0), verification=r.choice(("phone", "identity"))
    )
    wordings = _wordings(s, a, r.sample(a.jobs, 2), None, 3 * CONVERSATION)
    stream = _stream(s, a, account, wordings, [s.addresses.residential() for _ in range(2)])
    stream.profile, stream.hold = EVENING, 20.0
    return s.add(stream, NOTICES)


def _camouflage(s: Streams, account: Account) -> int:
    """Give an account the client of a popular agent; the agent's number."""
    agent = s.r.randrange(len(AGENT_SYSTEM_PROMPTS))
    account.client = account.tls = agent
    return agent


def _addresses(s: Streams, a: _Adversary) -> list[int]:
    if "own_exit" in a.evasions:
        return [s.addresses.residential() for _ in range(2)]
    return s.r.sample(a.exits, min(len(a.exits), s.r.randint(3, 16)))


def _wordings(s: Streams, a: _Adversary, jobs: list[_Job], agent: int | None, exchanges: float) -> list[int]:
    """What an account says to do these jobs in so many exchanges."""
    r = s.r
    own = []
    for job in jobs:
        if "reworded" in a.evasions:
            count = max(2, round(exchanges / CONVERSATION / len(jobs)))
            texts = [instructions(r, job.intent, 1, about=job.about)[0] for _ in range(count)]
        else:
            texts = r.sample(job.texts, min(len(job.texts), r.randint(2, 5)))
        own += [_worded(s, job, text, agent) for text in texts]
    if "framing" in a.evasions:
        # an account draws among its wordings evenly, so that so many copies make the share
        copies = max(1, round(len(own) * FRAMED / (1 - FRAMED)))
        own += [a.framed[i % len(a.framed)] for i in range(copies)]
    return own


def _worded(s: Streams, job: _Job, text: str, agent: int | None) -> int:
    system, tools = "", job.tools
    if agent is not None:
        system, tools = AGENT_SYSTEM_PROMPTS[agent], 1 + agent % (len(TOOL_SETS) - 1)
    elif job.in_system:
        return s.wording("", "", text, tools=tools, workload=job.name)
    before, after = ("", "\n\n" + text) if job.after else (text + "\n\n", "")
    return s.wording(before, after, system, tools=tools, workload=job.name)
