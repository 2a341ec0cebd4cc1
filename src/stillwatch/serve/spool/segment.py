"""A segment of the spool: a file of encrypted frames, appended to by one process, then sealed and only read.

    header   magic (8), segment id (16), key id (8), microseconds since 1970 when it was begun (8)
    frame    length of what follows (4, little-endian), AES-256-GCM of the payload with its tag
    ...

The nonce of a frame is its number, the associated data is the header: a frame that was changed, moved or taken from
another segment is known for what it is. `….open` is being written, by the process that holds its lock; `….sealed` is
finished. A name begins with the time, so that names are in the order of arrival.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from stillwatch.errors import InputError
from stillwatch.serve.spool.key import SETTING, Key, sync_folder

MAGIC = b"SWSPOOL1"
_HEADER = struct.Struct("<8s16s8sq")
_LENGTH = struct.Struct("<I")
TAG = 16

OPEN = ".open"
SEALED = ".sealed"
# A process that was killed between making a file and giving it its name leaves it; no living one takes a minute.
ABANDONED = 60.0


def nonce(number: int) -> bytes:
    """The nonce of a frame: 96 bits, as AES-GCM takes them."""
    return number.to_bytes(12, "little")


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment on disk."""

    path: Path
    id: bytes
    key_id: bytes
    begun_us: int

    @property
    def header(self) -> bytes:
        """Its first bytes, which every frame is bound to."""
        return _HEADER.pack(MAGIC, self.id, self.key_id, self.begun_us)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    @staticmethod
    def at(path: Path) -> Segment | None:
        """The segment in a file; None where the header is not whole."""
        with path.open("rb") as file:
            found = file.read(_HEADER.size)
        if len(found) < _HEADER.size:
            return None
        magic, identity, key_id, begun_us = _HEADER.unpack(found)
        return Segment(path, identity, key_id, begun_us) if magic == MAGIC else None

    def check(self, key: Key) -> None:
        """Raises InputError where it was written with another key."""
        if self.key_id != key.id:
            raise InputError(f"{self.path}: written with another key of the spool: {SETTING} takes that one")

    def frames(self, key: Key) -> Iterator[bytes | None]:
        """The payloads in their order; None for a frame that is not as it was written, or for the rest of the file
        where its length cannot be right. Raises InputError where the key is another."""
        for _, payload in self._walk(key):
            yield payload

    def _walk(self, key: Key) -> Iterator[tuple[int, bytes | None]]:
        """Where each frame ends, and its payload."""
        self.check(key)
        cipher, header, number = key.of_segment(self.id), self.header, 0
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(_HEADER.size)
            while (start := file.tell()) < size:
                length = _length(file.read(_LENGTH.size))
                if length is None or start + _LENGTH.size + length > size:
                    yield size, None
                    return
                yield start + _LENGTH.size + length, _opened(cipher, number, file.read(length), header)
                number += 1

    def whole_until(self, key: Key) -> int:
        """Where the last frame ends that is as it was written: what follows was never acknowledged."""
        return max((end for end, payload in self._walk(key) if payload is not None), default=_HEADER.size)


def _length(found: bytes) -> int | None:
    if len(found) < _LENGTH.size:
        return None
    length: int = _LENGTH.unpack(found)[0]
    return length if length >= TAG else None


def _opened(cipher: AESGCM, number: int, sealed_frame: bytes, header: bytes) -> bytes | None:
    try:
        return cipher.decrypt(nonce(number), sealed_frame, header)
    except InvalidTag:
        return None


class Writing:
    """A segment being written. What was appended is on disk once `sync` has returned."""

    def __init__(self, folder: Path, key: Key) -> None:
        identity, begun_us = secrets.token_bytes(16), time.time_ns() // 1000
        self.segment = Segment(folder / f"{begun_us:017}-{identity.hex()[:16]}{OPEN}", identity, key.id, begun_us)
        self._header = self.segment.header
        self._cipher = key.of_segment(identity)
        self._number = 0
        # The lock before the name: whoever sees an open segment without a lock may take its writer for dead.
        temporary = folder / f".{self.segment.path.name}"
        self._handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._named = False
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            _write(self._handle, self._header)
            temporary.rename(self.segment.path)
        except BaseException:
            os.close(self._handle)
            temporary.unlink(missing_ok=True)
            raise
        self.size = self.synced = len(self._header)

    def append(self, payload: bytes) -> None:
        """Encrypt and write one frame."""
        frame = self._cipher.encrypt(nonce(self._number), payload, self._header)
        self._number += 1
        _write(self._handle, _LENGTH.pack(len(frame)) + frame)
        self.size += _LENGTH.size + len(frame)

    def sync(self) -> None:
        """Bring all that was appended to the disk."""
        os.fdatasync(self._handle)
        if not self._named:
            sync_folder(self.segment.path.parent)
            self._named = True
        self.synced = self.size

    def seal(self) -> None:
        """Finish it: readers may have it. What was not brought to the disk is cut off."""
        try:
            if self.size != self.synced:
                os.ftruncate(self._handle, self.synced)
                os.fsync(self._handle)
            if self._named:
                finish(self.segment.path)
            else:
                self.segment.path.unlink(missing_ok=True)
        finally:
            os.close(self._handle)


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def finish(path: Path) -> Path:
    """Give an open segment the name of a sealed one, on disk when this returns."""
    done = path.with_suffix(SEALED)
    path.rename(done)
    sync_folder(path.parent)
    return done


def sealed(folder: Path) -> list[Segment]:
    """The sealed segments, in the order of arrival. Raises InputError where one is of no kind that is known."""
    found = []
    for path in sorted(folder.glob(f"*{SEALED}")):
        try:
            segment = Segment.at(path)
        except FileNotFoundError:
            continue  # drained or expired meanwhile
        if segment is None:
            raise InputError(f"{path}: no segment of a spool that this Stillwatch writes: move it elsewhere")
        found.append(segment)
    return found


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found of processes that were killed: segments sealed for them, and bytes cut off their ends."""

    segments: int
    cut: int


def recovered(folder: Path, key: Key) -> Recovered:
    """Seal the segments whose writers are dead, each without its torn end.

    A frame that is whole is kept, acknowledged or not. Raises InputError where a segment is of another key.
    """
    segments = cut = 0
    for path in sorted(folder.glob(f"*{OPEN}")):
        with suppress(FileNotFoundError), path.open("rb+") as file:
            if not _dead(file.fileno()) or os.fstat(file.fileno()).st_ino != path.stat().st_ino:
                continue
            segment = Segment.at(path)
            if segment is None:
                path.unlink()  # its header was on disk before anything in it was acknowledged
                continue
            end = segment.whole_until(key)
            cut += segment.size - end
            file.truncate(end)
            os.fsync(file.fileno())
            finish(path)
            segments += 1
    for path in folder.glob(f".*{OPEN}"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                path.unlink()
    check(folder, key)
    return Recovered(segments, cut)


def check(folder: Path, key: Key) -> None:
    """Raises InputError where a segment was written with another key, or is of no kind that is known."""
    for segment in sealed(folder):
        segment.check(key)
    for path in folder.glob(f"*{OPEN}"):
        with suppress(FileNotFoundError):
            if (written := Segment.at(path)) is not None:
                written.check(key)


def _dead(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def used(folder: Path) -> int:
    """Bytes of all segments."""
    total = 0
    for path in (*folder.glob(f"*{SEALED}"), *folder.glob(f"*{OPEN}")):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def oldest(folder: Path) -> float | None:
    """Seconds since the oldest sealed segment was begun; None where there is none."""
    for segment in sealed(folder):
        return max(0.0, time.time() - segment.begun_us / 1e6)
    return None


def expired(folder: Path, seconds: float) -> list[Segment]:
    """Remove the sealed segments that were begun longer ago than that; which they were."""
    gone = []
    for segment in sealed(folder):
        if time.time() - segment.begun_us / 1e6 <= seconds:
            break
        segment.path.unlink(missing_ok=True)
        gone.append(segment)
    return gone
