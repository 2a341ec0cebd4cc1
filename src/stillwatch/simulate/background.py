"""The background: who uses a model honestly, and in what numbers. Nobody here takes part in a campaign.

Shares of accounts and relative volumes are assumptions, chosen so that every look-alike that operators report is
present at every size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from stillwatch.simulate import populations as make
from stillwatch.simulate.populations import Group
from stillwatch.simulate.public import Public
from stillwatch.simulate.rhythm import ALWAYS
from stillwatch.simulate.streams import Streams

G = TypeVar("G", bound=Group)


@dataclass(frozen=True, slots=True)
class Population(Generic[G]):
    """Its share of background accounts, the accounts of one group (least, most), how a group is made, and whether the
    truth tells a group as a pool, since one hand controls its accounts."""

    share: float
    group: tuple[int, int]
    make: Callable[[G], None]
    one_hand: bool = False


POPULATIONS: dict[str, Population[Group]] = {
    "person": Population(0.295, (1, 1), make.person),
    "shared_address": Population(0.08, (6, 14), make.shared_address),
    "developer": Population(0.13, (1, 1), make.developer),
    "small_company": Population(0.09, (1, 4), make.company),
    "agent_user": Population(0.07, (1, 1), make.agent_user),
    "framework_app": Population(0.06, (1, 1), make.framework_app),
    "open_pipeline": Population(0.03, (1, 1), make.open_pipeline),
    "university_class": Population(0.035, (18, 35), make.university_class),
    "benchmark_user": Population(0.02, (1, 1), make.benchmark_user),
    "nightly_regression": Population(0.008, (1, 1), make.nightly),
    "ci_fleet": Population(0.008, (1, 1), partial(make.nightly, profile=ALWAYS, addresses=60)),
    "judge_user": Population(0.01, (1, 2), partial(make.company, intents=("grading",))),
    "agency": Population(0.02, (6, 14), make.agency),
    "aggregator": Population(0.002, (1, 1), make.aggregator),
    "enterprise": Population(0.03, (8, 40), partial(make.company, contract=True, volume=2.0)),
    "free_rider": Population(0.025, (3, 6), make.free_rider),
    "viral_prompt": Population(0.03, (1, 1), make.viral),
    "returned_after_ban": Population(0.01, (2, 2), make.returned),
    "backfill": Population(0.008, (1, 1), make.backfill),
    "startup_credits": Population(0.015, (8, 20), partial(make.cohort, programme="startup")),
    "audit_trail": Population(0.008, (1, 3), partial(make.company, intents=("reasoning",))),
    "approved_synthetic": Population(
        0.008,
        (3, 8),
        partial(make.company, intents=("generation", "reasoning"), contract=True, volume=4.0, profile=ALWAYS),
    ),
    "tutorial_weekend": Population(0.02, (10, 30), partial(make.cohort, tutorial=True)),
    "labelling_firm": Population(0.008, (4, 9), partial(make.company, intents=("grading", "classification"))),
    "reseller": Population(0.002, (1, 1), make.aggregator),
}


def background(s: Streams, p: Public, accounts: int) -> None:
    """Fill a world with about `accounts` honest accounts; every population has at least one group."""
    settle(s, POPULATIONS, partial(Group, s, p), accounts)


def settle(s: Streams, populations: Mapping[str, Population[G]], group: Callable[[str, int], G], accounts: int) -> None:
    """Make about `accounts` accounts in groups, at least one of each population; `group` begins one of a name and
    size."""
    for name, population in populations.items():
        wanted = max(1, round(population.share * accounts))
        while wanted > 0:
            size = min(s.r.randint(*population.group), max(wanted, population.group[0]))
            first = len(s.streams)
            population.make(group(name, size))
            if population.one_hand and size > 1:
                for stream in s.streams[first:]:
                    stream.pool = f"{name}-{first}"
            wanted -= size
