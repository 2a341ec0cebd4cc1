"""The secret key of a store's sketch: made at first use, kept in the store for its owner alone, and nowhere else."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from stillwatch.errors import InputError

FILE = "sketch.key"
LEAST_BYTES = 16
# As much as BLAKE2b takes as a key; a new key has half, which is all the security that it can give.
USED_BYTES = 64
NEW_BYTES = 32


def read_key(path: Path) -> bytes:
    """The key in a file; raises InputError where it cannot be read or is too short."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the sketch key: {error.strerror}") from error
    if len(key) < LEAST_BYTES:
        raise InputError(f"{path}: a sketch key has at least {LEAST_BYTES} bytes; this one has {len(key)}")
    return key


def key_id(key: bytes) -> str:
    """What tells one key from another and gives none away: a keyed hash of nothing."""
    return hashlib.blake2b(b"", digest_size=8, key=key[:USED_BYTES], person=b"stillwatch-id").hexdigest()


def new_key(folder: Path) -> bytes:
    """Make a store's own key: on disk, whole, of mode 0600, when this returns."""
    key = secrets.token_bytes(NEW_BYTES)
    temporary = folder / f".{FILE}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
        temporary.rename(folder / FILE)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)
    return key


def key_of(folder: Path, given: Path | None, known: str | None) -> bytes:
    """The key that a store is used with: the one given, else its own.

    known: the id of the key that the store was made with; None for a new store, which gets a key of its own where none
    is given. Raises InputError where the key is another or is missing.
    """
    own = folder / FILE
    if given is not None:
        key = read_key(given)
        if known is not None and key_id(key) != known:
            without = "leave --sketch-key-file out" if own.exists() else "give the key that it was made with"
            raise InputError(f"{given}: not the key of the store {folder}, whose passages it cannot tell: {without}")
        return key
    if own.exists():
        key = read_key(own)
        if known is not None and key_id(key) != known:
            raise InputError(f"{own}: not the key that the store was made with: bring that one back from a copy")
        return key
    if known is not None:
        raise InputError(
            f"{folder}: made with a key that is not in it: give the same with --sketch-key-file (or {FILE} from a copy)"
        )
    return new_key(folder)
