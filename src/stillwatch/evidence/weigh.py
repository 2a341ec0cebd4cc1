"""Run every kind of evidence over every candidate group: counts in SQL, bits in Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.engine import Engine
from stillwatch.evidence import Conduct, Kind, Link, Trait, kinds
from stillwatch.evidence.kind import TRAIT_OUTSIDERS, VIEW_CAP, Claim, Floats, linkage, linkages
from stillwatch.evidence.links import Holders, Reach, clusters, holders

Integers = npt.NDArray[np.int64]
# A claim and one of its rivals, by name.
RivalOf = tuple[Claim, str]


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


__all__ = ["Asked", "Held", "Integers", "Observation", "Weighed", "clusters", "most_bits", "weigh"]

# How much commoner a value must be among those whom a hand runs than elsewhere before it joins an account to them: a
# bit. What is less telling would be outweighed by the many values that most accounts hold.
JOINING_LIFT = 2


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the values of one kind of link that a group's members hold; written out where it is asked."""

    reach: Reach
    members: Integers


@dataclass(slots=True)
class Weighed:
    """All that was seen of one group: observations, and which members each link or trait hit.

    members: account numbers, ascending. hits[kind]: int8 aligned with members: 1 hit, 0 not, -1 no data.
    rates[kind]: the outsiders' rate of being hit. held[kind]: how to ask who holds the values of a link.
    """

    members: Integers
    observations: list[Observation] = field(default_factory=list)
    hits: dict[str, npt.NDArray[np.int8]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One kind of link as it was asked once: what its values reach, of how many accounts with any value, and at what
    rate accounts join others anywhere, where the kind expects that."""

    reach: Reach
    known: int
    kin: float


def _asked(engine: Engine, kind: Link, asked: dict[str, Asked]) -> Asked:
    if kind.name not in asked:
        of = holders(engine, kind)
        known = len(np.flatnonzero(of.known))
        asked[kind.name] = Asked(Reach(of, JOINING_LIFT), known, _kin_rate(of, known) if kind.kin else 0.0)
    return asked[kind.name]


@dataclass(frozen=True, slots=True)
class _Linked:
    """What one kind of link says of some groups. flags: of every member, group after group. counts: a row of `COUNTS`
    for each group. bits: of each group; they stand only where two members have a value, since one alone cannot share.
    """

    flags: npt.NDArray[np.int8]
    counts: Integers
    bits: Floats

    @property
    def stands(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.counts[:, COUNTS.index("members")] >= 2)


def _linked(of: Asked, groups: Sequence[Integers]) -> _Linked:
    seen = of.reach.of(groups)
    outsiders = of.known - seen.data
    # People of one country share a language, and with it turns of phrase, and a carrier's addresses; so members are
    # held against their like (a null stratified by region).
    expected = np.maximum(seen.outside, np.rint(np.maximum(of.kin, seen.by_region) * outsiders).astype(np.int64))
    inside = np.stack([seen.hit - seen.hands, seen.data - 1, seen.hit, seen.data])
    bits = linkages(inside[0], inside[1], expected, outsiders)
    return _Linked(seen.flags, np.stack([*inside, seen.outside, outsiders, expected]).T, bits)


def _links(engine: Engine, kind: Link, groups: dict[int, Weighed], asked: dict[str, Asked]) -> None:
    of = _asked(engine, kind, asked)
    if not of.known:
        return
    found = _linked(of, [group.members for group in groups.values()])
    flags = np.split(found.flags, np.cumsum([len(group.members) for group in groups.values()])[:-1])
    told = zip(groups.values(), found.counts.tolist(), flags, found.bits.tolist(), found.stands.tolist(), strict=True)
    for group, counts, theirs, worth, stands in told:
        if stands:
            group.held[kind.name] = Held(of.reach, group.members)
            _observe(group, kind, theirs, dict(zip(COUNTS, counts, strict=True)), worth)


def most_bits(
    engine: Engine, groups: Sequence[Integers], silent: frozenset[str], asked: dict[str, Asked], *, against: RivalOf
) -> Floats:
    """The most that all evidence could give each group for a claim against one rival: of links what they do give (a
    view has at most its best kind's bits, and `VIEW_CAP`), of every other kind the most that it can.

    groups: account numbers of each, ascending. The rest as for `weigh`.
    """
    claim, rival = against
    views: dict[str, Floats] = {}
    rest = 0.0
    for kind in _speaking(silent):
        if isinstance(kind, Conduct):
            rest += VIEW_CAP if kind.most is None else max(0.0, kind.most.get(rival, 0.0))
            continue
        if kind.claim != claim or rival in kind.explained_by:  # then they give none
            continue
        bits = np.full(len(groups), VIEW_CAP)
        if isinstance(kind, Link):
            found = _linked(_asked(engine, kind, asked), groups)
            bits = np.where(found.stands, found.bits, 0.0)
        views[kind.view] = np.maximum(views.get(kind.view, 0.0), np.minimum(VIEW_CAP, bits))
    return np.asarray(sum(views.values(), np.full(len(groups), rest)), np.float64)


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
        joined, of = int((hit & inside).sum()), int(inside.sum())
        counts = dict(zip(COUNTS, (joined, of, joined, of, rated, outsiders, rated), strict=True))
        _observe(group, kind, flags, counts, linkage(joined, of, rated, outsiders))


def _nth_without(taken: Integers, n: int) -> int:
    """The n-th number from 0 on of those that are not taken (ascending)."""
    # Before the i-th that is taken stand taken[i] - i that are not.
    return n + int(np.searchsorted(taken - np.arange(len(taken)), n, side="right"))


# What is counted of a link or trait: hits among members and chances of them, members hit and with data, outsiders hit
# and in all, and how many of so many innocent causes would join.
COUNTS = ("joined", "chances", "hit", "members", "outsiders_hit", "outsiders", "expected")


def _observe(
    group: Weighed, kind: Link | Trait, flags: npt.NDArray[np.int8], counts: dict[str, int], bits: float
) -> None:
    """Note what a link or trait says."""
    group.hits[kind.name] = flags
    group.rates[kind.name] = (counts["outsiders_hit"] + 0.5) / (counts["outsiders"] + 1.0)
    group.observations.append(Observation(kind, bits, counts))


def _conduct(engine: Engine, kind: Conduct, groups: dict[int, Weighed]) -> None:
    for row in engine.query(kind.sql).to_pylist():
        counts = {k: int(v) for k, v in row.items() if v is not None}
        group = groups.get(counts.pop("group_no"))
        by_rival = kind.weigh(counts) if group is not None else None
        if group is not None and by_rival is not None:
            bits = max(by_rival.values(), key=abs, default=0.0)
            group.observations.append(Observation(kind, bits, counts, by_rival or {"*": 0.0}))


def by_group(number: Integers, values: Integers) -> dict[int, Integers]:
    """The values of each group (both arrays aligned), ascending."""
    order = np.lexsort((values, number))
    found, first = np.unique(number[order], return_index=True)
    return dict(zip(found.tolist(), np.split(values[order], first[1:]), strict=True)) if len(found) else {}


def _speaking(silent: frozenset[str]) -> list[Kind]:
    """The kinds whose columns have values."""
    return [kind for kind in kinds() if not any(column in silent for column in kind.needs)]


def weigh(
    engine: Engine,
    candidates: pa.Table,
    silent: frozenset[str],
    asked: dict[str, Asked] | None = None,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> dict[int, Weighed]:
    """Weigh every candidate group.

    candidates: group_no, account_no (int64, distinct pairs); the engine holds them too, and what `count_groups` leaves
    (`group_cells` and `group_traffic`: the exchanges a group is judged by, counted and one by one), `account_exits`,
    `known_accounts`, `models`, `account_jobs`.
    silent: columns without any value, whose kinds stay silent. asked: who holds the values of links, by kind, which is
    kept from one weighing to the next while the engine's tables are the same. progress: told how many kinds of how many
    are done.
    """
    asked = {} if asked is None else asked
    number, account = candidates["group_no"].to_numpy(), candidates["account_no"].to_numpy()
    groups = {group: Weighed(members) for group, members in by_group(number, account).items()}
    speaking = _speaking(silent) if groups else []
    for done, kind in enumerate(speaking):
        progress(done, len(speaking))
        match kind:
            case Link():
                _links(engine, kind, groups, asked)
            case Trait():
                _traits(engine, kind, groups)
            case Conduct():
                _conduct(engine, kind, groups)
    return groups
