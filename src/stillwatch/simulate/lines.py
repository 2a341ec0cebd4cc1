"""Payloads from a folder of text instead of the grammar: reading lines, and dealing them out among accounts."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.simulate.streams import Stream

Ints = npt.NDArray[np.int64]
# Shorter lines are headings and numbers, which two accounts would both send; longer ones are cut, as the grammar's are.
LEAST_BYTES, MOST_BYTES = 40, 12_000


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of text from a folder, packed; empty where the grammar writes."""

    pool: npt.NDArray[np.uint8]
    at: Ints

    def __len__(self) -> int:
        return len(self.at) - 1


NO_LINES = Lines(np.zeros(1, np.uint8), np.zeros(1, np.int64))


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
        raise InputError(
            f"{folder}: no lines of text found; expected .txt files, or .jsonl with a field 'prompt' (also .gz)"
        )
    return Lines(np.frombuffer(b"".join(seen), np.uint8), np.cumsum([0, *(len(s) for s in seen)], dtype=np.int64))


def _read_file(path: Path, seen: dict[bytes, None]) -> None:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (EOFError, zlib.error) as e:
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


def shuffled(lines: Lines, seed: int) -> Lines:
    """The same lines in an order drawn from the seed."""
    order = np.random.default_rng([seed, 5]).permutation(len(lines))
    pieces = [lines.pool[lines.at[i] : lines.at[i + 1]] for i in order]
    sizes = np.array([len(p) for p in pieces], np.int64)
    return Lines(np.concatenate(pieces), np.concatenate(([0], np.cumsum(sizes))))


def deal(streams: Sequence[Stream], lines: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Split the lines of a text folder: a block for each shared list, then one for each stream by its size.

    Blocks do not overlap, so what two accounts both send is shared on purpose; a stream that has used up its block
    begins it again.
    """
    pools = {s.payloads.number: s.payloads.size for s in streams if s.payloads}
    sizes = np.zeros(max(pools, default=0) + 1, np.int64)
    for number, size in pools.items():
        sizes[number] = size
    # at most a quarter of the text goes into shared lists
    room = max(lines // 4, 1)
    if sizes.sum() > room:
        sizes = np.maximum(np.minimum(sizes, 1), sizes * room // sizes.sum())
    pool_at = np.cumsum(sizes) - sizes
    left = lines - int(sizes.sum())
    rows = np.array([max(s.rows, 1) for s in streams], np.float64)
    counts = np.maximum(1, (rows / rows.sum() * (left - len(streams))).astype(np.int64))
    return int(sizes.sum()) + np.cumsum(counts) - counts, counts, pool_at, np.maximum(sizes, 1)
