# ruff: noqa: PLR0917
"""Who holds the values of a link, and what a group's values reach: integer counts, from one query a kind and scan.

A query's values are asked once, as numbers; of values that one account alone holds only the account is kept. Every
group that is weighed is then counted here, over whoever holds its values, without asking the engine again.
"""

from __future__ import annotations

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
    """What the values of one group's members reach.

    account, value: the members that hold a value together with another one, in order. holder, held: the members that
    hold values that could join somebody, in order. outside: outsiders who hold a member's value. Of the members'
    regions: members, everybody with a value, and outsiders hit.
    """

    account: Integers
    value: Integers
    holder: Integers
    held: Integers
    outside: int
    members: Integers
    everybody: Integers
    hit: Integers


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
        self._held = np.zeros(len(holders.ends), np.int64)
        # Sets of accounts are bits, those of one region together in words of their own, so that a set is counted by
        # region; those of none stand last.
        regions = len(holders.in_region)
        region = np.where(holders.region < 0, regions, holders.region)
        words = -(-np.bincount(region, minlength=regions + 1) // 64)
        self._words = np.concatenate([[0], np.cumsum(words)])
        order = np.argsort(region, kind="stable")
        within = np.arange(size) - np.searchsorted(region[order], region[order])
        self._bit = np.empty(size, np.int64)
        self._bit[order] = self._words[region[order]] * 64 + within
        self._hub, self._hubs = _hubs(holders.ends, holders.holder, self._bit, int(self._words[-1]))

    def of(self, members: Integers) -> Reached:
        """What a group reaches. members: account numbers, ascending."""
        of = self._of
        members = members[members < len(of.known)]
        together, rows, hit = _count(
            members, self._first, of.value, of.holder, of.ends, self._everybody, self._lift, self._held,
            self._bit, self._words, self._hub, self._hubs,
        )  # fmt: skip
        theirs = of.region[members[of.known[members]]]
        in_group = np.bincount(theirs[theirs >= 0], minlength=len(of.in_region))
        at = np.flatnonzero(in_group)
        return Reached(
            of.account[together],
            of.value[together],
            of.account[rows],
            of.value[rows],
            int(hit.sum()),
            in_group[at],
            of.in_region[at],
            hit[at],
        )


_i8, _I8, _SETS = numba.types.int64, numba.types.int64[::1], numba.types.uint64[:, ::1]


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
    large = np.flatnonzero(sizes > words)
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


@numba.njit(
    numba.types.Tuple((_I8, _I8, _I8))(_I8, _I8, _I8, _I8, _I8, _i8, _i8, _I8, _I8, _I8, _I8, _SETS),  # type: ignore[no-untyped-call]
    nogil=True,
    cache=True,
)
def _count(members, first, value, holder, ends, everybody, lift, held, bit, words, hub, hubs):  # type: ignore[no-untyped-def]
    """The members' rows whose value another member holds, their rows of values that could join somebody, and how many
    outsiders of each region hold a value that a member holds, those of no region last.

    `held` (how many members hold each value) comes and goes nought.
    """
    reached = np.zeros(words[-1], np.uint64)
    one = np.uint64(1)
    size = 0
    for i in range(len(members)):
        for row in range(first[members[i]], first[members[i] + 1]):
            v = value[row]
            size += 1
            held[v] += 1
            if held[v] > 1:
                continue
            if hub[v] >= 0:
                for w in range(len(reached)):
                    reached[w] |= hubs[hub[v], w]
            else:
                for at in range(ends[v - 1] if v > 0 else 0, ends[v]):
                    b = bit[holder[at]]
                    reached[b >> 6] |= one << np.uint64(b & 63)
    together, could = np.empty(size, np.int64), np.empty(size, np.int64)
    n = m = 0
    for i in range(len(members)):
        b = bit[members[i]]
        reached[b >> 6] &= ~(one << np.uint64(b & 63))
        for row in range(first[members[i]], first[members[i] + 1]):
            v = value[row]
            if held[v] > 1:
                together[n] = row
                n += 1
            others = ends[v] - (ends[v - 1] if v > 0 else 0) - held[v]
            # The value could join somebody only if it were commoner among two members and more than elsewhere.
            if held[v] * (everybody + 1) >= lift * (2 * others - 1):
                could[m] = row
                m += 1
    for i in range(len(members)):
        for row in range(first[members[i]], first[members[i] + 1]):
            held[value[row]] = 0
    hit = np.zeros(len(words) - 1, np.int64)
    for r in range(len(hit)):
        for w in range(words[r], words[r + 1]):
            hit[r] += _ones(reached[w])
    return together[:n].copy(), could[:m].copy(), hit


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
