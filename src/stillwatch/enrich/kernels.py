"""The compiled loops of the sketch: fold, hash, select. `sketch.py` says what they compute; here is how, and fast.

All of them stand in one file, since numba's cache notices a change only in the file of the function it compiled. They
release the GIL, allocate by the batch and never by the byte, and take arrays flat, hence the many arguments.
"""
# ruff: noqa: PLR0917
# What numba compiles is typed by its signatures, in numba's types, not in Python's.
# mypy: disable-error-code="no-untyped-call, call-overload, call-arg, assignment, var-annotated"

from __future__ import annotations

import numba
import numpy as np
from numba import types

from stillwatch.enrich.folding import GIVE_UP, HAS_ASCII, LENGTH_SHIFT, MARK
from stillwatch.enrich.kernel_cache import ensure_kernel_cache
from stillwatch.enrich.words import load8, multiply, store8

# Long scale: 64-byte grams, windows of 64, so 127 bytes (about 21 English words) are caught for certain and 2 / 65 of
# all positions are kept (Schleimer et al., section 2: the density of winnowing is 2 / (w + 1)).
LONG_GRAM, LONG_WINDOW = 64, 64
# Short scale: 32-byte grams, windows of 29: 60 bytes, twenty characters of three bytes each.
SHORT_GRAM, SHORT_WINDOW = 32, 29
# A short gram counts only where at least this many of its bytes belong to multi-byte characters: half of them.
SHORT_MULTIBYTE = 16

# Most grams cannot be the least of a window, and only those below these limits, one in eight, are looked at one by one;
# a stretch as long as a window without any is gone through in full (1 in 5,000 for 64 grams, 1 in 50 for 29), so the
# limits change the speed and never the result. One in 8 was the fastest of 8, 10, 12 and 16.
LONG_BELOW = np.uint64(2**64 // 8)
SHORT_BELOW = np.uint64(2**64 // 8)
# Each pass takes out about a third of what is left; after four, the next costs what it saves.
PEAK_PASSES = 4
# Grams hashed at a time, so that scratch room is bounded; an eighth of it is written to, 8 KiB, so it stays within a
# core's first-level cache. Most prompts are shorter.
CHUNK = 4096
# Minima not yet decided. 64 could be open at once in the largest window; a full stack sheds its older half.
STACK = 256
# Scratch room: a chunk's candidates and one more place to write to, then the open ones and what bounds them.
OPEN = CHUNK + 1
SCRATCH = OPEN + STACK
# Room for hashes before repeats are taken out: between two looks at it, a piece of a stretch without candidates, a
# chunk's candidates and the stack may be added.
FREE = 2 * CHUNK + 2 * STACK
ROOM = 3 * CHUNK

_EVERY = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)
_GREATEST = np.uint64(0xFFFFFFFFFFFFFFFF)

ensure_kernel_cache()

_BYTES_IN = types.Array(types.uint8, 1, "C", readonly=True)
_BYTES = types.uint8[::1]
_LOW = types.uint32[::1]
_HASHES = types.uint64[::1]
_PLACES = types.int64[::1]
_FLAGS = types.boolean[::1]
_i8, _u8 = types.int64, types.uint64


@numba.njit(_u8(_u8), inline="always", cache=True)
def _mix(x):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection on 64 bits."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(_u8(_u8, _u8), inline="always", cache=True)
def _least(word, byte):  # type: ignore[no-untyped-def]
    """For eight bytes below 128 in a word, the high bit of each that is at least `byte`."""
    return ((word | _HIGH) - byte * _EVERY) & _HIGH


@numba.njit(_u8(_u8), inline="always", cache=True)
def _fold_word(word):  # type: ignore[no-untyped-def]
    """Eight ASCII bytes at once: lower case, digits to '0', white space and controls to ' '."""
    upper = _least(word, np.uint64(65)) & ~_least(word, np.uint64(91))
    digit = _least(word, np.uint64(48)) & ~_least(word, np.uint64(58))
    space = (~_least(word, np.uint64(33)) & _HIGH) | _least(word, np.uint64(127))
    word += upper >> np.uint64(2)
    digits, spaces = (digit >> np.uint64(7)) * np.uint64(255), (space >> np.uint64(7)) * np.uint64(255)
    word = (word & ~digits) | (digits & (np.uint64(48) * _EVERY))
    return (word & ~spaces) | (spaces & (np.uint64(32) * _EVERY))


@numba.njit(_u8(_u8, _u8), inline="always", cache=True)
def _repeats(word, last):  # type: ignore[no-untyped-def]
    """The high bit of each byte of a folded word that is a space or '0' and equals the byte before it."""
    before = (word << np.uint64(8)) | last
    changed = _least(word ^ before, np.uint64(1))
    # ' ' is 0x20 and '0' is 0x30: they alone are 0x20 without the bit 0x10.
    other = _least((word & (np.uint64(0xEF) * _EVERY)) ^ (np.uint64(0x20) * _EVERY), np.uint64(1))
    return _HIGH & ~changed & ~other


@numba.njit(types.Tuple((_i8, _u8))(_u8, _u8, _BYTES, _i8), inline="always", cache=True)
def _put(byte, last, out, n):  # type: ignore[no-untyped-def]
    """Fold one ASCII byte onto out[:n]; return the new n and the folded byte."""
    word = _fold_word(byte) & np.uint64(255)
    out[np.uint64(n)] = np.uint8(word)
    repeated = (word == last) & ((word == np.uint64(32)) | (word == np.uint64(48)))
    return n + np.int64(not repeated), word


@numba.njit(types.Tuple((_i8, _i8))(_BYTES_IN, _i8, _i8, _LOW, _BYTES, _BYTES, _BYTES), nogil=True, cache=True)
def _fold(data, start, stop, low, marks, high, out):  # type: ignore[no-untyped-def]  # noqa: PLR0915
    """Fold data[start:stop] into out (at least 16 bytes longer); see `folding.Folding` for low, marks and high.

    Runs of digits become one '0' and runs of white space one ' ', none at the ends. Returns the folded length and how
    many of its bytes are of multi-byte characters; the length is -1 where the text is given up. Bytes that are no
    valid UTF-8 are kept as they are.
    """
    n, multibyte = 0, 0
    last = np.uint64(32)
    order = 0
    i = start
    while i < stop:
        if i + 8 <= stop:
            word = load8(data, i)
            if word & _HIGH == 0:
                word = _fold_word(word)
                drop = _repeats(word, last)
                if drop == 0:
                    store8(out, n, word)
                    n += 8
                else:
                    for k in range(8):
                        out[np.uint64(n)] = np.uint8(word >> np.uint64(8 * k))
                        n += 1 - np.int64((drop >> np.uint64(8 * k + 7)) & np.uint64(1))
                last = word >> np.uint64(56)
                order = 0
                i += 8
                continue
        raw = np.uint64(data[i])
        if raw < 128:
            n, last = _put(raw, last, out, n)
            order = 0
            i += 1
            continue
        if raw >= 0xF0 and i + 3 < stop:
            point = (raw & np.uint64(7)) << np.uint64(18) | np.uint64(data[i + 1] & 63) << np.uint64(12)
            point |= np.uint64(data[i + 2] & 63) << np.uint64(6) | np.uint64(data[i + 3] & 63)
            if high[min(point - np.uint64(0x10000), np.uint64(0x10000))] == 0:
                return -1, 0
            for k in range(4):
                out[n + k] = data[i + k]
            n, multibyte, last, order = n + 4, multibyte + 4, np.uint64(data[i + 3]), 0
            i += 4
            continue
        size = 3 if raw >= 0xE0 else 2
        if raw < 0xC0 or i + size > stop:
            out[n] = raw
            n, multibyte, last, order = n + 1, multibyte + 1, raw, 0
            i += 1
            continue
        if size == 3:
            point = (raw & np.uint64(15)) << np.uint64(12) | np.uint64(data[i + 1] & 63) << np.uint64(6)
            point |= np.uint64(data[i + 2] & 63)
        else:
            point = (raw & np.uint64(31)) << np.uint64(6) | np.uint64(data[i + 1] & 63)
        i += size
        entry = low[point]
        if entry & (MARK | GIVE_UP | HAS_ASCII) == 0:
            store8(out, n, np.uint64(entry & np.uint32(0xFFFFFF)))
            length = np.int64(entry >> np.uint32(LENGTH_SHIFT))
            n += length
            multibyte += length
            if length > 0:
                last = np.uint64(out[n - 1])
            order = 0
            continue
        if entry & GIVE_UP != 0:
            return -1, 0
        mark = np.int64(marks[point])
        if mark != 0 and mark < order:
            return -1, 0
        order = mark
        for k in range(np.int64(entry >> np.uint32(LENGTH_SHIFT)) & 3):
            byte = np.uint64(entry >> np.uint32(8 * k)) & np.uint64(255)
            if byte < 128:
                n, last = _put(byte, last, out, n)
            else:
                out[n] = byte
                n, multibyte, last = n + 1, multibyte + 1, byte
    if n > 0 and out[n - 1] == 32:
        n -= 1
    return n, multibyte


@numba.njit(_u8(_BYTES_IN, _i8, _i8, _HASHES, _u8), nogil=True, cache=True)
def _whole(text, start, stop, gear, whiten):  # type: ignore[no-untyped-def]
    """A 63-bit keyed hash of text[start:stop], sixteen bytes at a time: multiply and fold, as wyhash (Wang Yi) does.

    Both factors hold a secret word, so that without the key nobody makes two texts collide.
    """
    h = whiten ^ np.uint64(stop - start)
    i = start
    while i + 16 <= stop:
        h = multiply(load8(text, i) ^ gear[0], load8(text, i + 8) ^ h)
        i += 16
    first, second = np.uint64(0), np.uint64(0)
    for k in range(i, stop):
        first = (first << np.uint64(8)) | (second >> np.uint64(56))
        second = (second << np.uint64(8)) | np.uint64(text[k])
    h = multiply(first ^ gear[1], second ^ h)
    return _mix(h ^ gear[2]) >> np.uint64(1)


@numba.njit(_i8(_HASHES, _PLACES, _i8, _i8), nogil=True, cache=True)
def _without_peaks(hashes, places, found, window):  # type: ignore[no-untyped-def]
    """Take out of hashes[:found] those that stand between two lesser ones no more than a window apart; return how many
    are left.

    Such a hash is the least of no window and bounds no other's stretch, since either neighbour does so first. It costs
    no branch, and a mispredicted one in `_select` costs more than all else there.
    """
    if found < 3:
        return found
    n = np.uint64(1)
    before, here = hashes[0], hashes[1]
    place_before, place = places[0], places[1]
    for c in range(np.uint64(2), np.uint64(found)):
        after, place_after = hashes[c], places[c]
        hashes[n] = here
        places[n] = place
        n += np.uint64(1) - (
            np.uint64(here > before) & np.uint64(here > after) & np.uint64(place_after - place_before <= window)
        )
        before, here = here, after
        place_before, place = place, place_after
    hashes[n] = here
    places[n] = place
    return np.int64(n) + 1


@numba.njit(
    types.Tuple((_i8, _i8))(_HASHES, _PLACES, _i8, _i8, _i8, _i8, _HASHES, _PLACES, _i8),
    nogil=True,
    cache=True,
)
def _select(hashes, places, part, found, depth, window, kept, at, count):  # type: ignore[no-untyped-def]
    """Meet hashes[part:][:found] in order: decide the open hashes that each ends, and open it.

    The open ones, hashes[part + OPEN + 1 :][:depth], rise, and their stretches (between the nearest lesser hash on
    either side) have not ended; the one before them bounds them. A hash is the least of some window if its stretch is
    at least a window long. Returns depth and count.
    """
    # Unsigned places: numba makes no provision for counting them from the end.
    one = np.uint64(1)
    bound = np.uint64(part + OPEN)
    top = bound + np.uint64(depth)
    n = np.uint64(count)
    for c in range(np.uint64(part), np.uint64(part + found)):
        value, place = hashes[c], places[c]
        while hashes[top] > value:
            kept[n] = hashes[top]
            at[n] = places[top]
            top -= one
            n += np.uint64(place - places[top] > window)
        if hashes[top] == value:
            places[top] = place  # it bounds what comes after it
            continue
        if top == bound + np.uint64(STACK - 1):
            half = np.uint64(STACK // 2)
            for k in range(bound + one, bound + half + one):  # more than a window behind, so decided
                kept[n] = hashes[k]
                at[n] = places[k]
                n += one
            places[bound] = places[bound + half]
            for k in range(bound + half + one, bound + np.uint64(STACK)):
                hashes[k - half] = hashes[k]
                places[k - half] = places[k]
            top -= half
        top += one
        hashes[top] = value
        places[top] = place
    return np.int64(top - bound), np.int64(n)


@numba.njit(_i8(_HASHES, _PLACES, _i8, _i8, _i8, _i8, _HASHES, _PLACES, _i8), nogil=True, cache=True)
def _end(hashes, places, part, depth, place, window, kept, at, count):  # type: ignore[no-untyped-def]
    """Decide all open hashes at the end of a stretch; return the new count."""
    for top in range(part + OPEN + depth, part + OPEN, -1):
        kept[count] = hashes[top]
        at[count] = places[top]
        count += np.int64(place - places[top - 1] > window)
    return count


@numba.njit(types.Tuple((_u8, _i8))(_BYTES, _i8, _i8, _u8, _HASHES, _HASHES, _PLACES), nogil=True, cache=True)
def _long_candidates(text, first, stop, h, gear, hashes, places):  # type: ignore[no-untyped-def]
    """Roll h over text[first:stop]; the hashes below the limit, and where their grams begin. Returns h and how many."""
    c = np.uint64(0)
    i = np.uint64(first)
    end = np.uint64(stop)
    while i + np.uint64(1) < end:  # by twos, so that a step waits for the one before it half as often
        first_byte = gear[text[i]]
        both = (first_byte << np.uint64(1)) + gear[text[i + np.uint64(1)]]
        odd = (h << np.uint64(1)) + first_byte
        h = (h << np.uint64(2)) + both
        hashes[c] = odd
        places[c] = np.int64(i) - (LONG_GRAM - 1)
        c += np.uint64(odd < LONG_BELOW)
        hashes[c] = h
        places[c] = np.int64(i) - (LONG_GRAM - 2)
        c += np.uint64(h < LONG_BELOW)
        i += np.uint64(2)
    if i < end:
        h = (h << np.uint64(1)) + gear[text[i]]
        hashes[c] = h
        places[c] = np.int64(i) - (LONG_GRAM - 1)
        c += np.uint64(h < LONG_BELOW)
    return h, np.int64(c)


@numba.njit(types.Tuple((_u8, _i8, _i8))(_BYTES, _i8, _i8, _u8, _i8, _HASHES, _HASHES, _PLACES), nogil=True, cache=True)
def _short_candidates(text, first, stop, h, dense, gear, hashes, places):  # type: ignore[no-untyped-def]
    """The same for short grams, of which only those with enough multi-byte bytes count; dense is carried along."""
    c = np.uint64(0)
    for i in range(np.uint64(first), np.uint64(stop)):
        h = (h << np.uint64(2)) + gear[text[i]]
        dense += np.int64(text[i] >> np.uint8(7))
        hashes[c] = h
        places[c] = np.int64(i) - (SHORT_GRAM - 1)
        c += np.uint64(h < SHORT_BELOW) & np.uint64(dense >= SHORT_MULTIBYTE)
        dense -= np.int64(text[i - np.uint64(SHORT_GRAM - 1)] >> np.uint8(7))
    return h, dense, np.int64(c)


@numba.njit(_i8(_BYTES, _i8, _i8, _i8, _HASHES, _HASHES, _PLACES, _i8), nogil=True, cache=True)
def _all_grams(text, shift, first, stop, gear, hashes, places, part):  # type: ignore[no-untyped-def]
    """The hashes of all grams that begin in text[first:stop] to hashes[part:], and where; return how many."""
    gram, least = (LONG_GRAM, 0) if shift == 1 else (SHORT_GRAM, SHORT_MULTIBYTE)
    found, dense = 0, 0
    h = np.uint64(0)
    for i in range(first, stop + gram - 1):
        h = (h << np.uint64(shift)) + gear[text[i]]
        dense += np.int64(text[i] >= 128)
        if i < first + gram - 1:
            continue
        hashes[part + found] = h
        places[part + found] = i - gram + 1
        found += np.int64(dense >= least)
        dense -= np.int64(text[i - gram + 1] >= 128)
    return found


@numba.njit(types.Tuple((_i8, types.boolean))(_HASHES, _i8, _i8, _i8, _u8), nogil=True, cache=True)
def _squeeze(kept, done, count, cap, whiten):  # type: ignore[no-untyped-def]
    """Make passages of kept[done:count], and keep the least `cap` distinct ones of kept[:count], in order.

    Returns how many, and whether there were more.
    """
    for i in range(done, count):
        kept[i] = _mix(kept[i] ^ whiten) >> np.uint64(1)
    kept[:count] = np.sort(kept[:count])
    n = 0
    for i in range(count):
        if n == 0 or kept[i] != kept[n - 1]:
            kept[n] = kept[i]
            n += 1
    return min(n, cap), n > cap


@numba.njit(
    types.Tuple((_i8, _i8, types.boolean))(
        _BYTES, _i8, _i8, _i8, _HASHES, _u8, _i8, _HASHES, _PLACES, _HASHES, _PLACES, _i8, _i8, types.boolean
    ),
    nogil=True,
    cache=True,
)
def _bare(text, shift, first, stop, gear, whiten, cap, hashes, places, kept, at, count, done, over):  # type: ignore[no-untyped-def]
    """Go through a stretch of any length without candidates, in pieces that share all but one place of a window, so
    that each window lies in one of them. Returns count, done and over as `_winnow` does."""
    window = LONG_WINDOW if shift == 1 else SHORT_WINDOW
    part = SCRATCH  # the other half: `_winnow` holds the first
    while stop - first >= window:
        if count + FREE > len(kept):
            count, more = _squeeze(kept, done, count, cap, whiten)
            done, over = count, over or more
        end = min(stop, first + CHUNK)
        found = _all_grams(text, shift, first, end, gear, hashes, places, part)
        hashes[part + OPEN], places[part + OPEN] = np.uint64(0), first - 1
        depth, count = _select(hashes, places, part, found, 0, window, kept, at, count)
        count = _end(hashes, places, part, depth, end, window, kept, at, count)
        first = end - window + 1
    return count, done, over


@numba.njit(
    types.Tuple((_i8, _i8, types.boolean))(
        _BYTES, _i8, _i8, _HASHES, _u8, _i8, _HASHES, _PLACES, _HASHES, _PLACES, _i8, _i8, types.boolean
    ),
    nogil=True,
    cache=True,
)
def _winnow(text, shift, n, gear, whiten, cap, hashes, places, kept, at, count, done, over):  # type: ignore[no-untyped-def]
    """Append the winnowed hashes of text[:n] at one scale, and where their grams begin, to kept and at.

    The hash that is the least of some window of consecutive grams is kept. kept[:done] are passages already; where
    room runs out, all are made so and the least `cap` are held. Returns count, done and whether the cap was passed.
    """
    gram, window = (LONG_GRAM, LONG_WINDOW) if shift == 1 else (SHORT_GRAM, SHORT_WINDOW)
    grams = n - gram + 1
    if grams < window:  # the least of them all
        stop = _all_grams(text, shift, 0, grams, gear, hashes, places, 0) if grams > 0 else 0
        if stop > 0:
            least = np.argmin(hashes[:stop])
            kept[count], at[count] = hashes[least], places[least]
            count += 1
        return count, done, over
    hashes[OPEN], places[OPEN] = np.uint64(0), -1
    depth, dense, before = 0, 0, -1
    h = np.uint64(0)
    for i in range(gram - 1):
        h = (h << np.uint64(shift)) + gear[text[i]]
    if shift == 2:
        for i in range(gram - 1):
            dense += np.int64(text[i] >> np.uint8(7))
    first = gram - 1
    while first < n:
        if count + FREE > len(kept):
            count, more = _squeeze(kept, done, count, cap, whiten)
            done, over = count, over or more
        stop = min(first + CHUNK, n)
        if shift == 1:
            h, found = _long_candidates(text, first, stop, h, gear, hashes, places)
        else:
            h, dense, found = _short_candidates(text, first, stop, h, dense, gear, hashes, places)
        for c in range(found):
            if places[c] - before > window:
                count, done, over = _bare(
                    text, shift, before + 1, places[c], gear, whiten, cap, hashes, places, kept, at, count, done, over
                )
            before = places[c]
        for _ in range(PEAK_PASSES):
            found = _without_peaks(hashes, places, found, window)
        depth, count = _select(hashes, places, 0, found, depth, window, kept, at, count)
        first = stop
    if grams - before > window:
        count, done, over = _bare(
            text, shift, before + 1, grams, gear, whiten, cap, hashes, places, kept, at, count, done, over
        )
    return _end(hashes, places, 0, depth, grams, window, kept, at, count), done, over


@numba.njit(_i8(_HASHES, _i8, _PLACES), nogil=True, cache=True)
def _distinct(kept, count, slots):  # type: ignore[no-untyped-def]
    """Move the distinct ones of kept[:count] to its front, in their order; return how many.

    slots is an open-addressing table of a power of two of at least 2 * count, all -1; it is left so.
    """
    size = 128
    while size < 2 * count:
        size *= 2
    mask = np.uint64(size - 1)
    n = 0
    for i in range(count):
        value = kept[i]
        slot = value & mask
        while slots[slot] >= 0 and kept[slots[slot]] != value:
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = n
            kept[n] = value
            n += 1
    slots[:size] = -1
    return n


@numba.njit(
    types.Tuple((_i8, _i8, types.boolean))(_BYTES, _i8, _i8, _HASHES, _u8, _i8, _HASHES, _PLACES, _HASHES, _PLACES),
    nogil=True,
    cache=True,
)
def _passages(text, n, multibyte, gear, whiten, cap, hashes, places, kept, at):  # type: ignore[no-untyped-def]
    """Both scales of the folded text[:n]. Returns how many stand in kept and at, how many of them are of the long
    scale, and whether the cap was passed (then neither places nor scales mean anything)."""
    count, done, over = _winnow(text, 1, n, gear, whiten, cap, hashes, places, kept, at, 0, 0, False)
    long_ones = count
    if multibyte >= SHORT_MULTIBYTE:
        count, done, over = _winnow(text, 2, n, gear, whiten, cap, hashes, places, kept, at, count, done, over)
    for i in range(done, count):
        kept[i] = _mix(kept[i] ^ whiten) >> np.uint64(1)
    return count, long_ones, over


@numba.njit(
    _i8(_BYTES_IN, _PLACES, _FLAGS, _HASHES, _u8, _LOW, _BYTES, _BYTES, _i8, _PLACES, _PLACES, _PLACES, _FLAGS, _FLAGS),
    nogil=True,
    cache=True,
)
def sketch_rows(  # type: ignore[no-untyped-def]
    data, offsets, valid, gear, whiten, low, marks, high, cap, values, lengths, whole, capped, given_up
):
    """Sketch every valid text: its passages to values, in order of the texts; its lengths, whole, capped and given_up.

    values has room for min(cap, twice its bytes) a text. Texts that need normalising are marked as given up and have
    no passages. Returns the number of values.
    """
    rows = len(lengths)
    total = 0
    longest = 0
    for r in range(rows):
        if valid[r]:
            longest = max(longest, offsets[r + 1] - offsets[r])
    text = np.empty(longest + 16, dtype=np.uint8)
    hashes, places = np.empty(2 * SCRATCH, dtype=np.uint64), np.empty(2 * SCRATCH, dtype=np.int64)
    room = ROOM + 2 * cap
    kept, at = np.empty(room, dtype=np.uint64), np.empty(room, dtype=np.int64)
    size = 128
    while size < 2 * room:
        size *= 2
    slots = np.full(size, -1, dtype=np.int64)
    for r in range(rows):
        lengths[r], whole[r], capped[r], given_up[r] = 0, -1, False, False
        if not valid[r]:
            continue
        n, multibyte = _fold(data, offsets[r], offsets[r + 1], low, marks, high, text)
        given_up[r] = n < 0
        if n <= 0:
            continue
        whole[r] = np.int64(_whole(text, 0, n, gear, whiten))
        count, _, over = _passages(text, n, multibyte, gear, whiten, cap, hashes, places, kept, at)
        distinct = _distinct(kept, count, slots)
        if distinct > cap:
            kept[:distinct] = np.sort(kept[:distinct])
            distinct, over = cap, True
        capped[r] = over
        lengths[r] = distinct
        for i in range(distinct):
            values[total + i] = np.int64(kept[i])
        total += distinct
    return total


@numba.njit(
    types.Tuple((_i8, _i8, _i8))(_BYTES_IN, _HASHES, _u8, _LOW, _BYTES, _BYTES, _BYTES, _HASHES, _PLACES),
    nogil=True,
    cache=True,
)
def sketch_one(data, gear, whiten, low, marks, high, text, kept, at):  # type: ignore[no-untyped-def]
    """Sketch one text: fold it into text, its passages to kept and the places of their grams to at, nothing capped.

    text is 16 bytes longer than data; kept and at have room for ROOM and twice the bytes. Returns the folded length
    (-1 where given up), the number of passages, and how many of them are of the long scale.
    """
    n, multibyte = _fold(data, 0, len(data), low, marks, high, text)
    if n < 0:
        return n, 0, 0
    hashes, places = np.empty(2 * SCRATCH, dtype=np.uint64), np.empty(2 * SCRATCH, dtype=np.int64)
    count, long_ones, _ = _passages(text, n, multibyte, gear, whiten, len(kept), hashes, places, kept, at)
    return n, count, long_ones


@numba.njit(types.void(_PLACES, _PLACES, _PLACES, _PLACES), nogil=True, cache=True)
def gather(values, starts, lengths, out):  # type: ignore[no-untyped-def]
    """Copy values[starts[r] :][: lengths[r]] of every row, one after the other, to out."""
    n = 0
    for r in range(len(starts)):
        for i in range(lengths[r]):
            out[n + i] = values[starts[r] + i]
        n += lengths[r]


@numba.njit(types.void(_BYTES_IN, _PLACES, _FLAGS, _HASHES, _u8, _PLACES), nogil=True, cache=True)
def hash_rows(data, offsets, valid, gear, whiten, out):  # type: ignore[no-untyped-def]
    """The keyed hash of every text as it is; -1 for null and empty ones."""
    for r in range(len(out)):
        known = valid[r] and offsets[r + 1] > offsets[r]
        out[r] = np.int64(_whole(data, offsets[r], offsets[r + 1], gear, whiten)) if known else -1
