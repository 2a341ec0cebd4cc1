"""What every character folds to: NFKC, lower case, one kind of white space and of digit, no zero-width characters.

Normalising text is slow (it decomposes, orders and composes), and most text needs none of it. So the kernel folds
character by character from a table, and gives a text up (to Arrow's utf8proc) only where neighbours could act on each
other. It may do so by the quick check of Unicode Standard Annex #15, section 9: a string is in NFKC if none of its
characters can compose with the one before it and its combining marks stand in order. If that is so after each
character was replaced by its own NFKC form, the result is the text's NFKC form, since both are compatibly equivalent.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# An entry of `Folding.low`: up to three bytes of UTF-8 in its lower 24 bits, first byte lowest; above them how many
# there are, and what else must be done.
LENGTH_SHIFT = 24
LENGTH = np.uint32(3 << LENGTH_SHIFT)
# Some of the bytes are ASCII, so runs of white space and digits go on through it.
HAS_ASCII = np.uint32(4 << LENGTH_SHIFT)
# A combining mark: allowed if its class is not below that of the mark before it.
MARK = np.uint32(8 << LENGTH_SHIFT)
# Neighbours could act on it, or it grows: the text is given up.
GIVE_UP = np.uint32(16 << LENGTH_SHIFT)
# A combining mark that composes with some characters, and a character with which some mark composes: a text is given up
# where the one stands after the other. Most marks of Indic scripts compose with few letters and stand after others.
COMPOSES = np.uint32(32 << LENGTH_SHIFT)
COMPOSED = np.uint32(64 << LENGTH_SHIFT)

# Zero-width space, non-joiner, joiner, direction marks, word joiner, byte order mark: invisible, so worthless to the
# reader and free to whoever would break up a passage.
ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
_HANGUL_VOWELS_AND_FINALS = (range(0x1161, 0x1176), range(0x11A8, 0x11C3))
_PLANE = 0x10000
# Symbols and pictographs: what real prompts hold of the characters beyond the first 65,536.
_EMOJI = range(0x1F000, 0x1FC00)


@dataclass(frozen=True, slots=True)
class Folding:
    """Tables for the kernel: `low` (uint32, an entry a code point below 65,536), `marks` (uint8, their combining
    classes) and `high` (uint8, an entry for each of the next 65,536 and a last one for all beyond: 1 where the
    character folds to itself, 0 where the text is given up)."""

    low: npt.NDArray[np.uint32]
    marks: npt.NDArray[np.uint8]
    high: npt.NDArray[np.uint8]


def normalised(texts: pa.Array) -> pa.Array:
    """The texts in NFKC and lower case: what the tables reach for those they do not give up."""
    return pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))


@cache
def folding() -> Folding:
    """The tables for text as it comes."""
    low = np.zeros(_PLANE, np.uint32)
    marks = np.zeros(_PLANE, np.uint8)
    high = np.zeros(_PLANE + 1, np.uint8)
    composing = _composing()
    low_points = [p for p in range(0x80, _PLANE) if not 0xD800 <= p < 0xE000]
    for point, after in zip(low_points, _forms(low_points), strict=True):
        low[point] = _entry(chr(point), after, composing)
        marks[point] = unicodedata.combining(chr(point))
    for point, after in zip(_EMOJI, _forms(_EMOJI), strict=True):
        high[point - _PLANE] = after == chr(point) and _stands_alone(after, composing)
    return Folding(low, marks, high)


@cache
def folding_of_normalised() -> Folding:
    """The tables for text that is in NFKC and lower case already: nothing is given up."""
    low = np.zeros(_PLANE, np.uint32)
    for point in range(0x80, _PLANE):
        low[point] = _packed(_plain(chr(point))) if not 0xD800 <= point < 0xE000 else 0
    return Folding(low, np.zeros(_PLANE, np.uint8), np.ones(_PLANE + 1, np.uint8))


def _forms(points: range | list[int]) -> list[str]:
    forms: list[str] = normalised(pa.array([chr(p) for p in points], pa.string())).to_pylist()
    return forms


def _plain(text: str) -> str:
    """White space to a space, decimal digits to 0, nothing for what has no width."""
    return "".join(
        " " if c.isspace() else "0" if unicodedata.category(c) == "Nd" else c for c in text if c not in ZERO_WIDTH
    )


def _packed(text: str) -> np.uint32:
    data = text.encode()
    ascii_part = HAS_ASCII if any(b < 128 for b in data) else np.uint32(0)
    return np.uint32(int.from_bytes(data, "little") | len(data) << LENGTH_SHIFT) | ascii_part


def _entry(before: str, after: str, composing: frozenset[str]) -> np.uint32:
    if unicodedata.combining(before) and after == before and _known(before):
        return _packed(before) | MARK | (COMPOSES if before in composing else np.uint32(0))
    folded = _plain(after).encode()
    if not _stands_alone(after, composing) or not _known(before) or len(folded) > len(before.encode()):
        return GIVE_UP
    return _packed(_plain(after)) | (COMPOSED if _composed().intersection(before + after) else np.uint32(0))


def _known(character: str) -> bool:
    """Whether this Python's Unicode data has the character; Arrow's may be newer."""
    return unicodedata.category(character) != "Cn"


def _stands_alone(text: str, composing: frozenset[str]) -> bool:
    return all(unicodedata.combining(c) == 0 and c not in composing and _known(c) for c in text)


@cache
def _composing() -> frozenset[str]:
    """Characters that may compose with the one before them: second in a canonical decomposition, or Hangul parts."""
    seconds = {chr(p) for parts in _HANGUL_VOWELS_AND_FINALS for p in parts}
    for point in range(0x80, _PLANE):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))
    return frozenset(seconds)


@cache
def _composed() -> frozenset[str]:
    """Characters with which the one after them may compose: first in a decomposition that is composed again."""
    firsts = set()
    for point in range(0x80, _PLANE):
        parts = unicodedata.decomposition(chr(point)).split()
        if len(parts) == 2 and not parts[0].startswith("<") and unicodedata.is_normalized("NFC", chr(point)):
            firsts.add(chr(int(parts[0], 16)))
    return frozenset(firsts)
