"""Access keys of programs: made here, shown once, kept as digests.

A key is `stillwatch_<id>_<secret>`. The id names it in lists, logs and the audit record. The secret has 256 random
bits, so that a plain SHA-256 of it is as good at rest as any slow hash: those are for secrets that people choose.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.serve.access.roles import Principal, Role

PREFIX = "stillwatch"
SECRET_BYTES = 32


class AccessKey(BaseModel):
    """What is kept of a key; never the key. digest: SHA-256 of its secret, in hex. Times in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    roles: frozenset[Role]
    scope: str = ""
    digest: str
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def works(self, at: datetime) -> bool:
        """Whether it opens anything at a time."""
        return self.revoked is None and (self.expires is None or at < self.expires)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def new(name: str, roles: frozenset[Role], scope: str = "", lives: timedelta | None = None) -> tuple[str, AccessKey]:
    """A new key, to be shown once, and what is kept of it."""
    now = datetime.now(UTC).replace(microsecond=0)
    ident, secret = secrets.token_hex(6), secrets.token_urlsafe(SECRET_BYTES)
    kept = AccessKey(
        id=ident, name=name, roles=roles, scope=scope, digest=_digest(secret), created=now,
        expires=now + lives if lives else None,
    )  # fmt: skip
    return f"{PREFIX}_{ident}_{secret}", kept


class KeyRing:
    """The keys as they were when the file was read: checks what a caller presents, without touching the disk."""

    def __init__(self, keys: tuple[AccessKey, ...] = ()) -> None:
        self.keys = keys
        self._held = {key.id: (key.digest, Principal(key.id, key.roles, key.scope), key) for key in keys}

    def principal(self, token: str) -> Principal | None:
        """Who holds this key; None for one that is unknown, revoked or expired."""
        prefix, _, rest = token.partition("_")
        ident, _, secret = rest.partition("_")
        held = self._held.get(ident)
        if prefix != PREFIX or held is None:
            return None
        digest, principal, key = held
        try:
            same = hmac.compare_digest(_digest(secret), digest)
        except UnicodeEncodeError:
            return None
        return principal if same and key.works(datetime.now(UTC)) else None


class KeyFile:
    """The file of access keys, of mode 0600: written whole or not at all, one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._ring = KeyRing()

    def read(self) -> tuple[AccessKey, ...]:
        """The keys in the file, oldest first; none where there is no file."""
        try:
            return tuple(AccessKey.model_validate(kept) for kept in orjson.loads(self.path.read_bytes()))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise EnvironmentFailure(f"{self.path}: cannot read the access keys: {error.strerror}") from error
        except (ValidationError, ValueError, TypeError) as error:
            raise InputError(f"{self.path}: no list of access keys as `stillwatch serve keys` writes it") from error

    def ring(self) -> KeyRing:
        """The keys as the file has them now; read again only where it has changed."""
        try:
            stat = self.path.stat()
            seen: tuple[int, int] | None = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            seen = None
        if seen != self._seen:
            self._ring, self._seen = KeyRing(self.read()), seen
        return self._ring

    def add(self, key: AccessKey) -> None:
        """Keep one more."""
        self._change(lambda keys: (*keys, key))

    def end(self, ident: str, at: datetime | None = None) -> AccessKey:
        """End a key now, or let it expire at a time; gives it as it was. InputError where there is none such."""
        found: list[AccessKey] = []

        def changed(keys: tuple[AccessKey, ...]) -> tuple[AccessKey, ...]:
            found.extend(key for key in keys if key.id == ident and key.revoked is None)
            if not found:
                raise InputError(
                    f"{ident}: no key of this id that still works; `stillwatch serve keys list` shows them"
                )
            update = {"expires": at} if at else {"revoked": datetime.now(UTC).replace(microsecond=0)}
            return tuple(key.model_copy(update=update) if key.id == ident else key for key in keys)

        self._change(changed)
        return found[0]

    def _change(self, change: Callable[[tuple[AccessKey, ...]], tuple[AccessKey, ...]]) -> None:
        with self._alone():
            text = orjson.dumps(
                [key.model_dump(mode="json") for key in change(self.read())], option=orjson.OPT_INDENT_2
            )
            temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(handle, text)
                os.fsync(handle)
                temporary.rename(self.path)
            finally:
                os.close(handle)
                temporary.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise EnvironmentFailure(f"{self.path.parent}: cannot write the access keys: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
