# ruff: noqa: PLR0917
"""Who holds the values of a link, and what a group's values reach: integer counts, from one query a kind and scan.

A query's values are asked once, as numbers; of values that one account alone holds only the account is kept. Every
group that is weighed is then counted here, over whoever holds its values, without asking the engine again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.engine import Engine
from stillwatch.enrich.kernel_cache import ensure_kernel_cache
from stillwatch.evidence.kind import Link

Integers = npt.NDArray[np.int64]

# Accounts of a region that count as much as the rest of the world does for the region's own rate: with fewer, hardly
# anything is known of the region.
REGION_WEIGHT = 4.0
# A value with as many holders as a set of all accounts has words is kept as such a set: adding a word to another takes
# as long as adding an account.
HUB = 1

ensure_kernel_cache()


@dataclass(frozen=True, slots=True)
class Holders:
    """Which accounts hold which values of one kind of link.

    known: for each account number whether it has any value. account, value: one row an account and value that several
    accounts hold, in their order. holder: the accounts in order of values; ends: where each value's holders end in it.
    region: for each account number that of its country, in order of their names, or -1. in_region: of each region, how
    many accounts have any value.
    """

    known: npt.NDArray[np.bool_]
    account: Integers
    value: Integers
    holder: Integers
    ends: Integers
    region: Integers
    in_region: Integers


@dataclass(frozen=True, slots=True)
class Reached:
    """What the values of some groups' members reach.

    flags: for every member of the groups, group after group, 1 where it holds a value together with another one, 0, or
    -1 without any value. Of each group: data, members with any value; hit, those that hold one together; hands, how
    many clusters these make; outside, outsiders who hold a member's value; by_region, the rate at which outsiders of
    the members' own regions do.
    """

    flags: npt.NDArray[np.int8]
    data: Integers
    hit: Integers
    hands: Integers
    outside: Integers
    by_region: npt.NDArray[np.float64]


def holders(engine: Engine, kind: Link) -> Holders:
    """Ask a kind's query; the engine holds `known_accounts` besides."""
    engine.create("link", f"SELECT DISTINCT account_no, value FROM ({kind.sql})")
    everyone = engine.query("SELECT DISTINCT account_no FROM link")["account_no"].to_numpy()
    several = engine.query(
        "SELECT l.account_no, l.value FROM link AS l "
        "JOIN (SELECT value FROM link GROUP BY value HAVING count(*) > 1) AS s ON s.value = l.value"
    )
    countries = engine.query("SELECT account_no, country FROM known_accounts WHERE country IS NOT NULL")
    size = 1 + max((int(a.max()) for a in (everyone, countries["account_no"].to_numpy()) if len(a)), default=0)
    known = np.zeros(size, np.bool_)
    known[everyone] = True
    region = np.full(size, -1, np.int64)
    region[countries["account_no"].to_numpy()] = _numbered(countries["country"])
    account, value = several["account_no"].to_numpy(), _numbered(several["value"])
    order = np.lexsort((value, account))
    account, value = account[order], value[order]
    holder, ends = held_by(account, value)
    in_region = np.bincount(region[known & (region >= 0)], minlength=int(region.max()) + 1)
    return Holders(known, account, value, holder, ends, region, in_region)


def held_by(account: Integers, value: Integers) -> tuple[Integers, Integers]:
    """The accounts in order of values (numbered from 0 on), and where each value's accounts end."""
    return account[np.argsort(value, kind="stable")], np.cumsum(np.bincount(value)).astype(np.int64)


def _numbered(texts: pa.ChunkedArray) -> Integers:
    """Each text as its place among the different ones in order."""
    coded = pc.dictionary_encode(texts.combine_chunks())
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    place = np.empty(len(coded.dictionary), np.int64)
    place[np.asarray(pc.sort_indices(coded.dictionary))] = np.arange(len(place))
    return place[np.asarray(coded.indices, np.int64)] if len(place) else np.zeros(0, np.int64)


def clusters(accounts: Integers, values: Integers) -> tuple[Integers, Integers]:
    """The accounts that equal values join (both arrays aligned, one row an edge): distinct accounts, ascending, and
    for each the place of the first account of its cluster."""
    found, label = _clusters(
        np.ascontiguousarray(accounts, np.int64),
        np.ascontiguousarray(values, np.int64),
        np.argsort(accounts, kind="stable"),
        np.argsort(values, kind="stable"),
    )
    return found, label


class Reach:
    """Counts what groups reach, one after the other. lift: how much commoner a value must be among members than
    elsewhere, at best, to be among those that could join somebody."""

    def __init__(self, holders: Holders, lift: int) -> None:
        self._of = holders
        self._lift = lift
        self._everybody = int(holders.known.sum())
        size = len(holders.known)
        self._first = np.searchsorted(holders.account, np.arange(size + 1))
        self._held, self._met_first = np.zeros((2, len(holders.ends)), np.int64)
        # Sets of accounts are bits, those of one region together in words of their own, so that a set is counted by
        # region; those of none stand last.
        regions = len(holders.in_region)
        region = np.where(holders.region < 0, regions, holders.region)
        words = -(-np.bincount(region, minlength=regions + 1) // 64)
        self._region_of_word = np.repeat(np.arange(regions + 1), words)
        before = np.cumsum(words) - words
        order = np.argsort(region, kind="stable")
        within = np.arange(size) - np.searchsorted(region[order], region[order])
        self._bit = np.empty(size, np.int64)
        self._bit[order] = before[region[order]] * 64 + within
        self._hub, self._hubs = _hubs(holders.ends, holders.holder, self._bit, int(words.sum()))

    @property
    def everybody(self) -> int:
        """How many accounts have any value of the kind."""
        return self._everybody

    @property
    def by_value(self) -> tuple[Integers, Integers]:
        """Who holds each value, and where each one's holders end."""
        return self._of.holder, self._of.ends

    def of(self, groups: Sequence[Integers]) -> Reached:
        """What groups reach, each given as account numbers, ascending."""
        of = self._of
        begin = np.concatenate([[0], np.cumsum([len(members) for members in groups])]).astype(np.int64)
        members = np.concatenate([np.zeros(0, np.int64), *groups])
        flags = np.empty(len(members), np.int8)
        counts = np.zeros((4, len(groups)), np.int64)
        by_region = np.zeros(len(groups))
        _reach(
            members, begin, of.known, self._first, of.value, of.holder, of.ends, of.region, of.in_region,
            self._held, self._met_first, self._bit, self._region_of_word, self._hub, self._hubs, REGION_WEIGHT,
            flags, counts, by_region,
        )  # fmt: skip
        return Reached(flags, counts[0], counts[1], counts[2], counts[3], by_region)

    def joining(self, members: Integers) -> tuple[Integers, Integers]:
        """The members (their places) and values that could join somebody to a group, one row each, in order."""
        of = self._of
        known = members[members < len(of.known)]
        place, value = _joining(known, self._first, of.value, of.ends, self._everybody, self._lift, self._held)
        return place, value


_i8, _I8, _SETS = numba.types.int64, numba.types.int64[::1], numba.types.uint64[:, ::1]
_FLAGS = numba.types.boolean[::1]


@numba.njit(numba.types.UniTuple(_I8, 2)(_I8, _I8, _I8, _I8), nogil=True, cache=True)  # type: ignore[no-untyped-call]
def _clusters(accounts, values, by_account, by_value):  # type: ignore[no-untyped-def]
    found, place = np.empty(len(accounts), np.int64), np.empty(len(accounts), np.int64)
    n = 0
    for row in by_account:
        if n == 0 or found[n - 1] != accounts[row]:
            found[n] = accounts[row]
            n += 1
        place[row] = n - 1
    first = np.arange(n)
    for i in range(1, len(by_value)):
        if values[by_value[i]] != values[by_value[i - 1]]:
            continue
        a, b = place[by_value[i]], place[by_value[i - 1]]
        while first[a] != a:
            first[a] = first[first[a]]
            a = first[a]
        while first[b] != b:
            first[b] = first[first[b]]
            b = first[b]
        first[max(a, b)] = min(a, b)
    for i in range(n):  # whatever an account points at stands before it and points at the cluster's first by now
        first[i] = first[first[i]]
    return found[:n].copy(), first


def _hubs(ends: Integers, holder: Integers, bit: Integers, words: int) -> tuple[Integers, npt.NDArray[np.uint64]]:
    """Values with more holders than a set of accounts has words: for each value the row of its set, or -1; the sets."""
    sizes = np.diff(ends, prepend=0)
    hub = np.full(len(ends), -1, np.int64)
    large = np.flatnonzero(sizes > HUB * words)
    hub[large] = np.arange(len(large))
    sets = np.zeros((len(large), words), np.uint64)
    for row, value in enumerate(large):
        bits = bit[holder[ends[value] - sizes[value] : ends[value]]]
        np.bitwise_or.at(sets[row], bits >> 6, np.uint64(1) << (bits & 63).astype(np.uint64))
    return hub, sets


@numba.njit(_i8(numba.types.uint64), nogil=True, cache=True, inline="always")
def _ones(word):  # type: ignore[no-untyped-def]
    """How many bits are set (Warren, Hacker's Delight, 5-1)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@numba.njit(numba.types.void(_I8, _i8, _i8), nogil=True, cache=True, inline="always")
def _join(first, a, b):  # type: ignore[no-untyped-def]
    """Join the sets of two places: of each set the first place stands for it."""
    while first[a] != a:
        first[a] = first[first[a]]
        a = first[a]
    while first[b] != b:
        first[b] = first[first[b]]
        b = first[b]
    first[max(a, b)] = min(a, b)


@numba.njit(numba.types.float64(_I8, _I8, _I8, numba.types.float64), nogil=True, cache=True)
def _rate(inside, everybody, hit, weight):  # type: ignore[no-untyped-def]
    """The rate at which outsiders of the members' own regions are hit, each region counting by its members."""
    theirs = others = others_hit = 0
    for r in range(len(inside)):
        if inside[r]:
            theirs += inside[r]
            others += everybody[r] - inside[r]
            others_hit += hit[r]
    overall = others_hit / max(1, others)
    rate = 0.0
    for r in range(len(inside)):
        if inside[r]:
            rate += (hit[r] + weight * overall) / (everybody[r] - inside[r] + weight) * inside[r]
    return rate / theirs if theirs else 0.0


@numba.njit(
    numba.types.void(
        _I8, _I8, _FLAGS, _I8, _I8, _I8, _I8, _I8, _I8, _I8, _I8, _I8, _I8, _I8, _SETS, numba.types.float64,
        numba.types.int8[::1], numba.types.int64[:, ::1], numba.types.float64[::1],
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def _reach(  # type: ignore[no-untyped-def]
    everybody, begin, known, first, value, holder, ends, region, in_region, held, met_first, bit, region_of_word, hub,
    hubs, region_weight, flags, counts, by_region,
):  # fmt: skip
    """Write for all groups what `Reached` says. `held` comes and goes nought."""
    one = np.uint64(1)
    regions = len(in_region)
    reached = np.zeros(len(region_of_word), np.uint64)
    hit, inside = np.zeros(regions + 1, np.int64), np.zeros(regions, np.int64)
    for g in range(len(begin) - 1):
        members = everybody[begin[g] : begin[g + 1]]
        of = np.arange(len(members))
        reached[:] = 0
        hit[:] = 0
        inside[:] = 0
        data = 0
        for i in range(len(members)):
            a = members[i]
            if a >= len(known) or not known[a]:
                flags[begin[g] + i] = -1
                continue
            flags[begin[g] + i] = 0
            data += 1
            reached[bit[a] >> 6] |= one << np.uint64(bit[a] & 63)
            if region[a] >= 0:
                inside[region[a]] += 1
        for i in range(len(members)):
            if flags[begin[g] + i] < 0:
                continue
            for row in range(first[members[i]], first[members[i] + 1]):
                v = value[row]
                held[v] += 1
                if held[v] > 1:
                    _join(of, i, met_first[v])
                    flags[begin[g] + i] = 1
                    flags[begin[g] + met_first[v]] = 1
                    continue
                met_first[v] = i
                if hub[v] >= 0:
                    for w in range(len(reached)):
                        new = hubs[hub[v], w] & ~reached[w]
                        if new:
                            reached[w] |= new
                            hit[region_of_word[w]] += _ones(new)
                else:
                    for at in range(ends[v - 1] if v > 0 else 0, ends[v]):
                        b = bit[holder[at]]
                        mark = one << np.uint64(b & 63)
                        if not reached[b >> 6] & mark:
                            reached[b >> 6] |= mark
                            hit[region_of_word[b >> 6]] += 1
        hits = hands = 0
        for i in range(len(members)):
            if flags[begin[g] + i] == 1:
                hits += 1
                hands += of[i] == i
            if flags[begin[g] + i] >= 0:
                for row in range(first[members[i]], first[members[i] + 1]):
                    held[value[row]] = 0
        counts[0, g], counts[1, g], counts[2, g], counts[3, g] = data, hits, hands, hit.sum()
        by_region[g] = _rate(inside, in_region, hit, region_weight)


@numba.njit(
    numba.types.UniTuple(_I8, 2)(_I8, _I8, _I8, _I8, _i8, _i8, _I8),  # type: ignore[no-untyped-call]
    nogil=True,
    cache=True,
)
def _joining(members, first, value, ends, everybody, lift, held):  # type: ignore[no-untyped-def]
    """Places of members and values. `held` (how many members hold each value) comes and goes nought."""
    size = 0
    for a in members:
        for row in range(first[a], first[a + 1]):
            held[value[row]] += 1
            size += 1
    place, could = np.empty(size, np.int64), np.empty(size, np.int64)
    n = 0
    for i in range(len(members)):
        for row in range(first[members[i]], first[members[i] + 1]):
            v = value[row]
            others = ends[v] - (ends[v - 1] if v > 0 else 0) - held[v]
            # The value could join somebody only if it were commoner among two members and more than elsewhere.
            if held[v] * (everybody + 1) >= lift * (2 * others - 1):
                place[n], could[n] = i, v
                n += 1
    for a in members:
        for row in range(first[a], first[a + 1]):
            held[value[row]] = 0
    return place[:n].copy(), could[:n].copy()


@numba.njit(_I8(_I8, _I8, _I8, _I8), nogil=True, cache=True)
def others_of(values, ends, holder, members):  # type: ignore[no-untyped-def]
    """Who holds some of the values and is no member: account numbers, ascending."""
    met = np.zeros(1 + max(holder.max() if len(holder) else 0, members.max() if len(members) else 0), np.bool_)
    for v in values:
        for at in range(ends[v - 1] if v > 0 else 0, ends[v]):
            met[holder[at]] = True
    for member in members:
        met[member] = False
    return np.flatnonzero(met)
