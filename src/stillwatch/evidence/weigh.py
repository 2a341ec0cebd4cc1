"""Run every kind of evidence over every candidate group: counts in SQL, bits in Python."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from stillwatch.engine import Engine
from stillwatch.evidence import Conduct, Kind, Link, Trait, kinds
from stillwatch.evidence.kind import TRAIT_OUTSIDERS, linkage

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


# How much commoner a value must be among those whom a hand runs than elsewhere before it joins an account to them: a
# bit. What is less telling would be outweighed by the many values that most accounts hold.
JOINING_LIFT = 2


@dataclass(frozen=True, slots=True)
class Held:
    """Who holds the values of one kind of link that a group's members hold, members and outsiders alike.

    account, value: aligned, one row an account and value; values that are too popular to join anybody are left out.
    known: how many accounts have any value of the kind.
    """

    account: Integers
    value: Integers
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


def clusters(accounts: Integers, values: Integers) -> tuple[Integers, Integers]:
    """The accounts that equal values join (both arrays aligned, one row an edge): distinct accounts, ascending, and
    the number of the cluster of each."""
    a, rows = np.unique(accounts, return_inverse=True)
    v, columns = np.unique(values, return_inverse=True)
    size = len(a) + len(v)
    graph = coo_matrix((np.ones(len(rows), np.int8), (rows, columns + len(a))), (size, size))
    return a, np.asarray(connected_components(graph, directed=False)[1][: len(a)], np.int64)


def _links(engine: Engine, kind: Link, groups: dict[int, Weighed]) -> None:
    engine.create("link", f"SELECT DISTINCT account_no, value FROM ({kind.sql})")
    known = set(engine.query("SELECT DISTINCT account_no FROM link")["account_no"].to_pylist())
    if not known:
        return
    engine.create(
        "held",
        "SELECT c.group_no, l.value, count(*) AS members FROM candidates AS c JOIN link AS l "
        "ON l.account_no = c.account_no GROUP BY c.group_no, l.value",
    )
    outside = engine.query(
        "SELECT h.group_no, count(DISTINCT l.account_no) AS hit FROM held AS h JOIN link AS l ON l.value = h.value "
        "LEFT JOIN candidates AS c ON c.group_no = h.group_no AND c.account_no = l.account_no "
        "WHERE c.account_no IS NULL GROUP BY h.group_no"
    ).to_pydict()
    outsiders_hit = dict(zip(outside["group_no"], outside["hit"], strict=True))
    shared = engine.query(
        "SELECT c.group_no, c.account_no, dense_rank() OVER (ORDER BY h.value) AS value FROM candidates AS c "
        "JOIN link AS l ON l.account_no = c.account_no "
        "JOIN held AS h ON h.group_no = c.group_no AND h.value = l.value WHERE h.members > 1 "
        "ORDER BY c.group_no, c.account_no, value"
    )
    by_group, account, value = (shared[c].to_numpy() for c in ("group_no", "account_no", "value"))
    holders = engine.query(
        "SELECT h.group_no, l.account_no, dense_rank() OVER (ORDER BY h.value) AS value FROM ("
        "  SELECT h.group_no, h.value FROM held AS h"
        "  JOIN (SELECT value, count(*) AS everywhere FROM link GROUP BY value) AS e ON e.value = h.value"
        # The value could join somebody only if it were commoner among two members and more than elsewhere.
        f"  WHERE e.everywhere > 1 AND h.members * {len(known) + 1} >= "
        f"    {JOINING_LIFT} * (2 * (e.everywhere - h.members) - 1)"
        ") AS h JOIN link AS l ON l.value = h.value ORDER BY h.group_no, l.account_no, value"
    )
    of_group, holder, held = (holders[c].to_numpy() for c in ("group_no", "account_no", "value"))
    kin = _kin_rate(engine, len(known)) if kind.kin else 0.0
    by_region = _region_rates(engine)
    everyone = np.fromiter(known, np.int64)
    for number, group in groups.items():
        at = slice(*np.searchsorted(by_group, [number, number + 1]))
        hit = np.unique(account[at])
        data = np.isin(group.members, everyone)
        outsiders = len(known) - int(data.sum())
        if data.sum() < 2:
            continue
        flags = np.where(np.isin(group.members, hit), 1, np.where(data, 0, -1)).astype(np.int8)
        joined = len(hit) - len(np.unique(clusters(account[at], value[at])[1]))
        at = slice(*np.searchsorted(of_group, [number, number + 1]))
        group.held[kind.name] = Held(holder[at], held[at], len(known))
        outside = outsiders_hit.get(number, 0)
        expected = max(outside, round(max(kin, by_region.get(number, 0.0)) * outsiders))
        _observe(group, kind, flags, (joined, int(data.sum()) - 1), (outside, outsiders, expected))


# Accounts of a region that count as much as the rest of the world does for the region's own rate: with fewer, hardly
# anything is known of the region.
REGION_WEIGHT = 4.0


def _region_rates(engine: Engine) -> dict[int, float]:
    """For each group the rate at which outsiders of its members' own countries are hit.

    People of one country share a language, and with it turns of phrase, and a carrier's addresses; so members are held
    against their like (a null stratified by region). The engine holds `link`, `held` and `candidates`.
    """
    rows = engine.query(
        "SELECT s.group_no, s.country, s.members, s.everybody, coalesce(o.hit, 0) AS hit FROM ("
        "  SELECT c.group_no, k.country, count(*) AS members, max(n.accounts) AS everybody FROM candidates AS c"
        "  JOIN known_accounts AS k ON k.account_no = c.account_no"
        "  JOIN (SELECT country, count(*) AS accounts FROM known_accounts"
        "    WHERE account_no IN (SELECT account_no FROM link) GROUP BY country) AS n ON n.country = k.country"
        "  WHERE c.account_no IN (SELECT account_no FROM link) GROUP BY c.group_no, k.country"
        ") AS s LEFT JOIN ("
        "  SELECT h.group_no, k.country, count(DISTINCT l.account_no) AS hit FROM held AS h"
        "  JOIN link AS l ON l.value = h.value JOIN known_accounts AS k ON k.account_no = l.account_no"
        "  LEFT JOIN candidates AS c ON c.group_no = h.group_no AND c.account_no = l.account_no"
        "  WHERE c.account_no IS NULL GROUP BY h.group_no, k.country"
        ") AS o ON o.group_no = s.group_no AND o.country = s.country ORDER BY s.group_no, s.country"
    )
    number, members, everybody, hit = (rows[c].to_numpy() for c in ("group_no", "members", "everybody", "hit"))
    rates = {}
    for group in np.unique(number):
        at = number == group
        outsiders = everybody[at] - members[at]
        overall = hit[at].sum() / max(1, outsiders.sum())
        by_country = (hit[at] + REGION_WEIGHT * overall) / (outsiders + REGION_WEIGHT)
        rates[int(group)] = float((by_country * members[at]).sum() / members[at].sum())
    return rates


def _kin_rate(engine: Engine, known: int) -> float:
    """Of all accounts with a value of the link, the share that joins another one, a first of each cluster left out."""
    several = engine.query(
        "SELECT l.account_no, dense_rank() OVER (ORDER BY l.value) AS value FROM link AS l "
        "JOIN (SELECT value FROM link GROUP BY value HAVING count(*) > 1) AS s ON s.value = l.value"
    )
    if several.num_rows == 0:
        return 0.0
    accounts, label = clusters(several["account_no"].to_numpy(), several["value"].to_numpy())
    return (len(accounts) - len(np.unique(label))) / known


def _traits(engine: Engine, kind: Trait, groups: dict[int, Weighed]) -> None:
    rows = engine.query(f"SELECT account_no, part, whole FROM ({kind.sql}) ORDER BY account_no")
    accounts = rows["account_no"].to_numpy()
    if len(accounts) < 2:
        return
    score = rows["part"].to_numpy() / rows["whole"].to_numpy()
    for group in groups.values():
        inside = np.isin(accounts, group.members)
        if inside.sum() < 2 or not (~inside).any():
            continue
        bar = np.quantile(score[~inside], 1 - TRAIT_OUTSIDERS, method="higher")
        hit = score > bar
        flags = np.full(len(group.members), -1, np.int8)
        flags[np.searchsorted(group.members, accounts[inside])] = hit[inside]
        outsiders = int((~inside).sum())
        # The rate is at most TRAIT_OUTSIDERS by construction; it is taken as no less, since the bar was fitted.
        rated = max(int((hit & ~inside).sum()), int(np.ceil(TRAIT_OUTSIDERS * outsiders)))
        _observe(group, kind, flags, (int(hit[inside].sum()), int(inside.sum())), (rated, outsiders, rated))


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


def weigh(engine: Engine, candidates: pa.Table, silent: frozenset[str]) -> dict[int, Weighed]:
    """Weigh every candidate group.

    candidates: group_no, account_no (int64, distinct pairs); the engine holds them too, and `group_traffic` (group_no
    and the columns of `traffic`: the exchanges a group is judged by), `known_accounts`, `models`, `account_jobs`.
    silent: columns without any value, whose kinds stay silent.
    """
    number, account = candidates["group_no"].to_numpy(), candidates["account_no"].to_numpy()
    groups = {int(g): Weighed(np.sort(account[number == g])) for g in np.unique(number)}
    for kind in kinds():
        if any(column in silent for column in kind.needs):
            continue
        match kind:
            case Link():
                _links(engine, kind, groups)
            case Trait():
                _traits(engine, kind, groups)
            case Conduct():
                _conduct(engine, kind, groups)
    return groups
