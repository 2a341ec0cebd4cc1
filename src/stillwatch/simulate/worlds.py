"""The worlds that can be simulated: one entry each, with the function that fills it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from stillwatch.simulate.background import background
from stillwatch.simulate.campaigns import FEBRUARY_2026, LEAST_EXCHANGES, recruit, sizes
from stillwatch.simulate.careful import careful
from stillwatch.simulate.dispatch import Campaign
from stillwatch.simulate.lookalikes import look_alikes
from stillwatch.simulate.mixture import mixture
from stillwatch.simulate.public import honest_accounts, public
from stillwatch.simulate.streams import START, Asked, Streams
from stillwatch.simulate.summer import summer_2026

# A Monday again, a month after which the disclosures of the summer fall.
SUMMER = datetime(2026, 6, 1, tzinfo=UTC)
Fill = Callable[[Streams, Asked], list[Campaign]]
# Three campaigns of the least size, and as much background.
LEAST_ROWS = 2 * 3 * LEAST_EXCHANGES


@dataclass(frozen=True, slots=True)
class World:
    """A sort of world: what it is, whether campaigns are in it, and what fills it.

    `fill` puts everybody into the world and gives its campaigns, which know how many exchanges they make; all other
    rows are dealt out among the remaining streams by weight.
    """

    name: str
    meaning: str
    campaigns: bool
    fill: Fill
    options: tuple[str, ...] = ()  # of `simulate`, that only this world takes
    start: datetime = START
    layers: bool = True  # whether the truth of pools and workloads is written too


def _february_2026(s: Streams, asked: Asked) -> list[Campaign]:
    guilty = asked.exchanges // 2
    accounts = honest_accounts(asked.exchanges - guilty)
    shared = public(s, accounts)
    background(s, shared, accounts)
    planned = zip(FEBRUARY_2026, sizes(guilty), strict=True)
    return [
        recruit(s, shared, plan, number=number, exchanges=rows, accounts=members)
        for number, (plan, (rows, members)) in enumerate(planned)
    ]


def _ordinary(s: Streams, asked: Asked) -> list[Campaign]:
    accounts = honest_accounts(asked.exchanges)
    background(s, public(s, accounts), accounts)
    return []


WORLDS: dict[str, World] = {
    w.name: w
    for w in (
        World(
            "february-2026",
            "three campaigns after the disclosure of February 2026 in a mixed background",
            campaigns=True,
            fill=_february_2026,
            layers=False,
        ),
        World(
            "ordinary",
            "the same background with its look-alikes, and no campaign at all",
            campaigns=False,
            fill=_ordinary,
            layers=False,
        ),
        World(
            "summer-2026",
            "two organisations and two pools after the disclosures since: a wave of bans, failover, a relay",
            campaigns=True,
            fill=summer_2026,
            start=SUMMER,
        ),
        World(
            "mixture",
            "campaigns at any share of accounts (--attackers), and of their exchanges (--extraction)",
            campaigns=True,
            fill=mixture,
            options=("attackers", "extraction"),
        ),
        World(
            "careful",
            "two campaigns of an adversary who knows how they are found; every evasion is a switch (--evasions)",
            campaigns=True,
            fill=careful,
            options=("evasions",),
        ),
        World("look-alikes", "nobody guilty, and every benign cause present", campaigns=False, fill=look_alikes),
    )
}
