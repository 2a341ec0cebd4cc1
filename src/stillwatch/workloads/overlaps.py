# ruff: noqa: PLR0917
"""Which sets of accounts overlap, without looking at every pair: a busy account is in very many sets."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from stillwatch.enrich.kernel_cache import ensure_kernel_cache

Integers = npt.NDArray[np.int64]

ensure_kernel_cache()

_i8, _I8, _f8 = numba.types.int64, numba.types.int64[::1], numba.types.float64


class Sets:
    """Sets of accounts, numbered from 0 on.

    number, account: aligned, one row for each account of each set, distinct; sets: how many there are.
    """

    def __init__(self, number: Integers, account: Integers, sets: int) -> None:
        order = np.lexsort((account, number))
        self._account = np.ascontiguousarray(account[order], np.int64)
        self._begin = np.searchsorted(number[order], np.arange(sets + 1))
        # Sets of each account, and those of two accounts in the order of both.
        order = np.lexsort((number, account))
        _, first = np.unique(account[order], return_index=True)
        self._of = np.ascontiguousarray(number[order], np.int64)
        self._of_begin = np.append(first, len(order)).astype(np.int64)

    def common(self, a: Integers, b: Integers) -> Integers:
        """How many accounts pairs of sets have in common."""
        return np.asarray(_common(np.array(a, np.int64), np.array(b, np.int64), self._begin, self._account))

    def sizes(self) -> Integers:
        """Accounts of each set."""
        return np.diff(self._begin)

    def near(self, level: float) -> Integers:
        """For each set the first one that it is joined to, straight or by others, where sets are joined whose Jaccard
        similarity is `level`, at most a half, or more.

        One common account is enough for small sets (a fifth: up to six accounts in both together); then all small sets
        of an account are joined by the smallest of them. Two sets of two accounts are compared as such. Of all others
        two and more must be in common, so that some are met by the accounts of each that are in the fewest sets (prefix
        filtering, Bayardo, Ma and Srikant 2007): those in very many sets are not looked through.
        """
        sizes = self.sizes()
        first = np.arange(len(sizes))
        enough = int(np.floor((1 + level) / level + 1e-9))
        _by_smallest(self._of, self._of_begin, sizes, enough, first)
        twos = np.flatnonzero(sizes == 2)
        pairs = self._account[self._begin[twos][:, None] + np.arange(2)]
        _, place, same = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
        _join_all(first, twos, twos[place][same.ravel()])
        rarest = self._rarest_first()
        least = _in_common(2 * level / (1 + level) * sizes)
        met_by, starts = self._index(rarest, sizes - least + 1)
        probes = sizes - _in_common(level * sizes) + 1
        _by_larger(self._begin, self._account, rarest, probes, met_by, starts, sizes, enough, level, first)
        return first

    def _rarest_first(self) -> Integers:
        """The accounts of each set, numbered by how few sets they are in, ascending."""
        everybody, which, often = np.unique(self._account, return_inverse=True, return_counts=True)
        rank = np.empty(len(everybody), np.int64)
        rank[np.argsort(often, kind="stable")] = np.arange(len(everybody))
        number = np.repeat(np.arange(len(self._begin) - 1), np.diff(self._begin))
        return np.ascontiguousarray(rank[which][np.lexsort((rank[which], number))], np.int64)

    def _index(self, ranked: Integers, lengths: Integers) -> tuple[Integers, Integers]:
        """Sets by the first accounts of each (`lengths` of them), and where those of each account begin."""
        number = np.repeat(np.arange(len(self._begin) - 1), np.diff(self._begin))
        kept = np.arange(len(ranked)) - self._begin[number] < lengths[number]
        account, number = ranked[kept], number[kept]
        order = np.lexsort((number, account))
        starts = np.searchsorted(account[order], np.arange(int(ranked.max(initial=-1)) + 2))
        return np.ascontiguousarray(number[order], np.int64), starts.astype(np.int64)


def _in_common(share: npt.NDArray[np.floating[Any]]) -> Integers:
    """The fewest accounts in common, of sets for which one is not enough."""
    return np.asarray(np.maximum(2, np.ceil(share - 1e-9)), np.int64)


@numba.njit(_i8(_I8, _i8), nogil=True, cache=True)
def _root(first, a):  # type: ignore[no-untyped-def]
    while first[a] != a:
        first[a] = first[first[a]]
        a = first[a]
    return a


@numba.njit(numba.types.void(_I8, _i8, _i8), nogil=True, cache=True)
def _join(first, a, b):  # type: ignore[no-untyped-def]
    a, b = _root(first, a), _root(first, b)
    first[max(a, b)] = min(a, b)


@numba.njit(numba.types.void(_I8, _I8, _I8), nogil=True, cache=True)
def _join_all(first, a, b):  # type: ignore[no-untyped-def]
    for i in range(len(a)):
        _join(first, a[i], b[i])


@numba.njit(numba.types.void(_I8, _I8, _I8, _i8, _I8), nogil=True, cache=True)
def _by_smallest(of, begin, sizes, enough, first):  # type: ignore[no-untyped-def]
    """Join, for each account, the smallest set that it is in to all with which one common account is enough."""
    for account in range(len(begin) - 1):
        smallest = of[begin[account]]
        for at in range(begin[account], begin[account + 1]):
            if sizes[of[at]] < sizes[smallest]:
                smallest = of[at]
        for at in range(begin[account], begin[account + 1]):
            if of[at] != smallest and sizes[of[at]] + sizes[smallest] <= enough:
                _join(first, of[at], smallest)


@numba.njit(_i8(_I8, _I8, _i8, _i8), nogil=True, cache=True)
def _of_both(begin, account, a, b):  # type: ignore[no-untyped-def]
    """How many accounts two sets have in common."""
    i, j, found = begin[a], begin[b], 0
    while i < begin[a + 1] and j < begin[b + 1]:
        if account[i] == account[j]:
            found += 1
            i += 1
            j += 1
        elif account[i] < account[j]:
            i += 1
        else:
            j += 1
    return found


@numba.njit(numba.types.void(_I8, _I8, _I8, _I8, _I8, _I8, _I8, _i8, _f8, _I8), nogil=True, cache=True)
def _by_larger(begin, account, rarest, probes, met_by, starts, sizes, enough, level, first):  # type: ignore[no-untyped-def]
    """Join each set of three and more to those of at most its size that are near enough, where one common account is
    not enough; at the end `first` tells of each set the first of its component.

    Most sets come into one large component. Those of an account's sets that are in it are moved behind the others
    (`met_by` is put in another order), and no set of the component looks at them again.
    """
    seen = np.full(len(sizes), -1)
    weight = np.zeros(len(sizes), np.int64)
    for a in range(len(sizes)):
        weight[_root(first, a)] += 1
    largest = np.argmax(weight) if len(weight) else 0
    # Where the sets of each account that are in the largest component begin, as far as they were moved, and of which
    # component that was said.
    inside, said = starts[1:].copy(), np.full(len(starts) - 1, -1)
    for a in range(len(sizes)):
        if sizes[a] < 3 or 2 * sizes[a] <= enough:
            continue
        for at in range(begin[a], begin[a] + probes[a]):
            met = rarest[at]
            if said[met] == -1 or _root(first, said[met]) != largest:
                inside[met] = starts[met + 1]
            said[met] = largest
            # Only while that component is the largest: another may overtake it here.
            moves = _root(first, a) == largest
            other, end = starts[met], inside[met] if moves else starts[met + 1]
            while other < end:
                b = met_by[other]
                if moves and largest == said[met] and _root(first, b) == largest:
                    end -= 1
                    inside[met] = end
                    met_by[other], met_by[end] = met_by[end], b
                    continue
                other += 1
                # Too small a set is not near, whatever it has in common.
                if seen[b] == a or sizes[b] > sizes[a] or (sizes[b] == sizes[a] and b >= a):
                    continue
                if sizes[b] / sizes[a] < level:
                    continue
                seen[b] = a
                one, two = _root(first, a), _root(first, b)
                if one == two:
                    continue
                common = _of_both(begin, account, a, b)
                if common / (sizes[a] + sizes[b] - common) >= level:
                    together = weight[one] + weight[two]
                    _join(first, a, b)
                    weight[_root(first, a)] = together
                    if together > weight[_root(first, largest)] or _root(first, largest) == _root(first, a):
                        largest = _root(first, a)
    for a in range(len(first)):
        first[a] = _root(first, a)


@numba.njit(_I8(_I8, _I8, _I8, _I8), nogil=True, cache=True)
def _common(a, b, begin, account):  # type: ignore[no-untyped-def]
    found = np.zeros(len(a), np.int64)
    for pair in range(len(a)):
        found[pair] = _of_both(begin, account, a[pair], b[pair])
    return found
