"""Passages: which runs of text recur, without keeping the text.

A rolling gear hash over folded UTF-8 with winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003): of every `WINDOW`
consecutive hashes of `GRAM` bytes the least is kept, so a run of `GRAM + WINDOW - 1` bytes that two texts share is
kept by both for certain, wherever it stands in them. Two scales are kept: a long one for all text, and a short one
where most bytes are of multi-byte characters, since twenty Chinese characters (60 bytes) say as much as forty English
words (about 240 bytes).

The gear hash is `h = (h << s) + G[byte]` in 64 bits, so it depends on the last 64 / s bytes and on nothing before
them: s = 1 gives the long gram of 64 bytes, s = 2 the short one of 32. The table G comes from the operator's key:
which windows are kept is then as secret as the key (with public hashes an adversary could steer around the sampling).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

SKETCH_VERSION = 1

# Long scale: 64-byte grams, windows of 64, so 127 bytes (about 21 English words) are caught for certain and 2 / 65 of
# all positions are kept (Schleimer et al., section 2: the density of winnowing is 2 / (w + 1)).
LONG_GRAM, LONG_WINDOW = 64, 64
# Short scale: 32-byte grams, windows of 29: 60 bytes, twenty characters of three bytes each.
SHORT_GRAM, SHORT_WINDOW = 32, 29
# A short gram counts only where at least this many of its bytes belong to multi-byte characters: half of them.
SHORT_MULTIBYTE = 16
# Passages kept of one text. 512 is four times what the longest prompts in the Azure 2023 traces (4,000 tokens, about
# 16 KB) yield; texts that reach it keep the least hashes, are counted, and the guarantee holds only among those.
CAP = 512

PUBLISHED_KEY = b"stillwatch one-off scan, published key, version 1"


@dataclass(frozen=True, slots=True)
class Gear:
    """The keyed tables of the sketch: 256 random 64-bit words and a mask for the final mix."""

    table: npt.NDArray[np.uint64]
    whiten: np.uint64
    published: bool

    @staticmethod
    def from_key(key: bytes = PUBLISHED_KEY) -> Gear:
        """Derive the tables from a key of any length with BLAKE2b; the same key gives the same passages."""
        words = np.frombuffer(
            b"".join(
                hashlib.blake2b(bytes([i]), digest_size=64, key=key[:64], person=b"stillwatch-gear").digest()[:8]
                for i in range(256)
            ),
            dtype="<u8",
        ).astype(np.uint64)
        whiten = hashlib.blake2b(b"", digest_size=8, key=key[:64], person=b"stillwatch-mix").digest()
        return Gear(words, np.frombuffer(whiten, dtype="<u8").astype(np.uint64)[0], key == PUBLISHED_KEY)


@dataclass(frozen=True, slots=True)
class Sketch:
    """Passages of a batch of texts: `passages` is list<int64> aligned with the texts, `whole` the hash of each whole
    folded text (int64, null for null or empty), `capped` marks texts that reached the cap."""

    passages: pa.ListArray
    whole: pa.Array
    capped: npt.NDArray[np.bool_]


@numba.njit("uint64(uint64)", inline="always", cache=True)
def _mix(x):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014), a bijection on 64 bits."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _fold_table() -> npt.NDArray[np.uint8]:
    """Byte classes after lower-casing ASCII: digits to '0', white space and controls to ' ', all else itself."""
    table = np.arange(256, dtype=np.uint8)
    table[ord("A") : ord("Z") + 1] += 32
    table[ord("0") : ord("9") + 1] = ord("0")
    table[:33] = ord(" ")
    table[127] = ord(" ")
    return table


FOLD = _fold_table()


@numba.njit(nogil=True, cache=True)
def _is_ascii(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether data[start:stop] holds no byte of a multi-byte character; eight bytes at a time."""
    words = data[start : stop - (stop - start) % 8].view(np.uint64)
    seen = np.uint64(0)
    for i in range(len(words)):
        seen |= words[i]
    for i in range(stop - (stop - start) % 8, stop):
        seen |= np.uint64(data[i])
    return (seen & np.uint64(0x8080808080808080)) == 0


@numba.njit(nogil=True, cache=True)
def _fold_ascii(data, start, stop, fold, out):  # type: ignore[no-untyped-def]
    """Fold plain ASCII into out without a branch; return the folded length."""
    n = 0
    last = np.uint8(32)
    for i in range(start, stop):
        b = fold[data[i]]
        out[n] = b
        n += 1 - (np.int64(b == last) & (np.int64(b == 32) | np.int64(b == 48)))
        last = b
    return n - 1 if n > 0 and out[n - 1] == 32 else n


@numba.njit(nogil=True, cache=True)
def _fold(data, start, stop, fold, out):  # type: ignore[no-untyped-def]
    """Fold data[start:stop] into out; return the folded length and how many of its bytes are of multi-byte characters.

    Runs of digits become one '0', runs of white space one ' '; zero-width characters (U+200B to U+200F, U+2060,
    U+FEFF) vanish; leading and trailing white space too.
    """
    n = 0
    multibyte = 0
    last = np.uint8(32)
    i = start
    while i < stop:
        raw = data[i]
        if raw < 128:
            b = fold[raw]
            i += 1
            if (b == 32 or b == 48) and b == last:
                continue
            out[n] = b
            n += 1
            last = b
            continue
        if i + 2 < stop:
            b1, b2 = data[i + 1], data[i + 2]
            if raw == 0xE2 and ((b1 == 0x80 and 0x8B <= b2 <= 0x8F) or (b1 == 0x81 and b2 == 0xA0)):
                i += 3
                continue
            if raw == 0xEF and b1 == 0xBB and b2 == 0xBF:
                i += 3
                continue
        out[n] = raw
        n += 1
        multibyte += 1
        last = raw
        i += 1
    if n > 0 and out[n - 1] == 32:
        n -= 1
    return n, multibyte


@numba.njit(nogil=True, cache=True)
def _whole(text, n, whiten):  # type: ignore[no-untyped-def]
    """A 63-bit hash of text[:n], eight bytes at a time (multiply and mix, as in wyhash)."""
    words = text[: n - n % 8].view(np.uint64)
    h = whiten ^ np.uint64(n)
    for i in range(len(words)):
        h = (h ^ words[i]) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(32)
    for i in range(n - n % 8, n):
        h = (h ^ np.uint64(text[i])) * np.uint64(0x9E3779B97F4A7C15)
    return _mix(h) >> np.uint64(1)


@numba.njit(nogil=True, cache=True)
def _grams(text, n, gear, shift, gram, least_multibyte, grams):  # type: ignore[no-untyped-def]
    """The rolling hash of every gram of text[:n] into grams; those with too few multi-byte bytes become the maximum."""
    h = np.uint64(0)
    s = np.uint64(shift)
    for i in range(gram - 1):
        h = (h << s) + gear[text[i]]
    if least_multibyte == 0:
        for i in range(gram - 1, n):
            h = (h << s) + gear[text[i]]
            grams[i - gram + 1] = h
        return
    dense = 0
    for i in range(gram - 1):
        dense += text[i] >= 128
    for i in range(gram - 1, n):
        h = (h << s) + gear[text[i]]
        dense += text[i] >= 128
        grams[i - gram + 1] = h if dense >= least_multibyte else np.uint64(0xFFFFFFFFFFFFFFFF)
        dense -= text[i - gram + 1] >= 128


@numba.njit(nogil=True, cache=True)
def _winnow(grams, m, window, kept, at, count):  # type: ignore[no-untyped-def]
    """Append the winnowed ones of grams[:m], and their positions, to kept and at from count on; return the new count.

    Robust winnowing: the least of every window is kept once; a tie keeps the earlier choice while it stays inside,
    so a run of one byte gives one hash a window, all alike. A text with less than one window keeps its least.
    """
    big = np.uint64(0xFFFFFFFFFFFFFFFF)
    stop = min(window, m)
    best = big
    where = 0
    for j in range(stop):
        if grams[j] <= best:
            best, where = grams[j], j
    if m > 0 and best != big:
        kept[count] = best
        at[count] = where
        count += 1
    i = stop
    while i < m:
        last = min(where + window, m)
        while i < last and grams[i] >= best:
            i += 1
        if i == m:
            break
        if i < where + window:
            best, where = grams[i], i
        else:
            best = big
            for j in range(where + 1, i + 1):
                best = min(best, grams[j])
            where = i
            while grams[where] != best:
                where -= 1
        i += 1
        if best != big:
            kept[count] = best
            at[count] = where
            count += 1
    return count


@numba.njit(nogil=True, cache=True)
def _text_passages(data, start, stop, gear, whiten, fold, text, grams, kept, at):  # type: ignore[no-untyped-def]
    """Fold and sketch one text: kept[:count] its passages, at[:count] where their grams begin in the folded text[:n].

    Returns (n, count, how many of them are of the long scale).
    """
    if _is_ascii(data, start, stop):
        n, multibyte = _fold_ascii(data, start, stop, fold, text), 0
    else:
        n, multibyte = _fold(data, start, stop, fold, text)
    count = 0
    if n >= 64:
        _grams(text, n, gear, 1, 64, 0, grams)
        count = _winnow(grams, n - 63, 64, kept, at, 0)
    long_ones = count
    if multibyte >= 16 and n >= 32:
        _grams(text, n, gear, 2, 32, 16, grams)
        count = _winnow(grams, n - 31, 29, kept, at, count)
    for i in range(count):
        kept[i] = _mix(kept[i] ^ whiten) >> np.uint64(1)
    return n, count, long_ones


@numba.njit(nogil=True, cache=True)
def _distinct(kept, count, cap, slots, values, total):  # type: ignore[no-untyped-def]
    """Write the distinct ones of kept[:count], at most cap of them (the least), to values from total on.

    slots is an open-addressing table of a power of two above 2 * count, all -1; it is left so. Returns how many.
    """
    mask = np.uint64(len(slots) - 1)
    n = 0
    for i in range(count):
        slot = kept[i] & mask
        while slots[slot] >= 0 and values[total + slots[slot]] != np.int64(kept[i]):
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = n
            values[total + n] = np.int64(kept[i])
            n += 1
    slots[:] = -1
    if n > cap:
        values[total : total + n] = np.sort(values[total : total + n])
    return n


@numba.njit(nogil=True, cache=True)
def _sketch(data, offsets, valid, gear, whiten, fold, cap, values, lengths, whole, capped):  # type: ignore[no-untyped-def]
    """Fill values (flat), lengths, whole and capped for every text; return the number of values."""
    longest = 0
    for r in range(len(lengths)):
        longest = max(longest, offsets[r + 1] - offsets[r])
    text = np.empty(longest + 8, dtype=np.uint8)
    grams = np.empty(longest + 1, dtype=np.uint64)
    kept = np.empty(2 * longest + 4, dtype=np.uint64)
    at = np.empty(2 * longest + 4, dtype=np.int64)
    slots = np.full(128, -1, dtype=np.int64)
    total = 0
    for r in range(len(lengths)):
        lengths[r] = 0
        whole[r] = -1
        capped[r] = False
        if not valid[r]:
            continue
        n, count, _ = _text_passages(data, offsets[r], offsets[r + 1], gear, whiten, fold, text, grams, kept, at)
        if n == 0:
            continue
        whole[r] = np.int64(_whole(text, n, whiten))
        if 2 * count > len(slots):
            size = len(slots)
            while size < 2 * count:
                size *= 2
            slots = np.full(size, -1, dtype=np.int64)
        table = slots[:128] if count <= 64 else slots
        n_out = _distinct(kept, count, cap, table, values, total)
        capped[r] = n_out > cap
        lengths[r] = min(n_out, cap)
        total += lengths[r]
    return total


@numba.njit(nogil=True, cache=True)
def _plain_rows(data, offsets, plain):  # type: ignore[no-untyped-def]
    """Mark the texts that are plain ASCII; return whether all are."""
    every = True
    for r in range(len(plain)):
        plain[r] = _is_ascii(data, offsets[r], offsets[r + 1])
        every = every and plain[r]
    return every


def _normalised(texts: pa.Array) -> pa.Array:
    """NFKC and lower case for the texts that are not plain ASCII; the kernel folds the rest byte by byte."""
    data, offsets, valid = _buffers(texts)
    plain = np.empty(len(texts), np.bool_)
    if _plain_rows(data, offsets, plain):
        return texts
    rows = pa.array(~plain & valid)
    return pc.replace_with_mask(texts, rows, pc.utf8_lower(pc.utf8_normalize(texts.filter(rows), form="NFKC")))


def _buffers(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Bytes, offsets and validity of a string or large_string array, without a copy of the bytes."""
    rows = len(texts)
    if rows == 0:
        return np.zeros(1, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.bool_)
    width: type[np.signedinteger[npt.NBitBase]] = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, dtype=width, count=rows + 1, offset=texts.offset * width().itemsize)
    body = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    valid = np.ones(rows, np.bool_) if texts.null_count == 0 else pc.is_valid(texts).to_numpy(zero_copy_only=False)
    return body, starts.astype(np.int64), valid


def sketch(texts: pa.Array, gear: Gear, cap: int = CAP) -> Sketch:
    """Sketch a batch of texts.

    texts: string or large_string array of any length, offset and nulls. Returns a `Sketch` of the same length.
    Texts under 64 folded bytes (32 where multi-byte) have no passages, only a whole hash.
    """
    data, offsets, valid = _buffers(_normalised(texts))
    rows = len(texts)
    # At most one hash a position and scale is kept; half of that is far above the density of winnowing (2 / 65 and
    # 2 / 30), but hostile text may reach it, so the room is what the positions allow.
    values = np.empty(2 * int(offsets[-1] - offsets[0]) + 1, dtype=np.int64)
    lengths = np.empty(rows, np.int32)
    whole = np.empty(rows, np.int64)
    capped = np.empty(rows, np.bool_)
    total = _sketch(data, offsets, valid, gear.table, gear.whiten, FOLD, cap, values, lengths, whole, capped)
    list_offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=list_offsets[1:])
    passages = pa.ListArray.from_arrays(pa.array(list_offsets), pa.array(values[:total].copy()))
    return Sketch(passages, pa.array(whole, mask=whole < 0), capped)


@numba.njit(nogil=True, cache=True)
def _hash_rows(data, offsets, valid, whiten, out):  # type: ignore[no-untyped-def]
    longest = 0
    for r in range(len(out)):
        longest = max(longest, offsets[r + 1] - offsets[r])
    text = np.empty(longest + 8, dtype=np.uint8)
    for r in range(len(out)):
        n = offsets[r + 1] - offsets[r]
        text[:n] = data[offsets[r] : offsets[r + 1]]
        out[r] = np.int64(_whole(text, n, whiten)) if valid[r] and n > 0 else -1


def hashed(texts: pa.Array, gear: Gear) -> pa.Array:
    """A keyed int64 hash of each text as it is (nothing folded); null for null and empty."""
    data, offsets, valid = _buffers(texts)
    out = np.empty(len(texts), np.int64)
    _hash_rows(data, offsets, valid, gear.whiten, out)
    return pa.array(out, mask=out < 0)


def locate(text: str, gear: Gear) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """The folded text as UTF-8 and, for every passage in it, the byte range of its gram (first place it stands).

    What an analyst is shown is folded text: it is exactly the run that the texts share.
    """
    data, offsets, _ = _buffers(_normalised(pa.array([text])))
    size = int(offsets[1] - offsets[0])
    folded = np.empty(size + 8, np.uint8)
    grams, kept = np.empty(size + 1, np.uint64), np.empty(2 * size + 4, np.uint64)
    at = np.empty(2 * size + 4, np.int64)
    n, count, long_ones = _text_passages(
        data, offsets[0], offsets[1], gear.table, gear.whiten, FOLD, folded, grams, kept, at
    )
    places: dict[int, tuple[int, int]] = {}
    for i in range(count):
        places.setdefault(int(kept[i]), (int(at[i]), int(at[i]) + (LONG_GRAM if i < long_ones else SHORT_GRAM)))
    return folded[:n].tobytes(), places
