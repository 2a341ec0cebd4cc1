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

from stillwatch.enrich.folding import COMPOSED, COMPOSES, GIVE_UP, HAS_ASCII, LENGTH, LENGTH_SHIFT, MARK
from stillwatch.enrich.kernel_cache import ensure_kernel_cache
from stillwatch.enrich.words import (
    WIDE,
    fold_ascii,
    folds_to_itself,
    least_of_8,
    least_of_29,
    least_of_64,
    lent,
    load8,
    lowest,
    multiply,
    ones,
    store8,
    weighty,
)

# Long scale: 64-byte grams, windows of 64, so 127 bytes (about 21 English words) are caught for certain and 2 / 65 of
# all positions are kept (Schleimer et al., section 2: the density of winnowing is 2 / (w + 1)).
LONG_GRAM, LONG_WINDOW = 64, 64
# Short scale: 32-byte grams, windows of 29: 60 bytes, twenty characters of three bytes each.
SHORT_GRAM, SHORT_WINDOW = 32, 29
# A short gram counts only where at least this many of its bytes are of signs for a syllable or a word: half of them.
SHORT_WEIGHTY = 16
# What a window of long grams spans, and how many short grams lie in it.
SPAN = LONG_GRAM + LONG_WINDOW - 1
SHORT_IN_SPAN = SPAN - SHORT_GRAM + 1

# Grams hashed at a time, so that scratch room is bounded: three times 16 KiB, which a core's first-level cache holds.
# Most prompts are shorter.
CHUNK = 2048
# A chunk, and what vectors may read and write beyond it.
PART = CHUNK + 4 * WIDE
# Minima are written after the last one of the chunk before, which stands here; so they begin where a vector would.
BEFORE = 7
# Beyond a folded text: the vectors write up to one width past its end, and read up to two.
SLACK = 2 * WIDE
# Room for hashes before repeats are taken out: a chunk may add as many as it has grams.
ROOM = 4 * CHUNK
# What a text of the long scale comes to, rounded down; where there is more, room is doubled.
BYTES_A_PASSAGE = 28

_HIGH = np.uint64(0x8080808080808080)
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)

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


@numba.njit(types.Tuple((_i8, _u8))(_u8, _u8, _BYTES, _i8), inline="always", cache=True)
def _put(byte, last, out, n):  # type: ignore[no-untyped-def]
    """Fold one ASCII byte onto out[:n]; return the new n and the folded byte."""
    if byte - np.uint64(65) < np.uint64(26):
        byte += np.uint64(32)
    elif byte - np.uint64(48) < np.uint64(10):
        byte = np.uint64(48)
    elif byte < np.uint64(33) or byte == np.uint64(127):
        byte = np.uint64(32)
    out[np.uint64(n)] = np.uint8(byte)
    repeated = (byte == last) & ((byte == np.uint64(32)) | (byte == np.uint64(48)))
    return n + np.int64(not repeated), byte


@numba.njit(_u8(_BYTES_IN, _i8, _u8), inline="always", cache=True)
def _unchanged(data, at, beyond):  # type: ignore[no-untyped-def]
    """A bit for each of data[at : at + 64], of which those of `beyond` are no ASCII: whether it is of a character of
    three bytes that folds to itself and lies within them."""
    leads = folds_to_itself(data, at) & (beyond >> _ONE) & (beyond >> np.uint64(2))
    return leads | leads << _ONE | leads << np.uint64(2)


@numba.njit(types.Tuple((_i8, _i8, _u8, _i8))(_BYTES_IN, _i8, _i8, _BYTES, _i8, _u8), inline="always", cache=True)
def _fold_run(data, i, stop, out, n, last):  # type: ignore[no-untyped-def]
    """Fold data[i:stop] onto out[:n] up to the first character that is neither ASCII nor one of those that fold to
    themselves, or until less is left of data than vectors take.

    Returns where that is, the new n, the last folded byte and at least how many bytes were not ASCII.
    """
    weight = 0
    end = min(stop, len(data) - WIDE - 1)
    while i < end:
        beyond, repeats = fold_ascii(data, i, out, n, last)
        if (beyond | repeats) == 0 and stop - i >= WIDE:
            n += WIDE
            i += WIDE
            last = np.uint64(out[n - 1])
            continue
        if beyond != 0:
            unchanged = _unchanged(data, i, beyond)
            weight += np.int64(ones(unchanged))  # some of them again, where something repeats before them
            beyond &= ~unchanged
        run = min(np.uint64(min(stop - i, WIDE)), lowest(beyond))
        # Up to the first that repeats, and past all that do: without a branch, since text says where they stand.
        good = min(run, lowest(repeats))
        taken = good + min(lowest(~(repeats >> (good & np.uint64(63)))), run - good)
        n += np.int64(good)
        i += np.int64(taken)
        if n > 0:
            last = np.uint64(out[n - 1])
        if taken == run and run < WIDE:
            break
    return i, n, last, weight


@numba.njit(types.Tuple((_i8, _i8))(_BYTES_IN, _i8, _i8, _LOW, _BYTES, _BYTES, _BYTES), nogil=True, cache=True)
def _fold(data, start, stop, low, marks, high, out):  # type: ignore[no-untyped-def]  # noqa: PLR0915
    """Fold data[start:stop] into out (at least SLACK bytes longer); see `folding.Folding` for low, marks and high.

    Runs of digits become one '0' and runs of white space one ' ', none at the ends. Returns the folded length and how
    many of its bytes are of weighty characters, or a few more; the length is -1 where the text is given up. Bytes that
    are no valid UTF-8 are kept as they are.
    """
    n, weight = 0, 0
    last = np.uint64(32)
    order, before = 0, COMPOSED  # the class of the last mark, and what the table has of the last other character
    i = start
    while i < stop:
        raw = np.uint64(data[i])
        if raw < 128:
            order, before = 0, COMPOSED
            # One byte alone, as the space between two words, is no work for a vector.
            if i + 1 < stop and data[i + 1] < 128:
                i, n, last, more = _fold_run(data, i, stop, out, n, last)
                weight += more
                if i >= stop:
                    break
                raw = np.uint64(data[i])
            if raw < 128:
                n, last = _put(raw, last, out, n)
                i += 1
                continue
        elif raw - np.uint64(0xE3) < np.uint64(0xEE - 0xE3):
            began = i
            i, n, last, more = _fold_run(data, i, stop, out, n, last)
            if i > began:
                weight += more
                order, before = 0, COMPOSED
                continue
        if raw >= 0xF0 and i + 3 < stop:
            point = (raw & np.uint64(7)) << np.uint64(18) | np.uint64(data[i + 1] & 63) << np.uint64(12)
            point |= np.uint64(data[i + 2] & 63) << np.uint64(6) | np.uint64(data[i + 3] & 63)
            if high[min(point - np.uint64(0x10000), np.uint64(0x10000))] == 0:
                return -1, 0
            for k in range(4):
                out[n + k] = data[i + k]
            n, weight, last = n + 4, weight + 4, np.uint64(data[i + 3])
            order, before = 0, COMPOSED
            i += 4
            continue
        size = 3 if raw >= 0xE0 else 2
        if raw < 0xC0 or i + size > stop:
            out[n] = raw
            n, last, order, before = n + 1, raw, 0, COMPOSED
            i += 1
            continue
        if size == 3:
            point = (raw & np.uint64(15)) << np.uint64(12) | np.uint64(data[i + 1] & 63) << np.uint64(6)
            point |= np.uint64(data[i + 2] & 63)
        else:
            point = (raw & np.uint64(31)) << np.uint64(6) | np.uint64(data[i + 1] & 63)
        i += size
        entry = low[point]
        weight += 3 * np.int64((entry & np.uint32(0xFF)) - np.uint32(0xE3) < np.uint32(0xEE - 0xE3))
        if entry & (MARK | GIVE_UP | HAS_ASCII) == 0:
            store8(out, n, np.uint64(entry & np.uint32(0xFFFFFF)))
            length = np.int64((entry & LENGTH) >> np.uint32(LENGTH_SHIFT))
            n += length
            if length > 0:
                last = np.uint64(out[n - 1])
            order, before = 0, entry
            continue
        if entry & GIVE_UP != 0 or (entry & COMPOSES != 0 and before & COMPOSED != 0):
            return -1, 0
        mark = np.int64(marks[point])
        if mark != 0 and mark < order:
            return -1, 0
        order = mark
        if mark == 0:
            before = entry
        for k in range(np.int64(entry >> np.uint32(LENGTH_SHIFT)) & 3):
            byte = np.uint64(entry >> np.uint32(8 * k)) & np.uint64(255)
            if byte < 128:
                n, last = _put(byte, last, out, n)
            else:
                out[n] = byte
                n, last = n + 1, byte
    if n > 0 and out[n - 1] == 32:
        n -= 1
    out[n] = 0  # nothing follows, so that a broken last character is taken alike each time
    return n, weight


@numba.njit(_u8(_BYTES_IN, _i8, _i8, _HASHES, _u8), nogil=True, cache=True)
def _whole(text, start, stop, gear, whiten):  # type: ignore[no-untyped-def]
    """A 63-bit keyed hash of text[start:stop], sixteen bytes at a time: multiply and fold, as wyhash (Wang Yi) does.

    Both factors hold a secret word, so that without the key nobody makes two texts collide. Two products go on side by
    side, since each waits for the one before it.
    """
    h = whiten ^ np.uint64(stop - start)
    other = h
    i = start
    while i + 32 <= stop:
        h = multiply(load8(text, i) ^ gear[0], load8(text, i + 8) ^ h)
        other = multiply(load8(text, i + 16) ^ gear[1], load8(text, i + 24) ^ other)
        i += 32
    h = multiply(h ^ gear[2], other ^ gear[3])
    if i + 16 <= stop:
        h = multiply(load8(text, i) ^ gear[4], load8(text, i + 8) ^ h)
        i += 16
    first, second = np.uint64(0), np.uint64(0)
    for k in range(i, stop):
        first = (first << np.uint64(8)) | (second >> np.uint64(56))
        second = (second << np.uint64(8)) | np.uint64(text[k])
    h = multiply(first ^ gear[5], second ^ h)
    return _mix(h ^ gear[6]) >> _ONE


@numba.njit(_u8(_BYTES, _i8, _i8, _u8, _HASHES, _HASHES, _i8), nogil=True, cache=True)
def _roll_long(text, first, stop, h, gear, hashes, at):  # type: ignore[no-untyped-def]
    """Roll h over text[first:stop], its values to hashes[at:]; return the last."""
    i, c = np.uint64(first), np.uint64(at)
    end = np.uint64(stop)
    # By fours, so that a step waits for the one before it a quarter as often.
    while i + np.uint64(4) <= end:
        a, b = gear[text[i]], gear[text[i + np.uint64(1)]]
        d, e = gear[text[i + np.uint64(2)]], gear[text[i + np.uint64(3)]]
        ab = (a << np.uint64(1)) + b
        abd = (ab << np.uint64(1)) + d
        hashes[c] = (h << np.uint64(1)) + a
        hashes[c + np.uint64(1)] = (h << np.uint64(2)) + ab
        hashes[c + np.uint64(2)] = (h << np.uint64(3)) + abd
        h = (h << np.uint64(4)) + ((abd << np.uint64(1)) + e)
        hashes[c + np.uint64(3)] = h
        i += np.uint64(4)
        c += np.uint64(4)
    while i < end:
        h = (h << np.uint64(1)) + gear[text[i]]
        hashes[c] = h
        i += np.uint64(1)
        c += np.uint64(1)
    return h


@numba.njit(_u8(_BYTES, _i8, _i8, _u8, _HASHES, _HASHES, _i8), nogil=True, cache=True)
def _roll_short(text, first, stop, h, gear, hashes, at):  # type: ignore[no-untyped-def]
    """The same for short grams."""
    c = np.uint64(at)
    for i in range(np.uint64(first), np.uint64(stop)):
        h = (h << np.uint64(2)) + gear[text[i]]
        hashes[c] = h
        c += np.uint64(1)
    return h


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
    _i8(_HASHES, _HASHES, _HASHES, _i8, types.boolean, types.boolean, _HASHES, _PLACES, _i8, _i8),
    nogil=True,
    cache=True,
)
def _select(hashes, eights, minima, windows, begins, short, kept, at, count, place):  # type: ignore[no-untyped-def]
    """Append the least of each window of hashes to kept where it is not that of the window before (minima[BEFORE] for
    the first, unless it begins a text), and to `at` twice the window's number plus `place`; return the new count.

    No branch depends on a hash until a least one is found: a mispredicted one costs as much as the minima of sixteen
    windows.
    """
    n, first = np.uint64(count), np.uint64(begins)
    for block in range(0, windows + LONG_WINDOW, WIDE):
        least_of_8(hashes, block, eights, block)
    for block in range(0, windows, WIDE):
        found = (
            least_of_29(eights, block, minima, BEFORE + 1 + block)
            if short
            else least_of_64(eights, block, minima, BEFORE + 1 + block)
        )
        if windows - block < WIDE:
            found &= (_ONE << np.uint64(windows - block)) - _ONE
        found |= first
        first = np.uint64(0)
        end = n + ones(found)
        # Of 64 windows, two are different on average and seldom more than four; what is written in vain is overwritten.
        while True:
            for _ in range(4):
                i = np.uint64(block) + lowest(found)
                kept[n] = minima[i + np.uint64(BEFORE + 1)]
                at[n] = np.int64(i << _ONE) + place
                n += _ONE
                found &= found - _ONE
            if n >= end:
                break
        n = end
    return np.int64(n)


@numba.njit(
    types.Tuple((_i8, _i8, types.boolean))(
        _BYTES, _i8, _i8, types.boolean, _HASHES, _u8, _i8, _HASHES, _HASHES, _PLACES, _i8, _i8, types.boolean
    ),
    nogil=True,
    cache=True,
)
def _winnow(text, first, stop, short, gear, whiten, cap, room, kept, at, count, done, over):  # type: ignore[no-untyped-def]
    """Append the winnowed hashes of text[first:stop] at one scale to kept, and to `at` twice the place of the first
    window that each is the least of, plus one where short.

    The hash that is the least of some window of consecutive grams is kept; where there are fewer grams than a window
    has, the least of them all. kept[:done] are passages already; where kept runs out, all are made so and the least
    `cap` are held. Returns count, done and whether the cap was passed.
    """
    shift, gram, window = (2, SHORT_GRAM, SHORT_WINDOW) if short else (1, LONG_GRAM, LONG_WINDOW)
    hashes, eights, minima = room[:PART], room[PART : 2 * PART], room[2 * PART :]
    if stop - first < gram:
        return count, done, over
    h = np.uint64(0)
    for i in range(np.uint64(first), np.uint64(first + gram - 1)):
        h = (h << np.uint64(shift)) + gear[text[i]]
    place, have, byte = first, 0, first + gram - 1
    while byte < stop:
        if count + CHUNK > len(kept):
            count, more = _squeeze(kept, done, count, cap, whiten)
            done, over = count, over or more
        end = min(stop, byte + CHUNK - have)
        if short:
            h = _roll_short(text, byte, end, h, gear, hashes, have)
        else:
            h = _roll_long(text, byte, end, h, gear, hashes, have)
        have += end - byte
        byte = end
        windows = have - window + 1
        if windows <= 0:  # only where all of the text is less than a window
            kept[count], at[count] = hashes[:have].min(), 2 * first + np.int64(short)
            return count + 1, done, over
        count = _select(
            hashes, eights, minima, windows, place == first, short, kept, at, count, 2 * place + np.int64(short)
        )
        minima[BEFORE] = minima[BEFORE + windows]
        place += windows
        have -= windows
        for i in range(have):
            hashes[i] = hashes[windows + i]
    return count, done, over


@numba.njit(types.UniTuple(_u8, 2)(_BYTES, _i8, _u8), inline="always", cache=True)
def _weighty_bytes(text, at, over):  # type: ignore[no-untyped-def]
    """A bit for each of text[at : at + 64], the first lowest: whether it is of a weighty character; and the bits that
    the last of them puts `over` into the next 64."""
    leads, of_four = weighty(text, at)
    bits = over | leads | leads << _ONE | leads << np.uint64(2) | of_four << np.uint64(3)
    return bits, leads >> np.uint64(63) | leads >> np.uint64(62) | of_four >> np.uint64(61)


@numba.njit(_u8(_u8, _u8), inline="always", cache=True)
def _dense(first, second):  # type: ignore[no-untyped-def]
    """A bit for each short gram that begins in a stretch of 64 bytes, the first lowest: whether enough of its bytes are
    of weighty characters, as the bits `first` tell of that stretch and `second` of the next."""
    second &= np.uint64(0x7FFFFFFF)
    found = ones(first) + ones(second)
    if found < np.uint64(SHORT_WEIGHTY):
        return np.uint64(0)
    if found >= np.uint64(WIDE + SHORT_GRAM - 1 - (SHORT_GRAM - SHORT_WEIGHTY)):  # too few others to spoil any gram
        return _ALL
    bits = np.uint64(0)
    for k in range(np.uint64(WIDE)):
        gram = first & np.uint64(0xFFFFFFFF)
        bits |= np.uint64(ones(gram) >= np.uint64(SHORT_WEIGHTY)) << k
        first = (first >> _ONE) | (second << np.uint64(63))
        second >>= _ONE
    return bits


@numba.njit(
    types.Tuple((_i8, _i8, types.boolean))(_BYTES, _i8, _i8, _HASHES, _u8, _i8, _HASHES, _HASHES, _PLACES),
    nogil=True,
    cache=True,
)
def _passages(text, n, weight, gear, whiten, cap, room, kept, at):  # type: ignore[no-untyped-def]
    """The hashes of the folded text[:n] to keep, at both scales. Returns as `_winnow` does."""
    count, done, over = 0, 0, False
    piece = 0  # where the text begins that only long grams cover
    if weight >= SHORT_WEIGHTY:
        grams = n - SHORT_GRAM + 1
        begin = -1
        following, spilt = _weighty_bytes(text, 0, np.uint64(0))
        for block in range(0, grams + 1, WIDE):
            here = following
            following, spilt = _weighty_bytes(text, block + WIDE, spilt)
            dense = _dense(here, following)
            if grams - block < WIDE:
                dense &= (_ONE << np.uint64(grams - block)) - _ONE
            # a bit wherever a run of dense grams begins or ends
            turns = dense ^ ((dense << _ONE) | np.uint64(begin >= 0))
            while turns != 0:
                end = block + np.int64(lowest(turns))
                turns &= turns - _ONE
                if begin < 0:
                    begin = end
                    continue
                count, done, over = _winnow(
                    text, begin, end + SHORT_GRAM - 1, True, gear, whiten, cap, room, kept, at, count, done, over
                )
                if end - begin >= SHORT_IN_SPAN:
                    piece_end = begin + SPAN - 1
                    if piece_end - piece >= SPAN:
                        count, done, over = _winnow(
                            text, piece, piece_end, False, gear, whiten, cap, room, kept, at, count, done, over
                        )
                    piece = end - SHORT_IN_SPAN + 1
                begin = -1
    if piece == 0 or n - piece >= SPAN:
        count, done, over = _winnow(text, piece, n, False, gear, whiten, cap, room, kept, at, count, done, over)
    return count, done, over


@numba.njit(_i8(_HASHES, _i8, _PLACES, _i8), nogil=True, cache=True)
def _distinct(kept, count, slots, used):  # type: ignore[no-untyped-def]
    """Move the distinct ones of kept[:count] to its front, in their order; return how many.

    slots is an open-addressing table of a power of two of at least 2 * count; what is below `used` in it is of earlier
    calls, and this one writes from `used` to `used + count`, so that it need not be emptied.
    """
    size = 1024
    while size < 2 * count:
        size *= 2
    mask = np.uint64(size - 1)
    n = 0
    for i in range(count):
        value = kept[i]
        slot = value & mask
        while slots[slot] >= used and kept[slots[slot] - used] != value:
            slot = (slot + _ONE) & mask
        if slots[slot] < used:
            slots[slot] = used + n
            kept[n] = value
            n += 1
    return n


@numba.njit(_HASHES(), nogil=True, cache=True)
def _scratch():  # type: ignore[no-untyped-def]
    """Room for `_winnow`. It begins at a multiple of 64 bytes: what lies across two lines of the cache takes twice as
    long."""
    room = np.empty(3 * PART + 8, dtype=np.uint64)
    return room[(-np.int64(room.ctypes.data) // 8) % 8 :]


@numba.njit(
    _PLACES(
        _BYTES_IN,
        _PLACES,
        _FLAGS,
        _HASHES,
        _u8,
        _LOW,
        _BYTES,
        _BYTES,
        _i8,
        _PLACES,
        _PLACES,
        _FLAGS,
        _FLAGS,
        _BYTES,
        _HASHES,
        _HASHES,
        _PLACES,
        _PLACES,
    ),
    nogil=True,
    cache=True,
)
def _sketch_all(  # type: ignore[no-untyped-def]
    data,
    offsets,
    valid,
    gear,
    whiten,
    low,
    marks,
    high,
    cap,
    lengths,
    whole,
    capped,
    given_up,
    text,
    room,
    kept,
    at,
    slots,
):
    """What `sketch_rows` does, in the scratch room that it hands on."""
    data, gear, low, marks, high = lent(data), lent(gear), lent(low), lent(marks), lent(high)
    text, room, kept, at, slots = lent(text), lent(room), lent(kept), lent(at), lent(slots)
    rows = len(lengths)
    values = np.empty((offsets[rows] - offsets[0]) // BYTES_A_PASSAGE + cap, dtype=np.int64)
    total, used = 0, 1
    for r in range(rows):
        lengths[r], whole[r], capped[r], given_up[r] = 0, -1, False, False
        if not valid[r]:
            continue
        n, weight = _fold(data, offsets[r], offsets[r + 1], low, marks, high, text)
        given_up[r] = n < 0
        if n <= 0:
            continue
        whole[r] = np.int64(_whole(text, 0, n, gear, whiten))
        count, done, over = _passages(text, n, weight, gear, whiten, cap, room, kept, at)
        for i in range(done, count):
            kept[i] = _mix(kept[i] ^ whiten) >> _ONE
        distinct = _distinct(kept, count, slots, used)
        used += distinct
        if distinct > cap:
            kept[:distinct] = np.sort(kept[:distinct])
            distinct, over = cap, True
        capped[r] = over
        lengths[r] = distinct
        if total + distinct > len(values):
            more = np.empty(2 * len(values), dtype=np.int64)
            more[:total] = values[:total]
            values = more
        for i in range(distinct):
            values[total + i] = np.int64(kept[i])
        total += distinct
    return values[:total]


@numba.njit(
    _PLACES(_BYTES_IN, _PLACES, _FLAGS, _HASHES, _u8, _LOW, _BYTES, _BYTES, _i8, _PLACES, _PLACES, _FLAGS, _FLAGS),
    nogil=True,
    cache=True,
)
def sketch_rows(  # type: ignore[no-untyped-def]
    data, offsets, valid, gear, whiten, low, marks, high, cap, lengths, whole, capped, given_up
):
    """Sketch every valid text: its lengths, whole, capped and given_up. Returns the passages of all texts in order.

    Texts that need normalising are marked as given up and have no passages.
    """
    longest = 0
    for r in range(len(lengths)):
        if valid[r]:
            longest = max(longest, offsets[r + 1] - offsets[r])
    text = np.empty(longest + SLACK, dtype=np.uint8)
    kept, at = np.empty(ROOM + 2 * cap, dtype=np.uint64), np.empty(ROOM + 2 * cap, dtype=np.int64)
    size = 1024
    while size < 2 * len(kept):
        size *= 2
    slots = np.zeros(size, dtype=np.int64)
    return _sketch_all(
        data,
        offsets,
        valid,
        gear,
        whiten,
        low,
        marks,
        high,
        cap,
        lengths,
        whole,
        capped,
        given_up,
        text,
        _scratch(),
        kept,
        at,
        slots,
    )


@numba.njit(_i8(_BYTES, _i8, types.boolean, _u8, _HASHES), nogil=True, cache=True)
def _first_place(text, first, short, value, gear):  # type: ignore[no-untyped-def]
    """Where the first gram from text[first:] on begins whose hash is value."""
    shift, gram = (2, SHORT_GRAM) if short else (1, LONG_GRAM)
    h = np.uint64(0)
    i = first
    while i < first + gram - 1 or h != value or i == first:
        h = (h << np.uint64(shift)) + gear[text[i]]
        i += 1
    return i - gram


@numba.njit(
    types.Tuple((_i8, _i8))(_BYTES_IN, _HASHES, _u8, _LOW, _BYTES, _BYTES, _BYTES, _HASHES, _PLACES, _FLAGS),
    nogil=True,
    cache=True,
)
def sketch_one(data, gear, whiten, low, marks, high, text, kept, at, short):  # type: ignore[no-untyped-def]
    """Sketch one text: fold it into text, its passages to kept, the places of their grams to at, and whether these are
    short ones to short; nothing is capped.

    text is SLACK longer than data; kept, at and short have room for ROOM and twice the bytes. Returns the folded length
    (-1 where given up) and the number of passages.
    """
    n, weight = _fold(data, 0, len(data), low, marks, high, text)
    if n < 0:
        return n, 0
    room = _scratch()
    count, _, _ = _passages(text, n, weight, gear, whiten, len(kept), room, kept, at)
    for c in range(count):
        short[c] = at[c] & 1 == 1
        at[c] = _first_place(text, at[c] >> 1, short[c], kept[c], gear)
        kept[c] = _mix(kept[c] ^ whiten) >> _ONE
    return n, count


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
