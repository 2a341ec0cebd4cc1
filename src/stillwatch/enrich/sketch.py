"""Passages: which runs of text recur, without keeping the text.

A rolling gear hash over folded UTF-8 with winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003): of every `WINDOW`
consecutive hashes of `GRAM` bytes the least is kept, so a run of `GRAM + WINDOW - 1` bytes that two texts share is
kept by both for certain, wherever it stands in them. There are two scales, since twenty Chinese characters (60 bytes)
say as much as forty English words (about 240 bytes). A character is weighty where it stands for a syllable or a word:
Han, kana, Hangul, Yi and the punctuation among them, U+3000 to U+A4BF, U+AC00 to U+D7FF and U+20000 to U+3FFFF. A gram
of 32 bytes is dense where at least half of them are of weighty characters. The short scale winnows each run of dense
grams as if it were a text of its own; the long scale winnows all text, but for windows whose 127 bytes hold dense grams
only: there the short scale has caught the run. Letters of other scripts also take two or three bytes, yet each says no
more than a Latin one: 60 bytes of Russian or Hindi are four or five words, which strangers share by chance; 127 are ten
or eight.

The gear hash is `h = (h << s) + G[byte]` in 64 bits, so it depends on the last 64 / s bytes and on nothing before
them: s = 1 gives the long gram of 64 bytes, s = 2 the short one of 32. The table G comes from the operator's key:
which windows are kept is then as secret as the key (with public hashes an adversary could steer around the sampling).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.enrich.folding import Folding, folding, folding_of_normalised, normalised
from stillwatch.enrich.kernels import LONG_GRAM, ROOM, SHORT_GRAM, SLACK, gather, hash_rows, sketch_one, sketch_rows

# Raised whenever other passages or hashes come of a text. Since 2, dense text has short passages only, and
# letters of two or three bytes are not dense.
SKETCH_VERSION = 2

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


Buffers = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def _buffers(texts: pa.Array) -> Buffers:
    """Bytes, offsets and validity of a string or large_string array, without a copy of the bytes."""
    rows = len(texts)
    if rows == 0:
        return np.zeros(1, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.bool_)
    width = np.dtype(np.int64 if pa.types.is_large_string(texts.type) else np.int32)
    _, offsets, data = texts.buffers()
    starts = np.frombuffer(offsets, dtype=width, count=rows + 1, offset=texts.offset * width.itemsize)
    body = np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    valid = np.ones(rows, np.bool_) if texts.null_count == 0 else pc.is_valid(texts).to_numpy(zero_copy_only=False)
    return body, starts.astype(np.int64), valid


class _Rows:
    """What the kernel makes of a batch of texts: `values`, of which each text has `lengths` from `starts` on."""

    def __init__(self, texts: pa.Array, gear: Gear, cap: int, tables: Folding) -> None:
        rows = len(texts)
        self.lengths, self.whole = np.empty(rows, np.int64), np.empty(rows, np.int64)
        self.capped, self.given_up = np.empty(rows, np.bool_), np.empty(rows, np.bool_)
        self.values: npt.NDArray[np.int64] = sketch_rows(
            *_buffers(texts), gear.table, gear.whiten, tables.low, tables.marks, tables.high, cap,
            self.lengths, self.whole, self.capped, self.given_up,
        )  # fmt: skip

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        return np.cumsum(self.lengths) - self.lengths


def sketch(texts: pa.Array, gear: Gear, cap: int = CAP) -> Sketch:
    """Sketch a batch of texts.

    texts: string or large_string array of any length, offset and nulls. Returns a `Sketch` of the same length.
    Texts under 64 folded bytes (32 where dense) have no passages, only a whole hash.
    """
    made = _Rows(texts, gear, cap, folding())
    values = _normalise_given_up(texts, gear, cap, made) if made.given_up.any() else made.values
    offsets = np.zeros(len(texts) + 1, np.int32)
    np.cumsum(made.lengths, out=offsets[1:])
    passages = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
    return Sketch(passages, pa.array(made.whole, mask=made.whole < 0), made.capped)


def _normalise_given_up(texts: pa.Array, gear: Gear, cap: int, made: _Rows) -> npt.NDArray[np.int64]:
    """Normalise and sketch the texts that the kernel gave up; complete `made`, return all values in order."""
    rows = np.flatnonzero(made.given_up)
    again = _Rows(normalised(texts.take(pa.array(rows))), gear, cap, folding_of_normalised())
    starts = made.starts
    starts[rows] = len(made.values) + again.starts
    made.lengths[rows], made.whole[rows], made.capped[rows] = again.lengths, again.whole, again.capped
    values = np.concatenate([made.values, again.values])
    out = np.empty(len(values), np.int64)
    gather(values, starts, made.lengths, out)
    return out


def hashed(texts: pa.Array, gear: Gear) -> pa.Array:
    """A keyed int64 hash of each text as it is (nothing folded); null for null and empty."""
    data, offsets, valid = _buffers(texts)
    out = np.empty(len(texts), np.int64)
    hash_rows(data, offsets, valid, gear.table, gear.whiten, out)
    return pa.array(out, mask=out < 0)


def locate(text: str, gear: Gear) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """The folded text as UTF-8 and, for every passage in it, the byte range of its gram (first place it stands).

    What an analyst is shown is folded text: it is exactly the run that the texts share.
    """
    for source, tables in ((pa.array([text], pa.string()), folding()), (None, folding_of_normalised())):
        given = source if source is not None else normalised(pa.array([text], pa.string()))
        data = np.frombuffer(given[0].as_buffer(), np.uint8)
        folded, room = np.empty(len(data) + SLACK, np.uint8), 2 * len(data) + ROOM
        kept, at, short = np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.bool_)
        n, count = sketch_one(
            data, gear.table, gear.whiten, tables.low, tables.marks, tables.high, folded, kept, at, short
        )
        if n >= 0:
            break
    places: dict[int, tuple[int, int]] = {}
    for i in range(count):
        place = int(at[i]), int(at[i]) + (SHORT_GRAM if short[i] else LONG_GRAM)
        places[int(kept[i])] = min(place, places.get(int(kept[i]), place))
    return folded[:n].tobytes(), places
