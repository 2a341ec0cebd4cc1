"""The operator's key of the spool, and the key of each segment that is derived from it."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from stillwatch.errors import EnvironmentFailure, InputError

FILE = "spool.key"
# The setting that names another file.
SETTING = "spool_key_file"
# AES-256: a key of fewer bytes than it uses would be its weakest part.
BYTES = 32


class Key:
    """A spool's key. `id` tells it from others and gives nothing of it away."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = hashlib.blake2b(b"", digest_size=8, key=secret[:64], person=b"stillwatch-spool").digest()

    def of_segment(self, segment: bytes) -> AESGCM:
        """The cipher of one segment (RFC 5869): with a key of its own its nonces can count from 0 and never meet."""
        derived = HKDF(algorithm=SHA256(), length=BYTES, salt=segment, info=b"stillwatch spool segment")
        return AESGCM(derived.derive(self._secret))

    @staticmethod
    def read(path: Path) -> Key:
        """The key in a file that only its owner can read; raises InputError where it is not such."""
        try:
            mode = path.stat().st_mode
            secret = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot be read as the spool's key ({SETTING}): {error.strerror}") from error
        if mode & 0o077:
            raise InputError(f"{path}: others than its owner can read the spool's key ({SETTING}): chmod 600 {path}")
        if len(secret) < BYTES:
            raise InputError(f"{path}: the spool's key ({SETTING}) has at least {BYTES} bytes; this has {len(secret)}")
        return Key(secret)

    @staticmethod
    def of_spool(folder: Path, given: Path | None) -> Key:
        """The key in the file given, else the spool's own, made at first use, as is the folder.

        Raises InputError as `read` does, and EnvironmentFailure where the folder cannot be written.
        """
        own = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if given is None and not own.exists():
                _make(own)
        except OSError as error:
            raise EnvironmentFailure(f"{folder}: spool takes a folder that can be written: {error.strerror}") from error
        return Key.read(own if given is None else given)


def _make(path: Path) -> None:
    """A new key, whole and on disk when this returns; of two processes that make one, the first one's."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secrets.token_bytes(BYTES))
        os.fsync(handle)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
