"""Run every kind of evidence over every candidate group: counts in SQL, bits in Python."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engine import Engine
from stillwatch.evidence import Conduct, Kind, Link, Trait, kinds
from stillwatch.evidence.kind import TRAIT_OUTSIDERS, linkage
from stillwatch.evidence.links import Holders, Reach, Reached, clusters, holders

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Observation:
    """What one kind of evidence says of one group."""

    kind: Kind
    bits: float
    counts: dict[str, int]
    by_rival: dict[str, float] = field(default_factory=dict)

    @property
    def statement(self) -> str:
        """The observation in one sentence."""
        return self.kind.statement.format(**self.counts)

    def speaks_of(self, claim: str, rival: str) -> bool:
        """Whether the observation moves the odds of a claim against a rival at all."""
        if self.by_rival:
            return rival in self.by_rival or ("*" in self.by_rival and self.kind.claim == claim)
        return self.kind.claim == claim

    def against(self, rival: str) -> float:
        """Bits for the claim against one rival: none where that rival explains the observation as well."""
        if self.by_rival:
            return self.by_rival.get(rival, self.by_rival.get("*", 0.0))
        return min(self.bits, 0.0) if rival in self.kind.explained_by else self.bits


__all__ = ["Held", "Integers", "Observation", "Weighed", "clusters", "weigh"]

# How much commoner a value must be among those whom a hand runs than elsewhere before it joins an account to them: a
# bit. What is less telling would be outweighed by the many values that most accounts hold.
JOINING_LIFT = 2


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the values of one kind of link that a group's members hold.

    row, value: aligned, one row a member (its place among the members) and value, in order; values that are too popular
    to join anybody are left out. holder, ends: of all values of the kind, as `Holders` has them: outsiders' values are
    not written out for every group. known: how many accounts have any value of the kind.
    """

    row: Integers
    value: Integers
    holder: Integers
    ends: Integers
    known: int


@dataclass(slots=True)
class Weighed:
    """All that was seen of one group: observations, and which members each link or trait hit.

    members: account numbers, ascending. hits[kind]: int8 aligned with members: 1 hit, 0 not, -1 no data.
    rates[kind]: the outsiders' rate of being hit. held[kind]: who holds the values of a link.
    """

    members: Integers
    observations: list[Observation] = field(default_factory=list)
    hits: dict[str, npt.NDArray[np.int8]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)


def _links(engine: Engine, kind: Link, groups: dict[int, Weighed], asked: dict[str, Holders]) -> None:
    if kind.name not in asked:
        asked[kind.name] = holders(engine, kind)
    of = asked[kind.name]
    everyone = np.flatnonzero(of.known)
    if not len(everyone):
        return
    kin = _kin_rate(of, len(everyone)) if kind.kin else 0.0
    reach = Reach(of, JOINING_LIFT)
    for group in groups.values():
        data = of.known[np.minimum(group.members, len(of.known) - 1)] & (group.members < len(of.known))
        outsiders = len(everyone) - int(data.sum())
        if data.sum() < 2:
            continue
        seen = reach.of(group.members)
        hit, label = clusters(seen.account, seen.value)
        flags = np.where(data, 0, -1).astype(np.int8)
        flags[np.searchsorted(group.members, hit)] = 1
        joined = len(hit) - int((label == np.arange(len(label))).sum())
        row = np.searchsorted(group.members, seen.holder)
        group.held[kind.name] = Held(row, seen.held, of.holder, of.ends, len(everyone))
        expected = max(seen.outside, round(max(kin, _region_rate(seen)) * outsiders))
        _observe(group, kind, flags, (joined, int(data.sum()) - 1), (seen.outside, outsiders, expected))


# Accounts of a region that count as much as the rest of the world does for the region's own rate: with fewer, hardly
# anything is known of the region.
REGION_WEIGHT = 4.0


def _region_rate(seen: Reached) -> float:
    """The rate at which outsiders of a group's members' own countries are hit.

    People of one country share a language, and with it turns of phrase, and a carrier's addresses; so members are held
    against their like (a null stratified by region).
    """
    if not len(seen.members):
        return 0.0
    outsiders = seen.everybody - seen.members
    overall = seen.hit.sum() / max(1, outsiders.sum())
    by_country = (seen.hit + REGION_WEIGHT * overall) / (outsiders + REGION_WEIGHT)
    return float((by_country * seen.members).sum() / seen.members.sum())


def _kin_rate(of: Holders, known: int) -> float:
    """Of all accounts with a value of the link, the share that joins another one, a first of each cluster left out."""
    if not len(of.account):
        return 0.0
    accounts, label = clusters(of.account, of.value)
    return (len(accounts) - len(np.unique(label))) / known


def _traits(engine: Engine, kind: Trait, groups: dict[int, Weighed]) -> None:
    rows = engine.query(f"SELECT account_no, part, whole FROM ({kind.sql}) ORDER BY account_no")
    accounts = rows["account_no"].to_numpy()
    if len(accounts) < 2:
        return
    score = rows["part"].to_numpy() / rows["whole"].to_numpy()
    order = np.argsort(score, kind="stable")
    ascending, place = score[order], np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    for group in groups.values():
        found = np.minimum(np.searchsorted(accounts, group.members), len(accounts) - 1)
        inside = accounts[found] == group.members
        outsiders = len(accounts) - int(inside.sum())
        if inside.sum() < 2 or not outsiders:
            continue
        theirs = np.sort(place[found[inside]])
        bar = ascending[_nth_without(theirs, int(np.ceil((outsiders - 1) * (1 - TRAIT_OUTSIDERS))))]
        hit = score[found] > bar
        flags = np.where(inside, hit, -1).astype(np.int8)
        above = len(ascending) - int(np.searchsorted(ascending, bar, side="right"))
        # The rate is at most TRAIT_OUTSIDERS by construction; it is taken as no less, since the bar was fitted.
        rated = max(above - int((hit & inside).sum()), int(np.ceil(TRAIT_OUTSIDERS * outsiders)))
        _observe(group, kind, flags, (int((hit & inside).sum()), int(inside.sum())), (rated, outsiders, rated))


def _nth_without(taken: Integers, n: int) -> int:
    """The n-th number from 0 on of those that are not taken (ascending)."""
    # Before the i-th that is taken stand taken[i] - i that are not.
    return n + int(np.searchsorted(taken - np.arange(len(taken)), n, side="right"))


def _observe(
    group: Weighed,
    kind: Link | Trait,
    flags: npt.NDArray[np.int8],
    inside: tuple[int, int],
    outside: tuple[int, int, int],
) -> None:
    """Note what a link or trait says.

    inside: joined and chances; outside: outsiders hit, how many outsiders there are, and how many of so many innocent
    causes would join.
    """
    (joined, chances), (outsiders_hit, outsiders, expected) = inside, outside
    counts = {
        "joined": joined,
        "chances": chances,
        "hit": int((flags == 1).sum()),
        "members": int((flags >= 0).sum()),
        "outsiders_hit": outsiders_hit,
        "outsiders": outsiders,
        "expected": expected,
    }
    group.hits[kind.name] = flags
    group.rates[kind.name] = (outsiders_hit + 0.5) / (outsiders + 1.0)
    group.observations.append(Observation(kind, linkage(joined, chances, expected, outsiders), counts))


def _conduct(engine: Engine, kind: Conduct, groups: dict[int, Weighed]) -> None:
    for row in engine.query(kind.sql).to_pylist():
        counts = {k: int(v) for k, v in row.items() if v is not None}
        group = groups.get(counts.pop("group_no"))
        by_rival = kind.weigh(counts) if group is not None else None
        if group is not None and by_rival is not None:
            bits = max(by_rival.values(), key=abs, default=0.0)
            group.observations.append(Observation(kind, bits, counts, by_rival or {"*": 0.0}))


def weigh(
    engine: Engine, candidates: pa.Table, silent: frozenset[str], asked: dict[str, Holders] | None = None
) -> dict[int, Weighed]:
    """Weigh every candidate group.

    candidates: group_no, account_no (int64, distinct pairs); the engine holds them too, and what `count_groups` leaves
    (`group_cells` and `group_traffic`: the exchanges a group is judged by, counted and one by one), `account_exits`,
    `known_accounts`, `models`, `account_jobs`.
    silent: columns without any value, whose kinds stay silent. asked: who holds the values of links, by kind, which is
    kept from one weighing to the next while the engine's tables are the same.
    """
    asked = {} if asked is None else asked
    number, account = candidates["group_no"].to_numpy(), candidates["account_no"].to_numpy()
    groups = {int(g): Weighed(np.sort(account[number == g])) for g in np.unique(number)}
    for kind in kinds():
        if any(column in silent for column in kind.needs):
            continue
        match kind:
            case Link():
                _links(engine, kind, groups, asked)
            case Trait():
                _traits(engine, kind, groups)
            case Conduct():
                _conduct(engine, kind, groups)
    return groups
