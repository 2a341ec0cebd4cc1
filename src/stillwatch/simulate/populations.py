"""Honest populations: each function makes one group of accounts under its own roof.

A person is a group of one, a class is a group of thirty. What binds a group (an office's organisation, an agency's
card, a campus network, a framework's public prompt) is a cause and given here; the rest is drawn in `accounts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stillwatch.simulate.accounts import DAYS, NEW, RELEASED_ON, close
from stillwatch.simulate.public import Public
from stillwatch.simulate.rhythm import ALWAYS, NIGHTLY, SCHOOL
from stillwatch.simulate.streams import Streams
from stillwatch.simulate.users import APP_INTENTS, person_stream, program_stream, weight

RELEASE_DAY = RELEASED_ON[NEW]


@dataclass(frozen=True, slots=True)
class Group:
    """A group that is to be made: in which world, of which population, with how many accounts."""

    streams: Streams
    public: Public
    name: str
    size: int


def person(g: Group) -> None:
    """Somebody who chats."""
    for _ in range(g.size):
        person_stream(g.streams, g.public, g.streams.register.add(g.name))


def developer(g: Group) -> None:
    """A developer with a key and scripts of their own."""
    for _ in range(g.size):
        a = g.streams.register.add(g.name)
        own = g.streams.job(g.streams.r.choice(APP_INTENTS), g.streams.r.randint(1, 3), chinese=a.language == 1)
        program_stream(
            g.streams, a, own + ([g.streams.plain] if g.streams.r.random() < 0.5 else []), weight=weight(g.streams, 1.0)
        )


def company(
    g: Group,
    *,
    intents: tuple[str, ...] = APP_INTENTS,
    volume: float = 2.5,
    contract: bool = False,
    profile: int | None = None,
    one_card: float = 0.6,
) -> None:
    """One organisation with an application of its own, on one or several accounts."""
    r = g.streams.r
    given: dict[str, Any] = {
        "organization_id": g.streams.register.identifier("org_"),
        "email_domain": g.streams.register.new_domain(),
    }
    if contract:
        given |= {"verification": "contract", "plan": "enterprise"}
    if g.size > 1 and r.random() < one_card:
        given["payment"] = g.streams.register.identifier()
    jobs = [
        w
        for _ in range(r.choice((1, 1, 2)))
        for w in g.streams.job(r.choice(intents), r.choice((1, 1, 2)), chinese=r.random() < 0.16)
    ]
    servers = [g.streams.addresses.datacentre() for _ in range(r.randint(1, 4))]
    office = g.streams.addresses.network(2)
    # some firms balance their own load: a conversation goes on in another of their accounts
    together = g.streams.handover_group() if g.size > 1 and r.random() < 0.3 else 0
    for _ in range(g.size):
        a = g.streams.register.add(g.name, **given)
        more: dict[str, Any] = {
            "addresses": servers if r.random() < 0.6 else office,
            "weight": weight(g.streams, volume),
        }
        if profile is not None:
            more["profile"] = profile
        if together:
            more["handover"] = together
        program_stream(g.streams, a, jobs, **more)


def agent_user(g: Group) -> None:
    """One of the hundreds of strangers on a popular agent."""
    for _ in range(g.size):
        a = g.streams.register.add(g.name)
        person_stream(
            g.streams,
            g.public,
            a,
            wordings=[g.streams.r.choice(g.public.agents)],
            turns=g.streams.r.choice((4.0, 8.0)),
            gap=12.0,
            weight=weight(g.streams, 1.5),
        )


def framework_app(g: Group) -> None:
    """An application on a framework's public prompts."""
    for _ in range(g.size):
        program_stream(
            g.streams,
            g.streams.register.add(g.name),
            [g.streams.r.choice(g.public.frameworks)],
            weight=weight(g.streams, 2.0),
        )


def open_pipeline(g: Group) -> None:
    """An independent user of an open synthetic-data pipeline, with part of its public seed tasks."""
    for _ in range(g.size):
        chosen = g.streams.r.sample(g.public.pipelines, g.streams.r.randint(1, 2))
        begin = g.streams.r.uniform(0, DAYS - 10)
        program_stream(
            g.streams,
            g.streams.register.add(g.name),
            chosen,
            weight=weight(g.streams, 2.5),
            turns=1.0,
            payloads=g.public.seeds,
            start=begin,
            end=begin + g.streams.r.uniform(2, 30),
        )


def university_class(g: Group) -> None:
    """A class: one campus, one sign-up day, one homework."""
    r = g.streams.r
    day = r.uniform(1, 30)
    country, client = r.choice(("US", "GB", "DE", "IN")), r.randrange(12)
    campus, domain = g.streams.addresses.network(3), f"{g.streams.register.new_domain().split('.')[0]}.edu"
    homework = g.streams.job(r.choice(("coding", "summary", "reasoning")), 1, system=False, tools=0)
    tasks = g.streams.shared_payloads(12, 0.6)
    for _ in range(g.size):
        a = g.streams.register.add(
            g.name,
            created=day + r.uniform(0, 0.2),
            country=country,
            email_domain=domain,
            programme="education",
            client=client,
            tls=client,
        )
        person_stream(
            g.streams,
            g.public,
            a,
            wordings=[*homework, g.streams.plain],
            addresses=[r.choice(campus), g.streams.addresses.residential()],
            profile=SCHOOL,
            payloads=tasks,
            hold=0.5,
            start=day,
        )


def benchmark_user(g: Group) -> None:
    """Everyone runs the same public questions on the day of a release."""
    for _ in range(g.size):
        a = g.streams.register.add(g.name, created=min(g.streams.register.age(), RELEASE_DAY - 1))
        begin = RELEASE_DAY + g.streams.r.uniform(0.0, 0.6)
        program_stream(
            g.streams,
            a,
            [g.streams.plain],
            start=begin,
            end=begin + g.streams.r.uniform(0.3, 2),
            payloads=g.public.benchmark,
            turns=1.0,
            only_new_model=True,
            weight=weight(g.streams, 1.0),
            profile=ALWAYS,
        )
        if g.streams.r.random() < 0.6:
            person_stream(g.streams, g.public, a)


def nightly(g: Group, *, profile: int = NIGHTLY, addresses: int = 2) -> None:
    """A regression suite with the same cases every time, by night or round the clock; a fleet of runners on one key."""
    a = g.streams.register.add(g.name)
    cases = g.streams.shared_payloads(g.streams.r.randint(40, 200), 1.0)
    runners = [g.streams.addresses.datacentre() for _ in range(addresses)]
    jobs = g.streams.job(g.streams.r.choice(APP_INTENTS), 2)
    program_stream(
        g.streams,
        a,
        jobs,
        payloads=cases,
        profile=profile,
        addresses=runners,
        busy=DAYS,
        turns=1.0,
        weight=weight(g.streams, 3.0),
        hold=0.02,
    )


def agency(g: Group) -> None:
    """An agency's client bots: one hand beyond doubt, which distils nothing."""
    r = g.streams.r
    card, device, servers = (
        g.streams.register.identifier(),
        g.streams.register.identifier(),
        [g.streams.addresses.datacentre() for _ in range(3)],
    )
    day = g.streams.register.age()
    for k in range(g.size):
        a = g.streams.register.add(
            g.name, payment=card, device=device, created=day + k * r.uniform(0, 0.5), plan="pay_as_you_go"
        )
        program_stream(
            g.streams,
            a,
            g.streams.job("support", 1),
            addresses=servers,
            weight=weight(g.streams, 1.5),
            end_users=r.randint(5, 80),
        )


def aggregator(g: Group) -> None:
    """A contracted aggregator or reseller: many end users, everything asked, metadata stripped."""
    for _ in range(g.size):
        a = g.streams.register.add(
            g.name,
            verification="contract",
            plan="enterprise",
            path="gateway",
            has_conversations=False,
            has_history=False,
        )
        many = [
            *g.public.frameworks,
            *g.public.agents,
            *g.public.frontends,
            g.streams.plain,
            g.streams.plain,
            g.streams.plain,
            *(w for _ in range(8) for w in g.streams.job(g.streams.r.choice(APP_INTENTS), 1)),
        ]
        servers = [g.streams.addresses.datacentre() for _ in range(6)]
        program_stream(
            g.streams,
            a,
            many,
            addresses=servers,
            weight=weight(g.streams, 12.0, 0.6),
            end_users=400,
            profile=ALWAYS,
            busy=DAYS,
        )


def shared_address(g: Group) -> None:
    """People behind one carrier's NAT or one commercial VPN."""
    exits = g.public.vpn if g.streams.r.random() < 0.5 else list(g.streams.addresses.network(3))
    for _ in range(g.size):
        own = g.streams.addresses.residential()
        person_stream(
            g.streams,
            g.public,
            g.streams.register.add(g.name),
            addresses=[*g.streams.r.sample(exits, min(3, len(exits))), own],
            hold=0.3,
        )


def free_rider(g: Group) -> None:
    """One person on several free accounts, who only chats."""
    r = g.streams.r
    day, device, home = (
        g.streams.register.age(),
        g.streams.register.identifier(),
        [g.streams.addresses.residential(), g.streams.addresses.residential()],
    )
    first = g.streams.register.add(g.name, plan="free", created=day, device=device)
    together = g.streams.handover_group()  # what one free account may no longer say, the next one continues
    person_stream(g.streams, g.public, first, addresses=home, handover=together)
    for _ in range(g.size - 1):
        a = g.streams.register.add(
            g.name,
            plan="free",
            created=day + r.uniform(0, 3),
            device=device,
            country=first.country,
            language=first.language,
        )
        person_stream(g.streams, g.public, a, addresses=home, handover=together)


def viral(g: Group) -> None:
    """People who all send one viral prompt within days."""
    for _ in range(g.size):
        a = g.streams.register.add(g.name)
        person_stream(g.streams, g.public, a)
        person_stream(
            g.streams,
            g.public,
            a,
            wordings=[g.streams.plain],
            start=36.0,
            end=39.0,
            weight=0.03,
            payloads=g.public.viral,
            turns=1.5,
        )


def returned(g: Group) -> None:
    """Somebody who was banned and came back."""
    r = g.streams.r
    gone = g.streams.register.add(g.name, role="innocent")
    if gone.closed is None:
        close(gone, r.uniform(max(gone.created, 0) + 1, DAYS - 3), "banned")
    home = [g.streams.addresses.residential()]
    person_stream(g.streams, g.public, gone, addresses=home)
    back = g.streams.register.add(
        g.name,
        created=(gone.closed or 30.0) + r.uniform(0.1, 2),
        device=gone.device,
        payment=gone.payment,
        country=gone.country,
        language=gone.language,
    )
    person_stream(g.streams, g.public, back, addresses=home)


def backfill(g: Group) -> None:
    """A one-off job that goes straight to its maximum."""
    begin = g.streams.r.uniform(2, DAYS - 6)
    program_stream(
        g.streams,
        g.streams.register.add(g.name),
        g.streams.job(g.streams.r.choice(("extraction", "classification", "summary", "translation")), 1),
        start=begin,
        end=begin + g.streams.r.uniform(0.5, 4),
        profile=ALWAYS,
        weight=weight(g.streams, 4.0),
        turns=1.0,
    )


def cohort(g: Group, *, programme: str | None = None, tutorial: bool = False) -> None:
    """Strangers who signed up together: on one sponsor's credits, or for one tutorial with one library."""
    r = g.streams.r
    day = 12.3 if tutorial else g.public.sponsors_day
    example, client = g.streams.shared_payloads(5, 0.5), r.randrange(12)
    lesson = g.streams.job("coding", 1, system=True)
    for _ in range(g.size):
        given: dict[str, Any] = {"created": day + r.uniform(0, 1.5)}
        given |= {"client": client, "tls": client} if tutorial else {"programme": programme}
        a = g.streams.register.add(g.name, **given)
        if tutorial:
            program_stream(
                g.streams,
                a,
                [*lesson, g.streams.plain],
                payloads=example,
                end=max(day, 0) + r.uniform(2, 20),
                weight=weight(g.streams, 0.4),
            )
        else:
            program_stream(g.streams, a, g.streams.job(r.choice(APP_INTENTS), 2), weight=weight(g.streams, 1.5))
