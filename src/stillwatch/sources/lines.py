r"""Lines and JSON records from plain, gzip and Zstandard files, streamed.

A line ends at `\n` only: real prompts contain U+2028, U+0085 and form feeds, which `str.splitlines` would break at.
Compression is told by the first bytes, never by the name.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
import zstandard

from stillwatch.sources.rejects import Rejects

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PARQUET_MAGIC = b"PAR1"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# A megabyte at a time: large enough that Python's share of reading is small, small enough not to be felt in memory.
CHUNK = 1 << 20
# A Zstandard block of 4 bytes can stand for 128 KiB, so 4 KiB of input is at most 128 MiB of output.
ZSTD_CHUNK = 1 << 12
# A 50 MB prompt takes up to 300 MB once JSON has escaped every byte; a line beyond this is no record but a bomb.
LONGEST_LINE = 512 << 20

FORBIDDEN = "no permission to read it"
REPAIRED = "characters that are not valid Unicode were replaced by U+FFFD"

_SURROGATE = re.compile("[\ud800-\udfff]")


class Record(NamedTuple):
    """One JSON object and where it stands."""

    place: str
    value: dict[str, Any]


class DamagedFile(Exception):
    """The file ends or breaks before its time; what was read before it stands."""


def chunks(path: Path) -> Iterator[bytes]:
    """The decompressed bytes of `path`; raises DamagedFile with a fixed sentence where they break off."""
    try:
        with path.open("rb") as raw:
            head = raw.read(4)
            raw.seek(0)
            if head[:2] == GZIP_MAGIC:
                yield from _gzip_chunks(raw)
            elif head == ZSTD_MAGIC:
                yield from _zstd_chunks(raw)
            else:
                while chunk := raw.read(CHUNK):
                    yield chunk
    except PermissionError as failure:
        raise DamagedFile(FORBIDDEN) from failure
    except IsADirectoryError as failure:
        raise DamagedFile("a folder, not a file") from failure
    except FileNotFoundError as failure:
        raise DamagedFile("no such file") from failure
    except OSError as failure:
        raise DamagedFile("the file could not be read to its end") from failure


def _gzip_chunks(raw: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=raw) as unpacked:
        while True:
            try:
                chunk = unpacked.read1(CHUNK)
            except EOFError as failure:
                raise DamagedFile("truncated gzip file") from failure
            except (gzip.BadGzipFile, zlib.error) as failure:
                raise DamagedFile("damaged gzip file") from failure
            if not chunk:
                return
            yield chunk


def _zstd_chunks(raw: BinaryIO) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    fresh = True
    while packed := raw.read(ZSTD_CHUNK):
        while packed:
            if frame.eof:
                frame, fresh = zstandard.ZstdDecompressor().decompressobj(), True
            try:
                chunk = frame.decompress(packed)
            except zstandard.ZstdError as failure:
                raise DamagedFile("damaged Zstandard file") from failure
            fresh = False
            packed = frame.unused_data if frame.eof else b""
            if chunk:
                yield chunk
    if not frame.eof and not fresh:
        raise DamagedFile("truncated Zstandard file")


def lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Line numbers from 1 and lines without their end; None for a line longer than LONGEST_LINE.

    The unfinished last line of a damaged file is dropped, since it is part of the damage; then DamagedFile is raised.
    """
    number = 1
    pieces: list[bytes] = []
    held = 0
    for chunk in chunks(path):
        first, *rest = chunk.split(b"\n")
        held += len(first)
        if held <= LONGEST_LINE:
            pieces.append(first)
        else:
            pieces.clear()
        if not rest:
            continue
        yield number, b"".join(pieces) if held <= LONGEST_LINE else None
        for line in rest[:-1]:
            number += 1
            yield number, line if len(line) <= LONGEST_LINE else None
        number += 1
        pieces, held = [rest[-1]], len(rest[-1])
    if held:
        yield number, b"".join(pieces) if held <= LONGEST_LINE else None


def parse(line: bytes) -> tuple[Any, bool]:
    """The JSON value of a line, and whether text in it had to be repaired; raises ValueError where it is not JSON.

    orjson refuses invalid UTF-8 and lone surrogates, which real prompts contain; the slower parser takes them, and
    each is replaced by U+FFFD.
    """
    try:
        return orjson.loads(line), False
    except orjson.JSONDecodeError:
        pass
    try:
        text = line.decode("utf-8", "replace")
        value, repaired = _without_surrogates(json.loads(text))
    except RecursionError as failure:
        raise ValueError("nested too deeply") from failure
    return value, repaired or "\ufffd" in text


def _without_surrogates(value: Any) -> tuple[Any, bool]:
    if isinstance(value, str):
        clean = repaired_text(value)
        return clean, clean != value
    if isinstance(value, list):
        pairs = [_without_surrogates(v) for v in value]
        return [v for v, _ in pairs], any(r for _, r in pairs)
    if isinstance(value, dict):
        items = [(_without_surrogates(k), _without_surrogates(v)) for k, v in value.items()]
        return {k: v for (k, _), (v, _) in items}, any(a or b for (_, a), (_, b) in items)
    return value, False


def repaired_text(text: str) -> str:
    """The text with every lone surrogate replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def records(path: Path, rejects: Rejects) -> Iterator[Record]:
    """The JSON objects of a file, one a line; what is not one is rejected by line, and a broken file by its name."""
    try:
        for number, line in lines(path):
            place = f"{path}:{number}"
            if line is None:
                rejects.add(place, f"record longer than {LONGEST_LINE >> 20} MB")
                continue
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)  # noqa: PLW2901
            if not line or line.isspace():
                continue
            try:
                value, repaired = parse(line)
            except ValueError:
                rejects.add(place, "not JSON")
                continue
            if not isinstance(value, dict):
                rejects.add(place, "JSON, but not an object")
                continue
            if repaired:
                rejects.remark(REPAIRED, place)
            yield Record(place, value)
    except DamagedFile as damage:
        rejects.add(str(path), str(damage), file=True)
