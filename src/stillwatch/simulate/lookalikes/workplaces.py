"""Organisations at work: suites, fleets, backfills, audits, judges, labelling, approved synthetic data, enterprises."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.accounts import COUNTRIES, DAYS, MADE_WITHIN, NEW, RELEASED_ON, USES, VERIFIED
from stillwatch.simulate.lookalikes.commons import Crowd, popular, questions, turns
from stillwatch.simulate.rhythm import ALWAYS, NIGHTLY, OFFICE
from stillwatch.simulate.users import APP_INTENTS, SPREAD, person_stream, program_stream, weight

RELEASE_DAY = RELEASED_ON[NEW]
FINE_TUNING = "fine-tuning data"  # what whoever makes training data openly declares
DECLARED = 0.85  # share of organisations that tell the provider which accounts are theirs: assumption
DEPARTMENTS = (2, 8)  # jobs of an enterprise, of which an account runs one to three: assumption


def firm(c: Crowd, *, one_card: float = 0.8, **given: Any) -> dict[str, Any]:
    """What the accounts of one organisation have in common: its mail domain, its country, how it was verified, what it
    says it does; and mostly its name and its card."""
    common: dict[str, Any] = {
        "organization_id": c.new("org_") if c.r.random() < DECLARED else None,
        "email_domain": c.streams.register.new_domain(),
        "plan": c.r.choice(("pay_as_you_go", "pay_as_you_go", "team")),
        "country": COUNTRIES(c.r),
        "verification": VERIFIED(c.r),
        "declared_use": USES(c.r),
        "programme": None,
    }
    if c.r.random() < one_card:
        common["payment"] = c.new()
    return common | given


def contracted(c: Crowd, *, signed_before: float = 0.8) -> dict[str, Any]:
    """A contract, which most signed before the world began; for the rest it is an event within it."""
    created = min(c.streams.register.age(), DAYS - 15.0)
    signed = max(created, 0.0) + c.r.uniform(0.0, 10.0)
    before = [(created, "verification", "email"), (created, "plan", "pay_as_you_go")]
    events = [*before, (signed, "verification", "contract"), (signed, "plan", "enterprise")]
    given: dict[str, Any] = {"verification": "contract", "plan": "enterprise", "created": created}
    given["organization_id"] = c.new("org_")  # a contract names its party
    return given | {"events": events if c.r.random() > signed_before else []}


def one_more(given: dict[str, Any], created: float | None = None) -> dict[str, Any]:
    """What a contract gives to one more account, and what had happened to it by then is no event of its own."""
    made: float = given["created"] if created is None else created
    return given | {"created": made, "events": [e for e in given["events"] if e[0] >= made]}


def nightly_regression(c: Crowd) -> None:
    """A regression suite: the same cases every night, or round the clock, on one account or one for each stage.

    Suites turn to a new model on its first day: that is what they are for.
    """
    r = c.r
    cases = questions(c, r.randint(40, 250), 1.0)
    jobs, runners = c.jobs(APP_INTENTS, 1, 2), c.servers(r.randint(1, 3))
    given = firm(c)
    profile = NIGHTLY if r.random() < 0.7 else ALWAYS
    for _ in range(c.size):
        program_stream(
            c.streams,
            c.add(**given),
            jobs,
            payloads=cases,
            profile=profile,
            addresses=runners,
            busy=DAYS,
            turns=1.0,
            weight=weight(c.streams, 8.0, 1.2),
            hold=0.5,
            new_model_share=r.choice((0.0, 0.5, 1.0)),
        )


def ci_fleet(c: Crowd) -> None:
    """A fleet of runners on one key: many addresses, which other customers of the same runners leave through too."""
    r = c.r
    for _ in range(c.size):
        program_stream(
            c.streams,
            c.add(**firm(c)),
            c.jobs(("coding", "classification", "grading", "tool_use", "summary"), r.randint(1, 2)),
            payloads=questions(c, r.randint(20, 120), 0.8),
            profile=r.choice((OFFICE, ALWAYS)),
            addresses=r.sample(c.public.runners, min(len(c.public.runners), r.randint(30, 120))),
            busy=DAYS,
            turns=1.0,
            weight=weight(c.streams, 8.0, 1.2),
            hold=0.01,
        )


def backfill(c: Crowd) -> None:
    """A one-off job that goes straight to its maximum, on new accounts as often as not, and ends."""
    r = c.r
    begin = r.uniform(2, DAYS - 6)
    jobs = c.jobs(("extraction", "classification", "summary", "translation", "grading"), 1)
    given, span, volume = firm(c), r.uniform(0.3, 4), weight(c.streams, 6.0, 1.2)
    fresh = r.random() < 0.5
    for _ in range(c.size):
        made: dict[str, Any] = {"created": begin - r.uniform(0.05, 1.5)} if fresh else {}
        program_stream(
            c.streams,
            c.add(**given, **made),
            jobs,
            start=begin,
            end=begin + span,
            profile=ALWAYS,
            weight=volume,
            turns=1.0,
            busy=5,
        )


def team_keys(c: Crowd) -> None:
    """One account, a key for every colleague: many addresses, many clocks, one card."""
    r = c.r
    for _ in range(c.size):
        account = c.add(**firm(c, plan="team"))
        jobs, office = c.jobs(APP_INTENTS, r.randint(1, 3)), c.office(2)
        for k in range(r.randint(4, 25)):
            given: dict[str, Any] = {"key": account.key if k == 0 else c.new("key_")}
            given |= {"addresses": [r.choice(office), c.streams.addresses.residential()]}
            if r.random() < 0.5:
                program_stream(c.streams, account, jobs, weight=weight(c.streams, 0.5, 1.2), **given)
            else:
                person_stream(c.streams, c.public, account, **given)


def audit_trail(c: Crowd) -> None:
    """A regulated house whose every answer must carry its reasoning, in several departments with one template."""
    r = c.r
    given, office, servers = firm(c), c.office(2), c.servers(2)
    jobs = c.jobs(("reasoning",), 1, r.randint(1, 3))
    budget = r.choice((4096, 16384))
    for _ in range(c.size):
        program_stream(
            c.streams,
            c.add(**given, budget=budget),
            jobs,
            addresses=servers if r.random() < 0.7 else office,
            profile=r.choice((OFFICE, ALWAYS)),
            busy=r.randint(30, DAYS),
            weight=weight(c.streams, 3.0),
        )


def judge(c: Crowd) -> None:
    """A model as judge: a published rubric that strangers use as well, or one of the house's own."""
    r = c.r
    given = firm(c)
    rubric = [r.choice(c.public.rubrics)] if r.random() < 0.6 else c.jobs(("grading",), 1, 2)
    for _ in range(c.size):
        program_stream(
            c.streams,
            c.add(**given, temperature=0.0),
            rubric,
            turns=1.0,
            profile=r.choice((NIGHTLY, ALWAYS, OFFICE)),
            weight=weight(c.streams, 3.0),
        )


def labelling_firm(c: Crowd) -> None:
    """A data-labelling firm: a desk, a seat and an account for everyone, one task list dealt out without overlap."""
    r = c.r
    country = r.choice(("IN", "GB", "MX", "US"))
    given = firm(c, country=country, declared_use=r.choice(("data processing", "data processing", None)))
    office, jobs = c.office(3), c.jobs(("grading", "classification", "extraction", "rewording"), r.randint(1, 3), 2)
    client, hired = r.randrange(12), c.streams.register.age()
    begin = r.uniform(0, 25)
    for _ in range(c.size):
        account = c.add(**given, client=client, tls=client, created=hired + r.uniform(0, 6))
        program_stream(
            c.streams,
            account,
            jobs,
            addresses=office,
            profile=OFFICE,
            start=begin,
            end=begin + r.uniform(20, 35),
            busy=25,
            turns=1.0,
            # everyone has the day's quota
            weight=weight(c.streams, 3.0, 0.3),
        )


def approved_synthetic(c: Crowd) -> None:
    """A contracted customer who makes synthetic data, as agreed: own pipeline, several accounts, no pause."""
    r = c.r
    given = firm(c, declared_use=FINE_TUNING) | contracted(c)
    steps = [w for x in ("generation", "reasoning", "grading", "generation") for w in c.jobs((x,), 1, r.randint(1, 3))]
    servers = c.servers(r.randint(2, 6))
    together = c.streams.handover_group() if r.random() < 0.4 else 0
    for _ in range(c.size):
        program_stream(
            c.streams,
            c.add(**one_more(given)),
            steps,
            addresses=servers,
            start=max((time for time, *_ in given["events"]), default=0.0),
            profile=ALWAYS,
            busy=DAYS,
            turns=turns(r),
            handover=together,
            weight=weight(c.streams, 12.0, 1.0),
            new_model_share=r.choice((0.0, 0.7)),
        )


def own_synthetic(c: Crowd) -> None:
    """A company whose identity is verified, without a contract, that declares and makes its own fine-tuning data
    through one account, with an open pipeline or one of its own."""
    r = c.r
    for _ in range(c.size):
        artefact = popular(r, c.public.synthetic_pipelines)
        is_open = r.random() < 0.5
        own = [w for x in ("generation", "reasoning", "grading") for w in c.jobs((x,), 1, r.randint(1, 2))]
        settings = artefact.settings(r) if is_open else {}
        begin = r.uniform(0, DAYS - 12)
        program_stream(
            c.streams,
            c.add(**firm(c, declared_use=FINE_TUNING, verification="identity"), **settings),
            artefact.wordings if is_open else own,
            profile=ALWAYS,
            turns=1.0,
            start=begin,
            end=begin + r.uniform(5, 40),
            busy=40,
            weight=weight(c.streams, 10.0, 1.2),
        )


def enterprise(c: Crowd) -> None:
    """An enterprise with a contract: many accounts, templates that departments share, one office, one cloud."""
    r = c.r
    given = firm(c) | contracted(c)
    departments = [c.jobs(APP_INTENTS, 1, r.choice((1, 1, 2))) for _ in range(r.randint(*DEPARTMENTS))]
    servers, office = c.servers(r.randint(2, 8)), c.office(4)
    together = c.streams.handover_group() if r.random() < 0.3 else 0
    for _ in range(c.size):
        jobs = [w for d in r.sample(departments, min(len(departments), r.randint(1, 3))) for w in d]
        created = given["created"] if r.random() < MADE_WITHIN else c.streams.register.age()
        program_stream(
            c.streams,
            c.add(**one_more(given, created)),
            jobs,
            addresses=servers if r.random() < 0.6 else office,
            handover=together,
            weight=weight(c.streams, 2.0, SPREAD),
        )
