"""The background: who uses a model honestly, and how. Nobody here takes part in a campaign.

Each population is a function that makes one group of accounts under its own roof: a person is a group of one, a class
is a group of thirty. What binds a group (an office's organisation, an agency's card, a campus network, a framework's
public prompt) is a cause and given here; the rest is drawn in `accounts`. Shares of accounts and relative volumes are
assumptions, chosen so that every look-alike that operators report is present at every size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from stillwatch.simulate.accounts import DAYS, RELEASED_ON, Account
from stillwatch.simulate.rhythm import ALWAYS, EVENING, NIGHTLY, OFFICE, SCHOOL
from stillwatch.simulate.streams import SharedPayloads, Stream, Streams
from stillwatch.simulate.templates import (
    AGENT_SYSTEM_PROMPTS,
    FRAMEWORK_PROMPTS,
    PIPELINE_PROMPTS,
    TOOL_SETS,
    instructions,
)

# Volumes of accounts are log-normal with a heavy tail: a tenth of the accounts carries nine tenths of the traffic, as
# API providers and the Azure traces' tenants show. A person's spread is less.
SPREAD, PERSON_SPREAD = 1.7, 1.2
APP_INTENTS = ("summary", "extraction", "support", "classification", "translation", "support", "coding", "grading", "reasoning", "tool_use", "generation")
RELEASE_DAY = RELEASED_ON[4]


@dataclass(slots=True)
class Public:
    """What strangers share: prompts of frameworks, pipelines and agents, and their shared payloads."""

    frameworks: list[int] = field(default_factory=list)
    pipelines: list[int] = field(default_factory=list)
    agents: list[int] = field(default_factory=list)
    frontends: list[int] = field(default_factory=list)
    seeds: SharedPayloads | None = None
    benchmark: SharedPayloads | None = None
    viral: SharedPayloads | None = None
    vpn: list[int] = field(default_factory=list)
    sponsors_day: float = -40.0


def public(s: Streams) -> Public:
    """Register the public artefacts of a world."""
    p = Public()
    for before, after in FRAMEWORK_PROMPTS:
        p.frameworks.append(s.wording(before, after, "", code=0.1))
        p.frameworks.append(s.wording("", after, before.strip(), code=0.1))
    for before, after, _ in PIPELINE_PROMPTS:
        p.pipelines.append(s.wording(before, after, "", code=0.15))
    for i, system in enumerate(AGENT_SYSTEM_PROMPTS):
        p.agents.append(s.wording("", "", system, tools=1 + i % (len(TOOL_SETS) - 1), code=0.5))
    p.frontends = [s.wording("", "", AGENT_SYSTEM_PROMPTS[3], code=0.12), s.wording("", "", "You are a helpful assistant.", code=0.12)]
    # a public set of seed tasks, of which every user of an open pipeline sends a part
    p.seeds = s.shared_payloads(600, 0.5)
    p.benchmark = s.shared_payloads(300, 0.95)
    p.viral = s.shared_payloads(1, 0.8)
    p.vpn = [s.addresses.datacentre() for _ in range(24)]
    p.sponsors_day = s.r.uniform(-60, 10)
    return p


@dataclass(frozen=True, slots=True)
class Population:
    """Its share of background accounts, the accounts of one group (least, most), and how a group is made."""

    share: float
    group: tuple[int, int]
    make: Callable[[Streams, Public, str, int], None]


def weight(s: Streams, factor: float, spread: float = SPREAD) -> float:
    """A relative volume; `factor` is the mean."""
    return factor * s.r.lognormvariate(-(spread**2) / 2, spread)


def own_system(s: Streams) -> str:
    """A system prompt that a developer wrote for themselves."""
    return instructions(s.r, s.r.choice(("support", "summary", "coding", "translation")), 1)[0]


def chat_wordings(s: Streams, p: Public, account: Account) -> list[int]:
    """How a person asks: bare, or through an open front end with its public system prompt, or with one of their own."""
    if not account.system and not account.tools:
        return [s.plain]
    u = s.r.random()
    if account.system and not account.tools and u < 0.6:
        return [s.r.choice(p.frontends)]
    return [s.wording("", "", own_system(s) if account.system else "", tools=account.tools, code=0.15)]


def person_stream(s: Streams, p: Public, account: Account, **given: object) -> Stream:
    """A person who chats."""
    r = s.r
    addresses = [s.addresses.residential() for _ in range(r.choice((1, 2, 2, 3)))]
    values: dict[str, object] = {
        "weight": weight(s, 0.45, PERSON_SPREAD), "turns": r.choice((1.0, 2.0, 4.0, 6.0, 9.0)), "busy": r.randint(2, 40),
        "profile": EVENING, "hold": r.choice((0.5, 4.0, 20.0)), "addresses": addresses, "wordings": chat_wordings(s, p, account),
    }  # fmt: skip
    return s.add(Stream(account=account, key=account.key, **(values | given)))  # type: ignore[arg-type]


def program_stream(s: Streams, account: Account, wordings: list[int], **given: object) -> Stream:
    """A program that calls the model."""
    r = s.r
    addresses = [s.addresses.either() for _ in range(r.choice((1, 1, 2, 4)))]
    values: dict[str, object] = {
        "weight": weight(s, 2.0), "turns": r.choice((1.0, 1.0, 1.0, 2.0, 5.0)), "busy": r.randint(5, DAYS), "gap": 15.0,
        "profile": r.choice((OFFICE, EVENING, ALWAYS, ALWAYS)), "hold": r.choice((0.1, 1.0, 30.0)), "addresses": addresses, "wordings": wordings,
    }  # fmt: skip
    return s.add(Stream(account=account, key=account.key, **(values | given)))  # type: ignore[arg-type]


def _person(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        person_stream(s, p, s.register.add(name))


def _developer(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        a = s.register.add(name)
        own = s.job(s.r.choice(APP_INTENTS), s.r.randint(1, 3), chinese=a.language == 1)
        program_stream(s, a, own + ([s.plain] if s.r.random() < 0.5 else []), weight=weight(s, 1.0))


def _company(
    s: Streams, p: Public, name: str, size: int, *, intents: tuple[str, ...] = APP_INTENTS, volume: float = 2.5,
    contract: bool = False, profile: int | None = None, one_card: float = 0.6,
) -> None:
    """One organisation with an application of its own, on one or several accounts."""
    r = s.r
    given: dict[str, object] = {"organization_id": s.register.identifier("org_"), "email_domain": s.register.new_domain()}
    if contract:
        given |= {"verification": "contract", "plan": "enterprise"}
    if size > 1 and r.random() < one_card:
        given["payment"] = s.register.identifier()
    jobs = [w for _ in range(r.choice((1, 1, 2))) for w in s.job(r.choice(intents), r.choice((1, 1, 2)), chinese=r.random() < 0.16)]
    servers = [s.addresses.datacentre() for _ in range(r.randint(1, 4))]
    office = s.addresses.network(2)
    for _ in range(size):
        a = s.register.add(name, **given)
        more: dict[str, object] = {"addresses": servers if r.random() < 0.6 else office, "weight": weight(s, volume)}
        if profile is not None:
            more["profile"] = profile
        program_stream(s, a, jobs, **more)


def _agent_user(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        a = s.register.add(name)
        person_stream(s, p, a, wordings=[s.r.choice(p.agents)], turns=s.r.choice((4.0, 8.0, 14.0)), gap=12.0, weight=weight(s, 1.5))


def _framework_app(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        program_stream(s, s.register.add(name), [s.r.choice(p.frameworks)], weight=weight(s, 2.0))


def _open_pipeline(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        chosen = s.r.sample(p.pipelines, s.r.randint(1, 2))
        begin = s.r.uniform(0, DAYS - 10)
        program_stream(s, s.register.add(name), chosen, weight=weight(s, 2.5), turns=1.0, payloads=p.seeds, start=begin, end=begin + s.r.uniform(2, 30))


def _class(s: Streams, p: Public, name: str, size: int) -> None:
    r = s.r
    day = r.uniform(1, 30)
    country, client = r.choice(("US", "GB", "DE", "IN")), r.randrange(12)
    campus, domain = s.addresses.network(3), f"{s.register.new_domain().split('.')[0]}.edu"
    homework = s.job(r.choice(("coding", "summary", "reasoning")), 1, system=False, tools=0)
    tasks = s.shared_payloads(12, 0.6)
    for _ in range(size):
        a = s.register.add(name, created=day + r.uniform(0, 0.2), country=country, email_domain=domain, programme="education", client=client, tls=client)
        person_stream(s, p, a, wordings=[*homework, s.plain], addresses=[r.choice(campus), s.addresses.residential()], profile=SCHOOL, payloads=tasks, hold=0.5, start=day)


def _benchmark_user(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        a = s.register.add(name, created=min(s.register.age(), RELEASE_DAY - 1))
        begin = RELEASE_DAY + s.r.uniform(0.0, 0.6)
        program_stream(s, a, [s.plain], start=begin, end=begin + s.r.uniform(0.3, 2), payloads=p.benchmark, turns=1.0, only_new_model=True, weight=weight(s, 1.0), profile=ALWAYS)
        if s.r.random() < 0.6:
            person_stream(s, p, a)


def _nightly(s: Streams, p: Public, name: str, size: int, *, profile: int = NIGHTLY, addresses: int = 2) -> None:
    a = s.register.add(name)
    cases = s.shared_payloads(s.r.randint(40, 200), 1.0)
    runners = [s.addresses.datacentre() for _ in range(addresses)]
    jobs = s.job(s.r.choice(APP_INTENTS), 2)
    program_stream(s, a, jobs, payloads=cases, profile=profile, addresses=runners, busy=DAYS, turns=1.0, weight=weight(s, 3.0), hold=0.02)


def _agency(s: Streams, p: Public, name: str, size: int) -> None:
    r = s.r
    card, device, servers = s.register.identifier(), s.register.identifier(), [s.addresses.datacentre() for _ in range(3)]
    day = s.register.age()
    for k in range(size):
        a = s.register.add(name, payment=card, device=device, created=day + k * r.uniform(0, 0.5), plan="pay_as_you_go")
        program_stream(s, a, s.job("support", 1), addresses=servers, weight=weight(s, 1.5), end_users=r.randint(5, 80))


def _aggregator(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        a = s.register.add(name, verification="contract", plan="enterprise", path="gateway", has_conversations=False, has_history=False)
        many = [*p.frameworks, *p.agents, *p.frontends, s.plain, s.plain, s.plain, *(w for _ in range(8) for w in s.job(s.r.choice(APP_INTENTS), 1))]
        servers = [s.addresses.datacentre() for _ in range(6)]
        program_stream(s, a, many, addresses=servers, weight=weight(s, 12.0, 0.6), end_users=400, profile=ALWAYS, busy=DAYS)


def _shared_address(s: Streams, p: Public, name: str, size: int) -> None:
    exits = p.vpn if s.r.random() < 0.5 else list(s.addresses.network(3))
    for _ in range(size):
        own = s.addresses.residential()
        person_stream(s, p, s.register.add(name), addresses=[*s.r.sample(exits, min(3, len(exits))), own], hold=0.3)


def _free_rider(s: Streams, p: Public, name: str, size: int) -> None:
    r = s.r
    day, device, home = s.register.age(), s.register.identifier(), [s.addresses.residential(), s.addresses.residential()]
    language = s.register.add(name, plan="free", created=day, device=device)
    person_stream(s, p, language, addresses=home)
    for _ in range(size - 1):
        a = s.register.add(name, plan="free", created=day + r.uniform(0, 3), device=device, country=language.country, language=language.language)
        person_stream(s, p, a, addresses=home, profile=EVENING)


def _viral(s: Streams, p: Public, name: str, size: int) -> None:
    for _ in range(size):
        a = s.register.add(name)
        person_stream(s, p, a)
        person_stream(s, p, a, wordings=[s.plain], start=36.0, end=39.0, weight=0.03, payloads=p.viral, turns=1.5)


def _returned(s: Streams, p: Public, name: str, size: int) -> None:
    from stillwatch.simulate.accounts import close

    r = s.r
    gone = s.register.add(name, role="innocent")
    if gone.closed is None:
        close(gone, r.uniform(max(gone.created, 0) + 1, DAYS - 3), "banned")
    home = [s.addresses.residential()]
    person_stream(s, p, gone, addresses=home)
    back = s.register.add(name, created=(gone.closed or 30.0) + r.uniform(0.1, 2), device=gone.device, payment=gone.payment, country=gone.country, language=gone.language)
    person_stream(s, p, back, addresses=home)


def _backfill(s: Streams, p: Public, name: str, size: int) -> None:
    begin = s.r.uniform(2, DAYS - 6)
    program_stream(s, s.register.add(name), s.job(s.r.choice(("extraction", "classification", "summary", "translation")), 1), start=begin, end=begin + s.r.uniform(0.5, 4), profile=ALWAYS, weight=weight(s, 4.0), turns=1.0)


def _cohort(s: Streams, p: Public, name: str, size: int, *, programme: str | None = None, tutorial: bool = False) -> None:
    """Strangers who signed up together: on one sponsor's credits, or for one tutorial with one library."""
    r = s.r
    day = 12.3 if tutorial else p.sponsors_day
    example, client = s.shared_payloads(5, 0.5), r.randrange(12)
    lesson = s.job("coding", 1, system=True)
    for _ in range(size):
        given: dict[str, object] = {"created": day + r.uniform(0, 1.5)}
        given |= {"client": client, "tls": client} if tutorial else {"programme": programme}
        a = s.register.add(name, **given)
        if tutorial:
            program_stream(s, a, [*lesson, s.plain], payloads=example, end=max(day, 0) + r.uniform(2, 20), weight=weight(s, 0.4))
        else:
            program_stream(s, a, s.job(r.choice(APP_INTENTS), 2), weight=weight(s, 1.5))


POPULATIONS: dict[str, Population] = {
    "person": Population(0.295, (1, 1), _person),
    "shared_address": Population(0.08, (6, 14), _shared_address),
    "developer": Population(0.13, (1, 1), _developer),
    "small_company": Population(0.09, (1, 4), _company),
    "agent_user": Population(0.07, (1, 1), _agent_user),
    "framework_app": Population(0.06, (1, 1), _framework_app),
    "open_pipeline": Population(0.03, (1, 1), _open_pipeline),
    "university_class": Population(0.035, (18, 35), _class),
    "benchmark_user": Population(0.02, (1, 1), _benchmark_user),
    "nightly_regression": Population(0.008, (1, 1), _nightly),
    "ci_fleet": Population(0.008, (1, 1), partial(_nightly, profile=ALWAYS, addresses=60)),
    "judge_user": Population(0.01, (1, 2), partial(_company, intents=("grading",))),
    "agency": Population(0.02, (6, 14), _agency),
    "aggregator": Population(0.002, (1, 1), _aggregator),
    "enterprise": Population(0.03, (8, 40), partial(_company, contract=True, volume=2.0)),
    "free_rider": Population(0.025, (3, 6), _free_rider),
    "viral_prompt": Population(0.03, (1, 1), _viral),
    "returned_after_ban": Population(0.01, (2, 2), _returned),
    "backfill": Population(0.008, (1, 1), _backfill),
    "startup_credits": Population(0.015, (8, 20), partial(_cohort, programme="startup")),
    "audit_trail": Population(0.008, (1, 3), partial(_company, intents=("reasoning",))),
    "approved_synthetic": Population(0.008, (3, 8), partial(_company, intents=("generation", "reasoning"), contract=True, volume=4.0, profile=ALWAYS)),
    "tutorial_weekend": Population(0.02, (10, 30), partial(_cohort, tutorial=True)),
    "labelling_firm": Population(0.008, (4, 9), partial(_company, intents=("grading", "classification"))),
    "reseller": Population(0.002, (1, 1), _aggregator),
}


def background(s: Streams, p: Public, accounts: int) -> None:
    """Fill a world with about `accounts` honest accounts; every population has at least one group."""
    for name, population in POPULATIONS.items():
        wanted = max(1, round(population.share * accounts))
        while wanted > 0:
            size = min(s.r.randint(*population.group), max(wanted, population.group[0]))
            population.make(s, p, name, size)
            wanted -= size
