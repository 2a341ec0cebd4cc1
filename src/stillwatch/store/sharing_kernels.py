# ruff: noqa: PLR0917
"""The loops of `sharing`, compiled: they release the interpreter, so that threads run them side by side."""

from __future__ import annotations

import numba
import numpy as np
from numba import types

from stillwatch.enrich.kernel_cache import ensure_kernel_cache

ensure_kernel_cache()

_I8, _I4 = types.int64[::1], types.int32[::1]
_IN = types.Array(types.int64, 1, "C", readonly=True)

# Occurrences a part of a range, on average: its table of twice to four times as many places of 24 bytes each stays in
# the second level of cache, two megabytes.
PART = 16_384


@numba.njit(_I8(_IN, _I8, _IN, _I8, types.int64, _I8, _I4), nogil=True, cache=True)
def scatter(system, first, prompt, second, shift, passages, rows):  # type: ignore[no-untyped-def]
    """Write all passages, and beside each its row, in order of their highest bits; where each range begins."""
    ranges = 1 << (63 - shift)
    starts = np.zeros(ranges + 1, np.int64)
    for i in range(len(system)):
        starts[(system[i] >> shift) + 1] += 1
    for i in range(len(prompt)):
        starts[(prompt[i] >> shift) + 1] += 1
    for r in range(ranges):
        starts[r + 1] += starts[r]
    place = starts.copy()
    for row in range(len(first) - 1):
        for i in range(first[row], first[row + 1]):
            r = system[i] >> shift
            passages[place[r]], rows[place[r]] = system[i], row
            place[r] += 1
        for i in range(second[row], second[row + 1]):
            r = prompt[i] >> shift
            passages[place[r]], rows[place[r]] = prompt[i], row
            place[r] += 1
    return starts


@numba.njit(types.int64(types.int64), cache=True, inline="always")
def _room(size):  # type: ignore[no-untyped-def]
    """A power of two at least twice the size."""
    room = 16
    while room < 2 * size:
        room *= 2
    return room


@numba.njit(nogil=True, cache=True)
def _different(values, which, rows, first, known, counts):  # type: ignore[no-untyped-def]
    """Count for each place how many different values its rows have, -1 none; `known` is room for a set of them."""
    mask = _room(len(which)) - 1
    known[: mask + 1] = -1
    for i in range(len(which)):
        value = np.int64(values[rows[i]])
        # Fibonacci hashing (Knuth, volume 3, 6.4) keeps places so far apart that no two of them meet in small values;
        # large ones are hashes themselves.
        mixed = (value ^ ((which[i] - first) * np.int64(-7046029254386353131))) & np.int64(2**63 - 1)
        at = (mixed ^ mixed >> 32) & mask
        while known[at] != -1 and known[at] != mixed:
            at = (at + 1) & mask
        if known[at] == -1 and value >= 0:
            known[at] = mixed
            counts[which[i]] += 1


@numba.njit(nogil=True, cache=True)
def _parted(passages, rows):  # type: ignore[no-untyped-def]
    """Occurrences in parts by their lowest bits, the order in each kept, and where each part begins."""
    mask = 0
    while len(passages) > PART * (mask + 1):
        mask = 2 * mask + 1
    starts = np.zeros(mask + 2, np.int64)
    for i in range(len(passages)):
        starts[(passages[i] & mask) + 1] += 1
    for part in range(mask + 1):
        starts[part + 1] += starts[part]
    place = starts.copy()
    sorted_passages, sorted_rows = np.empty_like(passages), np.empty_like(rows)
    for i in range(len(passages)):
        at = place[passages[i] & mask]
        sorted_passages[at], sorted_rows[at] = passages[i], rows[i]
        place[passages[i] & mask] += 1
    return sorted_passages, sorted_rows, starts


@numba.njit((_I8, _I4, _I4, _IN, types.int64), nogil=True, cache=True)
def several(passages, rows, accounts, prompts, least):  # type: ignore[no-untyped-def]
    """The passages that two accounts and more have and that occur at least so often (at most 255 times); for each its
    accounts, exchanges and different prompts; and every exchange that holds one: the passage's place, and the row.

    passages, rows: aligned, in the order of rows.
    accounts, prompts: of each row; -1 for a row that does not count, and for no prompt.
    """
    passages, rows, starts = _parted(passages, rows)
    largest = 0
    for part in range(len(starts) - 1):
        largest = max(largest, starts[part + 1] - starts[part])
    room = _room(largest)
    # -1: free, in `owner` several, in `number` not shared so far.
    key, owner, number = np.empty(room, np.int64), np.empty(room, np.int32), np.empty(room, np.int32)
    times, known = np.empty(room, np.uint8), np.empty(room, np.int64)
    found, counts = np.empty(len(passages) // 2, np.int64), np.zeros((3, len(passages) // 2), np.int64)
    last = np.empty(len(passages) // 2, np.int32)
    which, kept = np.empty(len(passages), np.int32), np.empty(len(passages), np.int32)
    shared, n = 0, 0
    for part in range(len(starts) - 1):
        begin, end = starts[part], starts[part + 1]
        mask = _room(end - begin) - 1
        key[: mask + 1] = -1
        # Passages are mixed hashes, so their bits beyond the part's are a hash themselves.
        for i in range(begin, end):
            account = accounts[rows[i]]
            if account < 0:
                continue
            at = (passages[i] >> 20) & mask
            while key[at] != passages[i] and key[at] != -1:
                at = (at + 1) & mask
            if key[at] == -1:
                key[at], owner[at], number[at], times[at] = passages[i], account, -1, 0
            elif owner[at] != account:
                owner[at] = -1
            times[at] = min(times[at] + 1, 255)
        begun, first = n, shared
        for i in range(begin, end):
            if accounts[rows[i]] < 0:
                continue
            at = (passages[i] >> 20) & mask
            while key[at] != passages[i]:
                at = (at + 1) & mask
            if owner[at] != -1 or times[at] < least:
                continue
            if number[at] == -1:
                number[at], found[shared], last[shared] = shared, passages[i], -1
                shared += 1
            if last[number[at]] == rows[i]:
                continue  # it stands in the exchange's other text too
            last[number[at]] = rows[i]
            counts[1, number[at]] += 1
            which[n], kept[n] = number[at], rows[i]
            n += 1
        _different(accounts, which[begun:n], kept[begun:n], first, known, counts[0])
        _different(prompts, which[begun:n], kept[begun:n], first, known, counts[2])
    return found[:shared].copy(), counts[:, :shared].copy(), which[:n].copy(), kept[:n].copy()
