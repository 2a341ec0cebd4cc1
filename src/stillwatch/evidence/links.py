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
    accounts hold, in their order. by_value: the rows in order of values; ends: where each value's rows end in it.
    region: for each account number that of its country, in order of their names, or -1. in_region: of each region, how
    many accounts have any value.
    """

    known: npt.NDArray[np.bool_]
    account: Integers
    value: Integers
    by_value: Integers
    ends: Integers
    region: Integers
    in_region: Integers


@dataclass(frozen=True, slots=True)
class Reached:
    """What the values of one group's members reach.

    account, value: the members that hold a value together with another one, in order. holder, held: who holds the
    values that could join somebody, members and outsiders alike, in order. outside: outsiders who hold a member's
    value. Of the members' regions: members, everybody with a value, and outsiders hit.
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
    by_value = np.argsort(value, kind="stable")
    ends = np.cumsum(np.bincount(value, minlength=int(value.max(initial=-1)) + 1))
    in_region = np.bincount(region[known & (region >= 0)], minlength=int(region.max()) + 1)
    return Holders(known, account, value, by_value, ends, region, in_region)


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
        self._inside = np.zeros(size, np.bool_)
        self._met = np.zeros(size, np.bool_)
        self._held = np.zeros(len(holders.ends), np.int64)

    def of(self, members: Integers) -> Reached:
        """What a group reaches. members: account numbers, ascending."""
        of = self._of
        members = members[members < len(of.known)]
        hit = np.zeros(len(of.in_region) + 1, np.int64)
        together, rows, outside = _count(
            members, self._first, of.value, of.by_value, of.ends, of.account, of.region,
            self._everybody, self._lift, self._inside, self._met, self._held, hit,
        )  # fmt: skip
        rows.sort()
        theirs = of.region[members[of.known[members]]]
        in_group = np.bincount(theirs[theirs >= 0], minlength=len(of.in_region))
        at = np.flatnonzero(in_group)
        return Reached(
            of.account[together],
            of.value[together],
            of.account[rows],
            of.value[rows],
            outside,
            in_group[at],
            of.in_region[at],
            hit[at],
        )


_i8, _I8, _FLAGS = numba.types.int64, numba.types.int64[::1], numba.types.boolean[::1]


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


@numba.njit(
    numba.types.Tuple((_I8, _I8, _i8))(_I8, _I8, _I8, _I8, _I8, _I8, _I8, _i8, _i8, _FLAGS, _FLAGS, _I8, _I8),  # type: ignore[no-untyped-call]
    nogil=True,
    cache=True,
)
def _count(members, first, value, by_value, ends, account, region, everybody, lift, inside, met, held, hit):  # type: ignore[no-untyped-def]
    """Count in `hit` the outsiders of each region who hold a value that a member holds.

    Gives the members' rows whose value another member holds, the rows of values that could join somebody, and how many
    outsiders are hit. `inside` and `met` come and go false, `held` (how many members hold each value) nought.
    """
    touched = np.empty(len(held), np.int64)
    n = size = 0
    for i in range(len(members)):
        inside[members[i]] = True
        for row in range(first[members[i]], first[members[i] + 1]):
            if held[value[row]] == 0:
                touched[n] = value[row]
                n += 1
            held[value[row]] += 1
            size += 1
    together = np.empty(size, np.int64)
    size = 0
    for i in range(len(members)):
        for row in range(first[members[i]], first[members[i] + 1]):
            if held[value[row]] > 1:
                together[size] = row
                size += 1
    outside = holding = 0
    for t in range(n):
        v = touched[t]
        begin = ends[v - 1] if v > 0 else 0
        everywhere = ends[v] - begin
        # The value could join somebody only if it were commoner among two members and more than elsewhere.
        if held[v] * (everybody + 1) >= lift * (2 * (everywhere - held[v]) - 1):
            holding += everywhere
        if everywhere == held[v]:
            continue
        for at in range(begin, ends[v]):
            a = account[by_value[at]]
            if not inside[a] and not met[a]:
                met[a] = True
                outside += 1
                hit[region[a]] += 1  # those of no region in the last place
    could = np.empty(holding, np.int64)
    holding = 0
    for t in range(n):
        v = touched[t]
        begin = ends[v - 1] if v > 0 else 0
        joins = held[v] * (everybody + 1) >= lift * (2 * (ends[v] - begin - held[v]) - 1)
        for at in range(begin, ends[v]):
            met[account[by_value[at]]] = False
            if joins:
                could[holding] = by_value[at]
                holding += 1
        held[v] = 0
    for i in range(len(members)):
        inside[members[i]] = False
    return together[:size].copy(), could, outside
