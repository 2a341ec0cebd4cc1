"""Files that grow and are rotated, followed by what they are and not by what they are called.

A file is known by its device and inode, and by a digest of its beginning, since inodes are used again. So a file that
was renamed is read to its end under its new name, and one that was copied and cut to nothing (copytruncate) is read on
in the copy. What was read, and how far, is kept in a file, after it is durable: what is read twice counts once.
"""

from __future__ import annotations

import glob
import hashlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from stillwatch.errors import InputError
from stillwatch.serve.ingest.place import keep
from stillwatch.serve.ingest.sink import Sink
from stillwatch.serve.ingest.told import Told
from stillwatch.sources import FORMATS, lines
from stillwatch.sources.lines import Record

log = logging.getLogger("stillwatch.watch")

# Read at a time: some thousand records, which one sync brings to the disk.
CHUNK = 4 << 20
# Chunks of one file before it is the others' turn, and its place is kept.
CHUNKS = 16
# A record longer than this is none; it is passed over, and the rest is read on.
LONGEST = 64 << 20
# Bytes of a file's beginning that tell it from another of the same inode.
HEAD = 256
# Seconds for which a writer may go on writing to a file after it was renamed: logrotate signals it at once.
GRACE = 10.0


@dataclass
class Followed:
    """A file and how far it was read.

    head: a digest of its first `head_bytes`. seen: its size and time of writing when it was last looked at; idle:
    whether nothing was to be had of it then. renamed: since when it has another name than `path`, else 0.
    """

    path: str
    device: int
    inode: int
    offset: int = 0
    head: str = ""
    head_bytes: int = 0
    format: str = ""
    seen: tuple[int, int] = (0, 0)
    idle: bool = False
    renamed: float = 0.0

    @property
    def identity(self) -> tuple[int, int]:
        """What it is."""
        return self.device, self.inode


class Tail:
    """Follows the files that some paths, folders or globs mean, those that are yet to come among them."""

    def __init__(self, targets: tuple[str, ...], state: Path, sink: Sink, format: str = "auto") -> None:
        self._targets = targets
        self._state = state
        self._sink = sink
        self._format = "" if format == "auto" else format
        self._files = {file.identity: file for file in self._kept()}

    def poll(self) -> int:
        """Read what there is now; how many bytes."""
        for path in self._named():
            self._meet(path)
        read = sum(self._follow(file) for file in list(self._files.values()))
        if read:
            self._keep()
        return read

    def _kept(self) -> list[Followed]:
        try:
            found = orjson.loads(self._state.read_bytes())
            return [Followed(**{**file, "seen": tuple(file["seen"])}) for file in found["files"]]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(f"{self._state}: damaged: remove it to read the files from their beginning") from error

    def _keep(self) -> None:
        keep(self._state, {"files": [asdict(f) for f in self._files.values()]})

    def _named(self) -> Iterator[Path]:
        """The files that the targets mean; what a folder or glob means may change at any time."""
        for target in self._targets:
            path = Path(target)
            if path.is_dir():
                yield from (p for p in sorted(path.rglob("*")) if p.is_file() and not p.name.startswith((".", "_")))
            elif path.exists():
                yield path
            else:
                yield from (p for p in map(Path, sorted(glob.glob(target, recursive=True))) if p.is_file())  # noqa: PTH207

    def _meet(self, path: Path) -> None:
        """Follow a file that is new; of one whose name it has taken, remember since when."""
        try:
            found = path.stat()
            with path.open("rb") as file:
                beginning = file.read(HEAD)
        except OSError:
            return
        if (found.st_dev, found.st_ino) in self._files:
            return
        for other in self._files.values():
            if other.path == str(path) and not other.renamed:
                other.renamed = time.time()
        new = Followed(str(path), found.st_dev, found.st_ino, format=self._format)
        if beginning.startswith((lines.GZIP_MAGIC, lines.ZSTD_MAGIC, lines.PARQUET_MAGIC)):
            log.warning("a compressed or Parquet file among the watched ones is not followed: scan it")
            new.offset = sys.maxsize
        elif (copied := self._copied(path)) is not None:
            new.offset = min(copied.offset, found.st_size)  # what copytruncate leaves behind: read until here already
            new.format, new.renamed = copied.format, time.time()
            new.head, new.head_bytes = copied.head, copied.head_bytes
        self._files[new.identity] = new

    def _copied(self, path: Path) -> Followed | None:
        """The file that another is the copy of, told by their beginnings."""
        return next((f for f in self._files.values() if f.head_bytes == HEAD and _head(path, HEAD) == f.head), None)

    def _follow(self, file: Followed) -> int:
        if file.offset == sys.maxsize:
            return 0
        place = self._place(file)
        if place is None:
            if file.offset < file.seen[0]:
                log.warning("a watched file went away before it was read to its end")
            del self._files[file.identity]
            return 0
        with place.open("rb") as opened:
            found = os.fstat(opened.fileno())
            seen, file.seen = file.seen, (found.st_size, found.st_mtime_ns)
            over = bool(file.renamed) and time.time() - file.renamed > GRACE
            if seen == file.seen and file.idle and (file.offset == found.st_size or not over):
                return 0
            read = 0
            if found.st_size < file.offset or _digest(opened.read(file.head_bytes)) != (file.head or _digest(b"")):
                read += self._rest_of_copy(file, place)
                file.offset, file.head, file.head_bytes = 0, "", 0
            read += self._read_on(file, opened)
            if over and not read and file.offset < found.st_size:
                read += self._last_line(file, opened)
            file.idle = not read
        return read

    def _place(self, file: Followed) -> Path | None:
        """Where a file is now: under its name, or under another in the same folder."""
        path = Path(file.path)
        try:
            found = path.stat()
            if (found.st_dev, found.st_ino) == file.identity:
                return path
        except OSError:
            pass
        file.renamed = file.renamed or time.time()
        try:
            with os.scandir(path.parent) as entries:
                return next((Path(e.path) for e in entries if e.inode() == file.inode and e.is_file()), None)
        except OSError:
            return None

    def _rest_of_copy(self, file: Followed, place: Path) -> int:
        """What a file held beyond our place when it was cut to nothing, from the copy that was made of it."""
        for path in sorted(place.parent.glob(f"{glob.escape(place.name)}*")):
            if path == place or not file.head_bytes or _head(path, file.head_bytes) != file.head:
                continue
            with path.open("rb") as opened:
                found = os.fstat(opened.fileno())
                copy = self._files.get((found.st_dev, found.st_ino)) or replace(
                    file, path=str(path), device=found.st_dev, inode=found.st_ino, renamed=time.time()
                )
                read = 0
                while more := self._read_on(copy, opened):
                    read += more
                if copy.offset < found.st_size:
                    read += self._last_line(copy, opened)
            copy.seen = (found.st_size, found.st_mtime_ns)
            self._files[copy.identity] = copy
            return read
        if file.offset:
            log.warning("a watched file was cut to nothing; what was written after it was last read may be lost")
        return 0

    def _read_on(self, file: Followed, opened: Any) -> int:
        """Whole lines from our place on, to the end or for as long as other files can wait."""
        start = file.offset
        for _ in range(CHUNKS):
            opened.seek(file.offset)
            chunk = opened.read(CHUNK)
            while chunk and b"\n" not in chunk and len(chunk) < LONGEST and (more := opened.read(CHUNK)):
                chunk += more
            end = chunk.rfind(b"\n") + 1
            if not end and len(chunk) < LONGEST:
                break
            self._take(file, chunk[:end] if end else b"")
            if not end:
                log.warning("a record in a watched file that is longer than any can be was passed over")
            file.offset += end or len(chunk)
            if file.head_bytes < HEAD:
                opened.seek(0)
                beginning = opened.read(min(HEAD, file.offset))
                file.head, file.head_bytes = _digest(beginning), len(beginning)
        return file.offset - start

    def _last_line(self, file: Followed, opened: Any) -> int:
        """What follows the last line's end in a file that nobody writes to any more."""
        opened.seek(file.offset)
        rest = opened.read(LONGEST)
        self._take(file, rest)
        file.offset += len(rest)
        return len(rest)

    def _take(self, file: Followed, chunk: bytes) -> None:
        told = Told()
        name = Path(file.path).name
        found = list(_records(chunk, f"{name} from byte {file.offset}", told))
        if not file.format:
            file.format = next((f for r in found for f, m in FORMATS.items() if m.recognises(r.value)), "")
        if not file.format:
            for record in found:
                told.add(record.place, "of no known format")
            found = []
        self._sink.take(file.format or "canonical", found, told)


def _records(chunk: bytes, place: str, told: Told) -> Iterator[Record]:
    for number, line in enumerate(chunk.split(b"\n"), 1):
        if not line or line.isspace():
            continue
        try:
            value, _ = lines.parse(line.removeprefix(lines.BYTE_ORDER_MARK))
        except ValueError:
            told.add(f"{place}, line {number}", "not JSON")
            continue
        if isinstance(value, dict):
            yield Record(f"{place}, line {number}", value)
        else:
            told.add(f"{place}, line {number}", "JSON, but not an object")


def _digest(beginning: bytes) -> str:
    return hashlib.blake2b(beginning, digest_size=16).hexdigest()


def _head(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            beginning = file.read(size)
    except OSError:
        return ""
    return _digest(beginning) if len(beginning) == size else ""
