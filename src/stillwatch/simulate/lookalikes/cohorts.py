"""Cohorts: strangers whom an event brought at the same time, with the same task, client, address or credits."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.accounts import COUNTRIES, DAYS
from stillwatch.simulate.lookalikes.commons import Crowd, questions, weekend
from stillwatch.simulate.rhythm import ALWAYS, SCHOOL
from stillwatch.simulate.users import APP_INTENTS, person_stream, program_stream, weight

SHEET_DAYS = (5.0, 9.0)  # a sheet is due about a week after it is set: assumption
DOES_A_SHEET = 0.85  # share of a class that hands a sheet in: assumption


def campus_class(c: Crowd) -> None:
    """A class: one address block, one domain, one sign-up day, and the same sheets of exercises."""
    r = c.r
    day = r.uniform(1, 25)
    country, client = r.choice(("US", "GB", "DE", "IN", "CN")), r.randrange(12)
    campus, domain = c.office(r.randint(3, 12)), f"{c.streams.register.new_domain().split('.')[0]}.edu"
    handout = c.jobs(("coding", "summary", "reasoning"), 1)
    sheets = [(day + k * r.uniform(*SHEET_DAYS), questions(c, r.randint(6, 15), 0.7)) for k in range(r.randint(1, 3))]
    for _ in range(c.size):
        account = c.add(
            created=day + r.uniform(-0.5, 0.4),
            country=country,
            email_domain=domain,
            programme="education",
            client=client,
            tls=client,
        )
        addresses = [r.choice(campus), r.choice(campus), c.streams.addresses.residential()]
        common: dict[str, Any] = {"addresses": addresses, "profile": SCHOOL, "hold": 0.5}
        for begin, sheet in sheets:
            if r.random() < DOES_A_SHEET:
                person_stream(
                    c.streams,
                    c.public,
                    account,
                    wordings=[*handout, c.streams.plain],
                    payloads=sheet,
                    start=begin,
                    end=begin + r.uniform(*SHEET_DAYS),
                    busy=4,
                    **common,
                )
        person_stream(c.streams, c.public, account, start=day, **common)


def tutorial_weekend(c: Crowd) -> None:
    """A tutorial: one library version, one sign-up day, the same example prompts, and then most move on."""
    r = c.r
    day = weekend(r)
    client, examples = r.randrange(12), questions(c, r.randint(4, 10), 0.6)
    lesson = c.jobs(("coding", "extraction", "generation", "reasoning", "tool_use"), 1)
    for _ in range(c.size):
        account = c.add(created=day + r.uniform(0, 1.0), client=client, tls=client)
        program_stream(
            c.streams,
            account,
            [*lesson, c.streams.plain],
            payloads=examples,
            start=day,
            end=day + r.uniform(0.4, 3),
            busy=2,
            weight=weight(c.streams, 0.6, 0.8),
        )
        if r.random() < 0.25:
            person_stream(c.streams, c.public, account, start=day + 1)


def hackathon(c: Crowd) -> None:
    """A hackathon: a hall's addresses, a sponsor's credits and starter kit, a weekend without sleep, small teams."""
    r = c.r
    day = weekend(r)
    hall, client = c.office(r.randint(2, 8)), r.randrange(12)
    # credits come as a billing account of the sponsor's, or as a code, which leaves no instrument on file
    sponsor, country = (c.new() if r.random() < 0.5 else None), COUNTRIES(r)
    kit = c.jobs(("tool_use", "support", "coding"), 1)
    left = c.size
    while left > 0:
        team = min(left, r.randint(2, 5))
        left -= team
        project = c.jobs(APP_INTENTS, 1, 2)
        for _ in range(team):
            account = c.add(
                created=day + r.uniform(-0.4, 0.3), programme="startup", payment=sponsor, plan="pay_as_you_go",
                client=client, tls=client, organization_id=None, country=country,
            )  # fmt: skip
            given: dict[str, Any] = {"profile": ALWAYS, "addresses": [r.choice(hall), r.choice(hall)], "start": day}
            program_stream(
                c.streams, account, [*kit, *project, *project], end=day + r.uniform(1.2, 2.0), busy=2,
                weight=weight(c.streams, 1.5, 1.0), **given,
            )  # fmt: skip
            if r.random() < 0.2:  # goes on at home
                program_stream(c.streams, account, project, start=day + 2, end=DAYS, weight=weight(c.streams, 0.5))


def startup_credits(c: Crowd) -> None:
    """Start-ups on one sponsor's credits: one programme, one payment, one batch of sign-ups, each with its product.

    A fifth had an account before, whose programme and payment changed when the credits came.
    """
    r = c.r
    days = [r.uniform(-60, 30) for _ in range(r.randint(1, 3))]
    sponsor, house = c.new(), c.office(6)
    for _ in range(c.size):
        day = r.choice(days) + r.uniform(0, 1.5)
        had_one = r.random() < 0.2
        made = day - r.uniform(5, 200) if had_one else day
        before = [(made, "payment_fingerprint", c.new())]
        account = c.add(
            created=made,
            events=[*before, (day, "programme", "startup"), (day, "payment_fingerprint", sponsor)] if had_one else [],
            programme="startup",
            payment=sponsor,
            plan="pay_as_you_go",
            organization_id=c.new("org_"),
            email_domain=c.streams.register.new_domain(),
        )
        given: dict[str, Any] = {"weight": weight(c.streams, 2.0)}
        if r.random() < 0.3:  # sits in the sponsor's house
            given["addresses"] = [r.choice(house), c.streams.addresses.datacentre()]
        program_stream(c.streams, account, c.jobs(APP_INTENTS, r.randint(1, 2), r.randint(1, 2)), **given)
