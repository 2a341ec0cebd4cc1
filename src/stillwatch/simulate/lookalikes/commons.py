"""What strangers have in common in a world of look-alikes, and what every group of accounts is made from.

Public artefacts are drawn from the grammar by the world's seed, so that no seed shows a detector the same agent or
pipeline twice; a few of fixed text, which other worlds know as well, are among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from stillwatch.simulate.accounts import CLIENTS, DAYS, LIMITS, TEMPERATURES, TURNS, Account
from stillwatch.simulate.populations import Group
from stillwatch.simulate.public import Public, public
from stillwatch.simulate.streams import SharedPayloads, Streams
from stillwatch.simulate.templates import AGENT_SYSTEM_PROMPTS, TOOL_SETS, instructions

# Steps of an open synthetic-data pipeline, after Self-Instruct (Wang et al. 2023), Evol-Instruct (Xu et al. 2023) and
# the pipelines that distilabel publishes: make tasks, make them harder, answer with reasoning, judge, reword.
PIPELINE_STEPS: tuple[tuple[str, ...], ...] = (
    ("generation", "generation", "reasoning", "grading"),
    ("generation", "reasoning", "grading"),
    ("extraction", "generation", "reasoning", "grading", "rewording"),
    ("coding", "generation", "coding", "grading", "reasoning", "classification"),
)
# A public artefact's share of its users falls off as in a ranking: half use the first of them (assumption).
POPULARITY = (0.5, 0.25, 0.15, 0.1)
RUBRICS = 3
KEEPS_ITS_SETTINGS = 0.8  # share of users of a public artefact who run it as it comes: assumption
VPN_BRANDS = 4  # commercial VPNs; the customers of each have a quarter of all exits: assumption
# Hosted runners leave through the addresses of a few clouds, which all their customers share. One address to thirty
# accounts of the world: assumption.
ACCOUNTS_A_RUNNER = 30
LANGUAGE_CHINESE = 0.16  # share of private jobs instructed in Chinese, as in the background's companies


@dataclass(slots=True)
class Artefact:
    """Something public that strangers run: its wordings, and the client and settings that it comes with."""

    wordings: list[int]
    client: int
    temperature: float | None
    max_tokens: int | None

    def settings(self, r: Random) -> dict[str, Any]:
        """What most accounts that run it have in common; the rest changed something."""
        if r.random() > KEEPS_ITS_SETTINGS:
            return {}
        common = {"client": self.client, "tls": self.client}
        return common | {"temperature": self.temperature, "max_tokens": self.max_tokens}


@dataclass(slots=True)
class Commons(Public):
    """What strangers have in common, beyond what every world has."""

    popular_agents: list[Artefact] = field(default_factory=list)
    synthetic_pipelines: list[Artefact] = field(default_factory=list)
    harnesses: list[Artefact] = field(default_factory=list)
    rubrics: list[int] = field(default_factory=list)
    runners: list[int] = field(default_factory=list)
    brands: list[list[int]] = field(default_factory=list)  # exits of each commercial VPN


@dataclass(frozen=True, slots=True)
class Crowd(Group):
    """A group of one look-alike that is to be made."""

    public: Commons

    @property
    def r(self) -> Random:
        """The world's random numbers."""
        return self.streams.r

    def add(self, **given: Any) -> Account:
        """A new account of this population."""
        return self.streams.register.add(self.name, **given)

    def new(self, prefix: str = "") -> str:
        """A new identifier."""
        return self.streams.register.identifier(prefix)

    def jobs(self, intents: tuple[str, ...], count: int, wordings: int = 1) -> list[int]:
        """Wordings of `count` new private jobs, each with an intent drawn from `intents`."""
        r = self.r
        return [
            w
            for _ in range(count)
            for w in self.streams.job(r.choice(intents), wordings, chinese=r.random() < LANGUAGE_CHINESE)
        ]

    def servers(self, count: int) -> list[int]:
        """Addresses of as many servers."""
        return [self.streams.addresses.datacentre() for _ in range(count)]

    def office(self, count: int) -> list[int]:
        """As many addresses of one block: an office, a campus, a hall, a carrier."""
        return list(self.streams.addresses.network(count))


def popular(r: Random, artefacts: list[Artefact]) -> Artefact:
    """One of the public artefacts, the popular ones more often."""
    return r.choices(artefacts, POPULARITY[: len(artefacts)])[0]


def commons(s: Streams, accounts: int) -> Commons:
    """Register what strangers have in common in a world of about so many accounts."""
    shared = public(s, accounts)
    c = Commons(**{name: getattr(shared, name) for name in Public.__dataclass_fields__})
    r = s.r
    for k in range(3):
        c.popular_agents.append(_artefact(r, [_agent(s, k)]))
    for steps in PIPELINE_STEPS:
        wordings = [w for intent in steps for w in s.job(intent, 1, tools=0)]
        c.synthetic_pipelines.append(_artefact(r, wordings))
    for _ in range(2):
        c.harnesses.append(_artefact(r, s.job("reasoning", 1, system=False, tools=0)))
    c.rubrics = [w for _ in range(RUBRICS) for w in s.job("grading", 1)]
    c.runners = [s.addresses.datacentre() for _ in range(max(40, accounts // ACCOUNTS_A_RUNNER))]
    c.brands = [c.vpn[k::VPN_BRANDS] for k in range(VPN_BRANDS)]
    return c


def _artefact(r: Random, wordings: list[int]) -> Artefact:
    return Artefact(wordings, CLIENTS(r), TEMPERATURES(r), LIMITS(r))


def _agent(s: Streams, k: int) -> int:
    """The wording of a popular agent: a long system prompt and a set of tools, the same for all who use it."""
    r = s.r
    parts = [AGENT_SYSTEM_PROMPTS[k], *(instructions(r, x, 1)[0] for x in ("tool_use", "coding", "support"))]
    return s.wording("", "", " ".join(parts), tools=1 + r.randrange(len(TOOL_SETS) - 1), code=0.5)


def weekend(r: Random) -> float:
    """A Saturday of the world, which begins on a Monday, with two weeks left after it."""
    return 5.0 + 7.0 * r.randrange(DAYS // 7 - 2)


def turns(r: Random) -> float:
    """Mean turns of a conversation, as everybody's."""
    return r.choice(TURNS)


def questions(c: Crowd, size: int, share: float) -> SharedPayloads:
    """A list of payloads of this group's own."""
    return c.streams.shared_payloads(size, share)
