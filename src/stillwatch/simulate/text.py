"""Payload text: a grammar turned into bytes by a compiled kernel, or lines from a folder of text.

A text is named by one 64-bit seed: the same seed gives the same text, so that what several accounts share (a benchmark's
questions, a class's homework) is a shared seed, and everything else has a seed of its own.

Lengths are log-normal. The spread of the logarithm is that of the context tokens in the Azure LLM inference traces of
2023 (Azure Public Dataset, CC BY 4.0; Patel et al., Splitwise, ISCA 2024): 0.985 over 19,366 conversations and 1.360
over 8,819 code requests. Their medians (1,020 and 1,469 tokens) count the whole context with its history, and what is
written here is the last message alone, so the mean is set to 1.2 kB.
"""

from __future__ import annotations

import gzip
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numba as nb
import numpy as np
import numpy.typing as npt
import orjson

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.simulate.vocabulary_more import CODE_FRAMES, LANGUAGES

Ints = npt.NDArray[np.int64]
Seeds = npt.NDArray[np.uint64]
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
def mix(x: int) -> int:  # pragma: no cover - compiled
    """SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): a bijection of 64-bit numbers."""
    x = (x ^ (x >> nb.uint64(30))) * nb.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> nb.uint64(27))) * nb.uint64(0x94D049BB133111EB)
    return x ^ (x >> nb.uint64(31))


def mixed(*parts: Seeds | Ints | int) -> Seeds:
    """A 64-bit hash of integer columns, elementwise: the same parts give the same number."""
    h = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        for part in parts:
            x = np.asarray(part).astype(np.uint64)
            h = np.asarray(h + x * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x632BE59BD9B4E019))
            h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            h = h ^ (h >> np.uint64(31))
    return np.asarray(h)


def fraction(h: Seeds) -> npt.NDArray[np.float64]:
    """A hash as a number in [0, 1)."""
    out: npt.NDArray[np.float64] = (h >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return out


@nb.njit(nb.int64(nb.uint8[::1], nb.int64, nb.uint8[::1], nb.int64, nb.int64), cache=True, inline="always")
def _copy(out, at, pool, start, end):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    for k in range(start, end):
        out[at] = pool[k]
        at += 1
    return at


@nb.njit(cache=True)
def _sentence(out, at, r, frame, pool, word_at, list_at, tokens, frame_at):  # type: ignore[no-untyped-def]  # pragma: no cover
    for t in range(frame_at[frame], frame_at[frame + 1]):
        token = tokens[t]
        if token < 0:
            r += nb.uint64(0x9E3779B97F4A7C15)
            number = nb.int64(mix(r) % nb.uint64(9900)) + 11
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
            word = first + nb.int64(mix(r) % nb.uint64(many))
        at = _copy(out, at, pool, word_at[word], word_at[word + 1])
    return at, r


@nb.njit(cache=True)
def _write(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    out, ends, seeds, grammars, asks, targets, before, after, part, part_at,
    pool, word_at, list_at, tokens, frame_at, ask, prose, lines, line_at, line,
):
    """Each row: the part `before`, a payload, the part `after`. Returns nothing; fills `out` and `ends`."""
    at = 0
    for i in range(len(seeds)):
        at = _copy(out, at, part, part_at[before[i]], part_at[before[i] + 1])
        if line[i] >= 0:
            at = _copy(out, at, lines, line_at[line[i]], line_at[line[i] + 1])
        elif targets[i] > 0:
            r = seeds[i]
            g = grammars[i]
            stop = at + targets[i]
            if asks[i]:
                frame = ask[g, 0] + nb.int64(mix(r) % nb.uint64(ask[g, 1]))
                at, r = _sentence(out, at, r, frame, pool, word_at, list_at, tokens, frame_at)
                out[at] = 10
                at += 1
            said = 0
            while at < stop:
                r += nb.uint64(0x9E3779B97F4A7C15)
                frame = prose[g, 0] + nb.int64(mix(r) % nb.uint64(prose[g, 1]))
                at, r = _sentence(out, at, r, frame, pool, word_at, list_at, tokens, frame_at)
                said += 1
                if said % 7 == 0:
                    out[at] = 10
                    at += 1
        at = _copy(out, at, part, part_at[after[i]], part_at[after[i] + 1])
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
            np.frombuffer(b"".join(encoded) or b" ", np.uint8), np.cumsum([0, *(len(e) for e in encoded)], dtype=np.int64)
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of text from a folder, packed; empty where the grammar writes."""

    pool: Bytes
    at: Ints

    def __len__(self) -> int:
        return len(self.at) - 1


NO_LINES = Lines(np.zeros(1, np.uint8), np.zeros(1, np.int64))


def lengths(seeds: Seeds, code: npt.NDArray[np.bool_], mean: float) -> Ints:
    """Payload lengths in bytes for these seeds: log-normal with the spreads above around the stated mean."""
    u = fraction(mixed(seeds, 1))
    v = fraction(mixed(seeds, 2))
    normal = np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * math.pi * v)  # Box and Muller
    spread = np.where(code, CODE_SPREAD, TALK_SPREAD)
    size = np.exp(math.log(mean) - spread**2 / 2 + spread * normal)
    return np.clip(size, LEAST_BYTES, MOST_BYTES).astype(np.int64)


def write_texts(
    grammar: Grammar, parts: Parts, lines: Lines, seeds: Seeds, grammars: Ints, asks: npt.NDArray[np.bool_],
    targets: Ints, before: Ints, after: Ints, line: Ints,
) -> tuple[Bytes, Ints]:
    """The texts of many rows in one buffer, and where each ends (bytes)."""
    around = parts.at[before + 1] - parts.at[before] + parts.at[after + 1] - parts.at[after]
    own = np.where(line >= 0, 0, targets + 2 * SLACK)
    if len(lines):
        own = own + np.where(line >= 0, lines.at[np.maximum(line, 0) + 1] - lines.at[np.maximum(line, 0)], 0)
    out = np.empty(int((around + own).sum()) + SLACK, np.uint8)
    ends = np.empty(len(seeds), np.int64)
    g = grammar
    _write(
        out, ends, seeds, grammars, asks, targets, before, after, parts.pool, parts.at,
        g.pool, g.word_at, g.list_at, g.tokens, g.frame_at, g.ask, g.prose, lines.pool, lines.at, line,
    )
    return out[: ends[-1] if len(ends) else 0], ends


def read_lines(folder: Path) -> Lines:
    """Every line of the .txt and .jsonl files (also .gz) in a folder; of JSON lines the field `prompt`.

    Duplicates are dropped: a line that stands twice would be shared by two accounts by accident.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; --text takes a folder of .txt or .jsonl files (also .gz)")
    seen: dict[bytes, None] = {}
    for path in sorted(folder.rglob("*")):
        if re.search(r"\.(txt|jsonl)(\.gz)?$", path.name):
            _read_file(path, seen)
    if not seen:
        raise InputError(f"{folder}: no lines of text found; expected .txt files, or .jsonl with a field 'prompt' (also .gz)")
    return Lines(np.frombuffer(b"".join(seen), np.uint8), np.cumsum([0, *(len(s) for s in seen)], dtype=np.int64))


def _read_file(path: Path, seen: dict[bytes, None]) -> None:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except EOFError as e:
        raise InputError(f"{path}: the gzip file is cut short; fetch it again") from e
    except gzip.BadGzipFile as e:
        raise InputError(f"{path}: not a gzip file, in spite of its name") from e
    except OSError as e:
        raise EnvironmentFailure(f"{path}: cannot be read ({e.strerror}); check its permissions") from e
    is_json = ".jsonl" in path.name
    # only \n ends a line: real prompts hold other separators
    for number, line in enumerate(raw.split(b"\n"), 1):
        text = line.strip()
        if is_json and text:
            try:
                record = orjson.loads(text)
                text = str(record["prompt"]).encode()
            except (orjson.JSONDecodeError, KeyError, TypeError) as e:
                raise InputError(f"{path}, line {number}: expected a JSON object with a field 'prompt'") from e
        text = text[:MOST_BYTES].decode("utf-8", "ignore").encode()
        if len(text) >= LEAST_BYTES:
            seen[text] = None
