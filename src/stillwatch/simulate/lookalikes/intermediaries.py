"""Intermediaries: aggregators and resellers with a contract, and gateways that pass little on."""

from __future__ import annotations

from typing import Any

from stillwatch.simulate.accounts import DAYS
from stillwatch.simulate.lookalikes.commons import Crowd, popular
from stillwatch.simulate.lookalikes.workplaces import contracted, firm, one_more
from stillwatch.simulate.rhythm import ALWAYS
from stillwatch.simulate.users import APP_INTENTS, person_stream, program_stream, weight

LITELLM = 5  # the number of the gateway's client among `accounts.USER_AGENTS`
# What a gateway that strips metadata leaves: no address, client, end user, conversation or history.
STRIPPED: dict[str, Any] = {
    "path": "gateway",
    "strips": True,
    "end_users": 0,
    "has_conversations": False,
    "has_history": False,
}


def aggregator(c: Crowd) -> None:
    """A contracted aggregator: thousands of customers' requests on a few accounts, balanced, stripped of metadata."""
    r = c.r
    given = firm(c) | contracted(c) | STRIPPED
    p = c.public
    asked = [
        *p.frameworks,
        *p.frontends,
        *(w for a in (*p.popular_agents, *p.synthetic_pipelines, *p.harnesses) for w in a.wordings),
        *c.jobs(APP_INTENTS, 30),
        *[c.streams.plain] * 20,
    ]
    servers, balanced = c.servers(6), weight(c.streams, 60.0, 0.5)
    for _ in range(c.size):
        program_stream(
            c.streams,
            c.add(**one_more(given)),
            asked,
            addresses=servers,
            profile=ALWAYS,
            busy=DAYS,
            turns=2.0,
            # its load balancer deals evenly
            weight=balanced * r.uniform(0.9, 1.1),
        )


def gateway_customers(c: Crowd, *, strips: bool = False) -> None:
    """Strangers with accounts of their own behind one gateway: it shows its own few addresses and client, or none."""
    r = c.r
    servers, own = c.servers(r.randint(2, 8)), {"path": "gateway", "client": LITELLM, "tls": LITELLM}
    for _ in range(c.size):
        account = c.add(**(STRIPPED if strips else own))
        u = r.random()
        if u < 0.15:
            asked = popular(r, c.public.synthetic_pipelines).wordings
        elif u < 0.3:
            asked = [r.choice(c.public.frameworks)]
        else:
            asked = c.jobs(APP_INTENTS, 1, r.randint(1, 2))
        program_stream(c.streams, account, asked, addresses=servers, hold=0.05, weight=weight(c.streams, 1.2))


def reseller(c: Crowd) -> None:
    """A reseller with a contract: an account for each of its customers, on its own card, each customer at its own
    work from its own addresses."""
    r = c.r
    given = firm(c, one_card=1.0) | contracted(c) | {"path": "partner"}
    del given["country"], given["declared_use"]  # these are its customers' own
    first = given["created"]
    for _ in range(c.size):
        created = min(first + r.uniform(0, max(DAYS - 15 - first, 1)), DAYS - 10.0)
        domain = c.streams.register.new_domain()
        account = c.add(**(one_more(given, created) | {"email_domain": domain}))
        if r.random() < 0.3:
            person_stream(c.streams, c.public, account)
        else:
            jobs = c.jobs(APP_INTENTS, r.randint(1, 2))
            program_stream(c.streams, account, jobs, weight=weight(c.streams, 1.5), end_users=r.choice((0, 0, 30)))
