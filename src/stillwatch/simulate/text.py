"""Payload text: a grammar turned into bytes by a compiled kernel, or lines from a folder of text.

A text is named by one 64-bit seed: the same seed gives the same text, so that what several accounts share (a
benchmark's questions, a class's homework) is a shared seed, and everything else has a seed of its own.

Lengths are log-normal. The spread of the logarithm is that of the context tokens in the Azure LLM inference traces of
2023 (Azure Public Dataset, CC BY 4.0; Patel et al., Splitwise, ISCA 2024): 0.985 over 19,366 conversations and 1.360
over 8,819 code requests. Their medians (1,020 and 1,469 tokens) count the whole context with its history, and what is
written here is the last message alone, so the mean is set to 1.2 kB.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from stillwatch.simulate.lines import Lines
from stillwatch.simulate.seeds import Seeds, normal
from stillwatch.simulate.vocabulary_more import CODE_FRAMES, LANGUAGES

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

MEAN_BYTES = 1200.0
TALK_SPREAD = 0.985
CODE_SPREAD = 1.360
# Azure's longest context is 14,050 tokens; the last message alone is rarely longer than some pages, and a cap keeps
# one row from dominating a batch.
MOST_BYTES = 12_000
LEAST_BYTES = 40
# No sentence of the grammar, with its longest words in every slot, is longer than this: room kept behind each text.
SLACK = 1024
NUMBER = -1
CODE = len(LANGUAGES)  # the grammar's number for code, after the languages


@dataclass(frozen=True, slots=True)
class Grammar:
    """Frames and word lists as flat arrays that the kernel can walk."""

    pool: Bytes
    word_at: Ints  # byte offset of each word, and the end
    list_at: Ints  # index of each list's first word, and the end
    tokens: Ints  # list numbers, or NUMBER
    frame_at: Ints  # index of each frame's first token, and the end
    ask: Ints  # (languages + 1, 2): first frame and number of frames of questions
    prose: Ints  # the same for running text


class _Compiler:
    def __init__(self) -> None:
        self.words: list[bytes] = []
        self.list_at: list[int] = [0]
        self.tokens: list[int] = []
        self.frame_at: list[int] = [0]
        self._literals: dict[str, int] = {}

    def add_list(self, words: tuple[str, ...]) -> int:
        self.words += [w.encode() for w in words]
        self.list_at.append(len(self.words))
        return len(self.list_at) - 2

    def literal(self, text: str) -> int:
        if text not in self._literals:
            self._literals[text] = self.add_list((text,))
        return self._literals[text]

    def frames(self, frames: tuple[str, ...], lists: dict[str, int]) -> tuple[int, int]:
        first = len(self.frame_at) - 1
        for frame in frames:
            # names of two and of three syllables, so that they differ in length
            for name in ("<S><s>", "<S><s><s>"):
                for piece in re.split(r"(<[a-zA-Z#]>)", frame.replace("<N>", name)):
                    if piece == "<#>":
                        self.tokens.append(NUMBER)
                    elif re.fullmatch(r"<[a-zA-Z]>", piece):
                        self.tokens.append(lists[piece[1]])
                    elif piece:
                        self.tokens.append(self.literal(piece))
                self.frame_at.append(len(self.tokens))
        return first, len(self.frame_at) - 1 - first


def compile_grammar() -> Grammar:
    """Flatten the vocabulary of every language, and code."""
    c = _Compiler()
    ask: list[tuple[int, int]] = []
    prose: list[tuple[int, int]] = []
    english: dict[str, int] = {}
    for language in LANGUAGES:
        lists = {slot: c.add_list(words) for slot, words in language.words.items()}
        english = english or lists
        ask.append(c.frames(language.ask, lists))
        prose.append(c.frames(language.prose, lists))
    capital = tuple(w.capitalize() for w in LANGUAGES[0].words["w"])
    code_lists = {**english, "W": c.add_list(capital)}
    ask.append(ask[0])
    prose.append(c.frames(CODE_FRAMES, code_lists))
    sizes = np.array([0, *(len(w) for w in c.words)], np.int64)
    return Grammar(
        np.frombuffer(b"".join(c.words), np.uint8),
        np.cumsum(sizes),
        np.array(c.list_at, np.int64),
        np.array(c.tokens, np.int64),
        np.array(c.frame_at, np.int64),
        np.array(ask, np.int64),
        np.array(prose, np.int64),
    )


@nb.njit(nb.uint64(nb.uint64), cache=True, inline="always")
def _mix(x):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """SplitMix64's finaliser, as in `seeds.mixed`."""
    x = (x ^ (x >> nb.uint64(30))) * nb.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> nb.uint64(27))) * nb.uint64(0x94D049BB133111EB)
    return x ^ (x >> nb.uint64(31))


@nb.njit(nb.int64(nb.uint8[::1], nb.int64, nb.uint8[::1], nb.int64, nb.int64), cache=True, inline="always")
def _copy(out, at, pool, start, end):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for k in range(start, end):
        out[at] = pool[k]
        at += 1
    return at


@nb.njit(cache=True)
def _sentence(out, at, r, frame, walk):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    pool, word_at, list_at, tokens, frame_at, _, _ = walk
    for t in range(frame_at[frame], frame_at[frame + 1]):
        token = tokens[t]
        if token < 0:
            r += nb.uint64(0x9E3779B97F4A7C15)
            number = nb.int64(_mix(r) % nb.uint64(9900)) + 11
            digits = 2 if number < 100 else 3 if number < 1000 else 4
            for k in range(digits):
                out[at + digits - 1 - k] = 48 + number % 10
                number //= 10
            at += digits
            continue
        first = list_at[token]
        many = list_at[token + 1] - first
        word = first
        if many > 1:
            r += nb.uint64(0x9E3779B97F4A7C15)
            word = first + nb.int64(_mix(r) % nb.uint64(many))
        at = _copy(out, at, pool, word_at[word], word_at[word + 1])
    return at, r


@nb.njit(cache=True)
def _payload(out, at, r, g, asks, target, walk):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # pragma: no cover - compiled
    ask, prose = walk[5], walk[6]
    stop = at + target
    if asks:
        frame = ask[g, 0] + nb.int64(_mix(r) % nb.uint64(ask[g, 1]))
        at, r = _sentence(out, at, r, frame, walk)
        out[at] = 10
        at += 1
    said = 0
    while at < stop:
        r += nb.uint64(0x9E3779B97F4A7C15)
        frame = prose[g, 0] + nb.int64(_mix(r) % nb.uint64(prose[g, 1]))
        at, r = _sentence(out, at, r, frame, walk)
        said += 1
        if said % 7 == 0:  # a paragraph
            out[at] = 10
            at += 1
    return at


@nb.njit(cache=True)
def _write(out, ends, rows, parts, walk, folder):  # type: ignore[no-untyped-def]  # noqa: PLR0917  # pragma: no cover
    """Each row: the piece before, a payload, the piece after; fills `out` and `ends`. Kernels take no keywords."""
    seeds, grammars, asks, targets, before, after, line = rows
    piece, piece_at = parts
    lines, line_at = folder
    at = 0
    for i in range(len(seeds)):
        at = _copy(out, at, piece, piece_at[before[i]], piece_at[before[i] + 1])
        if line[i] >= 0:
            at = _copy(out, at, lines, line_at[line[i]], line_at[line[i] + 1])
        elif targets[i] > 0:
            at = _payload(out, at, seeds[i], grammars[i], asks[i], targets[i], walk)
        at = _copy(out, at, piece, piece_at[after[i]], piece_at[after[i] + 1])
        ends[i] = at


@dataclass(frozen=True, slots=True)
class Parts:
    """The fixed pieces of text that are put around payloads, by number; number 0 is the empty piece."""

    pool: Bytes
    at: Ints

    @staticmethod
    def of(pieces: list[str]) -> Parts:
        """Pack pieces; the first must be empty."""
        encoded = [p.encode() for p in pieces]
        return Parts(
            np.frombuffer(b"".join(encoded) or b" ", np.uint8),
            np.cumsum([0, *(len(e) for e in encoded)], dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts to be written, by row: seed, grammar (a language's number, or CODE), whether a question opens it, the
    payload's length in bytes, the numbers of the pieces before and after it, and a line's number or -1."""

    seeds: Seeds
    grammars: Ints
    asks: npt.NDArray[np.bool_]
    targets: Ints
    before: Ints
    after: Ints
    line: Ints


def lengths(seeds: Seeds, code: npt.NDArray[np.bool_]) -> Ints:
    """Message lengths in bytes for these seeds: log-normal with the spreads and the mean above."""
    spread = np.where(code, CODE_SPREAD, TALK_SPREAD)
    size = np.exp(math.log(MEAN_BYTES) - spread**2 / 2 + spread * normal(seeds))
    return np.clip(size, LEAST_BYTES, MOST_BYTES).astype(np.int64)


def write_texts(grammar: Grammar, parts: Parts, lines: Lines, x: Texts) -> tuple[Bytes, Ints]:
    """The texts of many rows in one buffer, and where each ends (bytes)."""
    around = parts.at[x.before + 1] - parts.at[x.before] + parts.at[x.after + 1] - parts.at[x.after]
    own = np.where(x.line >= 0, 0, x.targets + 2 * SLACK)
    if len(lines):
        at = np.maximum(x.line, 0)
        own = own + np.where(x.line >= 0, lines.at[at + 1] - lines.at[at], 0)
    out = np.empty(int((around + own).sum()) + SLACK, np.uint8)
    ends = np.empty(len(x.seeds), np.int64)
    g = grammar
    walk = (g.pool, g.word_at, g.list_at, g.tokens, g.frame_at, g.ask, g.prose)
    rows = (x.seeds, x.grammars, x.asks, x.targets, x.before, x.after, x.line)
    _write(out, ends, rows, (parts.pool, parts.at), walk, (lines.pool, lines.at))
    return out[: ends[-1] if len(ends) else 0], ends
