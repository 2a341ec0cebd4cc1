# ruff: noqa: PLR0917
"""The loops of `sharing`, compiled: they release the interpreter, so that threads run them side by side."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt
from numba import types

from stillwatch.enrich.kernel_cache import ensure_kernel_cache

ensure_kernel_cache()

_I8, _I4, _U8, _FLAGS = types.int64[::1], types.int32[::1], types.uint64[::1], types.boolean[::1]
_IN = types.Array(types.int64, 1, "C", readonly=True)


@numba.njit(_I8(_IN, _I8, _IN, _I8, _I4, types.int64, _I8, _I4), nogil=True, cache=True)
def scatter(system, first, prompt, second, accounts, shift, passages, owners):  # type: ignore[no-untyped-def]
    """Write all passages, and beside each its account, in order of their highest bits; where each range begins."""
    ranges = 1 << (63 - shift)
    starts = np.zeros(ranges + 1, np.int64)
    for i in range(len(system)):
        starts[(system[i] >> shift) + 1] += 1
    for i in range(len(prompt)):
        starts[(prompt[i] >> shift) + 1] += 1
    for r in range(ranges):
        starts[r + 1] += starts[r]
    place = starts.copy()
    for row in range(len(accounts)):
        for i in range(first[row], first[row + 1]):
            r = system[i] >> shift
            passages[place[r]], owners[place[r]] = system[i], accounts[row]
            place[r] += 1
        for i in range(second[row], second[row + 1]):
            r = prompt[i] >> shift
            passages[place[r]], owners[place[r]] = prompt[i], accounts[row]
            place[r] += 1
    return starts


@numba.njit(types.int64(types.int64), cache=True, inline="always")
def _room(size):  # type: ignore[no-untyped-def]
    """A power of two at least twice the size."""
    room = 16
    while room < 2 * size:
        room *= 2
    return room


@numba.njit(_FLAGS(_I8, _I4, types.int64), nogil=True, cache=True)
def several(passages, accounts, least):  # type: ignore[no-untyped-def]
    """For each occurrence whether its passage has occurrences of another account too, and at least so many (at most
    255)."""
    mask = _room(len(passages)) - 1
    # Passages are mixed hashes, so their lowest bits are a hash themselves. -1: free; owner -1: several.
    key, owner = np.full(mask + 1, -1, np.int64), np.empty(mask + 1, np.int32)
    times = np.zeros(mask + 1, np.uint8)
    for i in range(len(passages)):
        at = passages[i] & mask
        while key[at] != passages[i] and key[at] != -1:
            at = (at + 1) & mask
        if key[at] == -1:
            key[at], owner[at] = passages[i], accounts[i]
        elif owner[at] != accounts[i]:
            owner[at] = -1
        times[at] = min(times[at] + 1, 255)
    found = np.empty(len(passages), np.bool_)
    for i in range(len(passages)):
        at = passages[i] & mask
        while key[at] != passages[i]:
            at = (at + 1) & mask
        found[i] = owner[at] == -1 and times[at] >= least
    return found


@numba.njit(types.Tuple((_I8, _U8))(_I8), nogil=True, cache=True)  # type: ignore[no-untyped-call]
def _table_of(passages):  # type: ignore[no-untyped-def]
    mask = _room(len(passages)) - 1
    table = np.full(mask + 1, -1, np.int64)
    # Sixteen bits a place of the table, so that of passages that are not in it one in thirty-two is looked up.
    bits = np.zeros((mask + 1) // 4, np.uint64)
    for i in range(len(passages)):
        at = passages[i] & mask
        while table[at] != -1:
            at = (at + 1) & mask
        table[at] = i
        bit = (passages[i] >> 20) & (len(bits) * 64 - 1)
        bits[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
    return table, bits


def table_of(passages: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """A table by which `carriers` finds a passage's place in `passages`, and bits that say whether to look."""
    made: tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]] = _table_of(passages)
    return made


@numba.njit(types.int64(types.int64, _I8, _I8, _U8), nogil=True, cache=True, inline="always")
def _place(passage, passages, table, bits):  # type: ignore[no-untyped-def]
    """Where a passage stands in `passages`, or -1."""
    bit = (passage >> 20) & (len(bits) * 64 - 1)
    if not bits[bit >> 6] >> np.uint64(bit & 63) & np.uint64(1):
        return -1
    mask = len(table) - 1
    at = passage & mask
    while table[at] != -1:
        if passages[table[at]] == passage:
            return table[at]
        at = (at + 1) & mask
    return -1


@numba.njit(types.int64(_IN, _I8, _IN, _I8, _I8, _I8, _U8, _I8, _I8), nogil=True, cache=True)
def carriers(system, first, prompt, second, passages, table, bits, which, rows):  # type: ignore[no-untyped-def]
    """Write the place of each passage that is in the table, and its row, once a row; how many."""
    n = 0
    for row in range(len(first) - 1):
        begun = n
        for i in range(first[row], first[row + 1]):
            place = _place(system[i], passages, table, bits)
            if place >= 0:
                which[n], rows[n] = place, row
                n += 1
        twice = n
        for i in range(second[row], second[row + 1]):
            place = _place(prompt[i], passages, table, bits)
            if place < 0:
                continue
            known = False
            for j in range(begun, twice):
                known = known or which[j] == place
            if not known:
                which[n], rows[n] = place, row
                n += 1
    return n


@numba.njit(types.void(_I8, _I8), nogil=True, cache=True)
def count(which, counts):  # type: ignore[no-untyped-def]
    """Add one for each."""
    for i in range(len(which)):
        counts[which[i]] += 1
