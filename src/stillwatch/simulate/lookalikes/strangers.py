"""Strangers who look alike: popular agents, open pipelines, benchmarks, viral prompts, shared addresses."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.accounts import DAYS, NEW, RELEASED_ON
from stillwatch.simulate.lookalikes.commons import Crowd, popular
from stillwatch.simulate.rhythm import ALWAYS, EVENING
from stillwatch.simulate.users import APP_INTENTS, person_stream, program_stream, weight

RELEASE_DAY = RELEASED_ON[NEW]
ON_A_VPN = 0.25  # share of pipeline users who come through one commercial VPN's exits: assumption


def popular_agent(c: Crowd) -> None:
    """Users of popular agents: one system prompt, one client, long conversations; and when the agent's makers turn to
    a new model, all of them have turned within the day."""
    r = c.r
    for _ in range(c.size):
        agent = popular(r, c.public.popular_agents)
        person_stream(
            c.streams,
            c.public,
            c.add(**agent.settings(r)),
            wordings=agent.wordings,
            turns=r.choice((4.0, 8.0, 8.0)),
            gap=12.0,
            weight=weight(c.streams, 1.2, 1.6),
            new_model_share=0.8 if agent is c.public.popular_agents[0] else 0.0,
        )


def open_pipeline(c: Crowd) -> None:
    """Strangers who run the same open pipeline of several steps, each with data of their own, or some with its public
    seed tasks; some of them through the same VPN."""
    r = c.r
    for _ in range(c.size):
        pipeline = popular(r, c.public.synthetic_pipelines)
        account = c.add(**pipeline.settings(r))
        given: dict[str, Any] = {}
        if r.random() < ON_A_VPN:
            given["addresses"] = r.sample(c.public.brands[0], 3)
        if r.random() < 0.2:
            given["payloads"] = c.public.seeds
        for _ in range(r.choice((1, 1, 2, 3))):  # runs
            begin = r.uniform(0, DAYS - 6)
            program_stream(
                c.streams,
                account,
                pipeline.wordings,
                start=begin,
                end=begin + r.choice((r.uniform(0.2, 2), r.uniform(2, 20))),
                profile=r.choice((ALWAYS, EVENING)),
                turns=1.0,
                busy=20,
                weight=weight(c.streams, 2.5, 1.6),
                **given,
            )


def day_one_benchmark(c: Crowd) -> None:
    """Everyone runs the same public questions, with the same public harness, on the day of a release."""
    r = c.r
    for _ in range(c.size):
        harness = popular(r, c.public.harnesses)
        account = c.add(created=min(c.streams.register.age(), RELEASE_DAY - 0.1), **harness.settings(r))
        begin = RELEASE_DAY + r.uniform(0.0, 0.6)
        program_stream(
            c.streams,
            account,
            harness.wordings if r.random() < 0.7 else [c.streams.plain],
            start=begin,
            end=begin + r.uniform(0.1, 2),
            payloads=c.public.benchmark,
            turns=1.0,
            only_new_model=True,
            weight=weight(c.streams, 1.5, 1.2),
            profile=ALWAYS,
            busy=2,
        )
        if r.random() < 0.6:
            person_stream(c.streams, c.public, account)


def viral_prompt(c: Crowd) -> None:
    """People who all send one viral prompt within three days."""
    r = c.r
    for _ in range(c.size):
        account = c.add()
        if r.random() < 0.7:
            person_stream(c.streams, c.public, account)
        person_stream(
            c.streams,
            c.public,
            account,
            wordings=[c.streams.plain],
            start=36.0,
            end=39.0,
            weight=0.1,
            payloads=c.public.viral,
            turns=1.5,
            busy=3,
        )


def carrier_nat(c: Crowd) -> None:
    """Households and small firms behind one carrier's few addresses."""
    r = c.r
    exits, country = c.office(r.randint(2, 8)), r.choice(("IN", "BR", "CN", "MX", "ES", "RU"))
    for _ in range(c.size):
        account = c.add(country=country)
        given: dict[str, Any] = {"addresses": r.sample(exits, min(len(exits), 3)), "hold": 0.3}
        if r.random() < 0.85:
            person_stream(c.streams, c.public, account, **given)
        else:
            program_stream(c.streams, account, c.jobs(APP_INTENTS, 1, 2), weight=weight(c.streams, 1.0), **given)


def commercial_vpn(c: Crowd) -> None:
    """Customers of one commercial VPN, who share its exits with everybody else there."""
    r = c.r
    exits = r.choice(c.public.brands)
    for _ in range(c.size):
        chosen = r.sample(exits, min(len(exits), r.randint(2, 6)))
        given: dict[str, Any] = {"addresses": [*chosen, c.streams.addresses.residential()], "hold": 0.2}
        if r.random() < 0.75:
            person_stream(c.streams, c.public, c.add(), **given)
        else:
            program_stream(c.streams, c.add(), c.jobs(APP_INTENTS, 1, 2), weight=weight(c.streams, 1.0), **given)
