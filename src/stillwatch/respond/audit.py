"""The record of what was done: entries in a chain, so that none can be changed, taken out or put in unseen.

Each entry's hash is SHA-256 over the hash before it and the entry as canonical JSON. Whoever can write to the database
could compute a whole chain anew; so each hash is sealed as well, by HMAC-SHA256 under a key that lies in a file outside
the database. What no chain shows by itself is that its end was cut off: for that, keep its head elsewhere
(`stillwatch audit head`), and give it to `stillwatch audit verify`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from stillwatch.errors import InputError
from stillwatch.respond.database import put
from stillwatch.respond.schema import AUDIT, EPOCH, HEAD, MICROSECOND
from stillwatch.store.key import key_id, read_key

NOTHING = "0" * 64
NEW_KEY_BYTES = 32
# Entries read at a time by who verifies: a few megabytes.
STRETCH = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. body: canonical JSON. previous, hash: hexadecimal; seal: None where there is no key."""

    no: int
    time: datetime
    actor: str
    action: str
    subject: str
    body: str
    previous: str
    hash: str
    seal: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain ends: how many entries, and the last one's hash. As text it is `ENTRIES:HASH`."""

    entries: int
    hash: str

    def __str__(self) -> str:
        return f"{self.entries}:{self.hash}"

    @classmethod
    def of(cls, text: str) -> Head:
        """A head that was written down; InputError where it is none."""
        entries, _, found = text.strip().partition(":")
        if not entries.isdigit() or len(found) != len(NOTHING) or set(found) - set("0123456789abcdef"):
            raise InputError(
                f"{text!r} is no head of an audit: expected ENTRIES:HASH as `stillwatch audit head` prints it"
            )
        return cls(int(entries), found)


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is not as it was written, and what is wrong with it."""

    no: int
    what: str


def canonical(value: Mapping[str, Any]) -> str:
    """One text for one value: keys in order, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def hash_of(entry: Entry) -> str:
    """What the hash of an entry must be, by all else in it."""
    told = {
        "action": entry.action,
        "actor": entry.actor,
        "body": entry.body,
        "no": entry.no,
        "subject": entry.subject,
        "time_us": (entry.time - EPOCH) // MICROSECOND,
    }
    return hashlib.sha256(f"{entry.previous}\n{canonical(told)}".encode("ascii")).hexdigest()


def seal_of(key: bytes, hash_: str) -> str:
    """What only the holder of the key can make of a hash."""
    return hmac.new(key, hash_.encode("ascii"), hashlib.sha256).hexdigest()


class Chain:
    """The end of the chain, locked by one writer until its transaction ends."""

    def __init__(self, connection: Connection, key: bytes | None) -> None:
        self._connection = connection
        self._key = key
        row = connection.execute(select(HEAD).where(HEAD.c.id == 1).with_for_update()).one()
        if row.entries and not _is(key, row.key_id):  # as found when it was opened, unless restored since
            raise InputError("the audit is sealed with another key by now: open the state anew")
        self._no, self._hash, self.version = int(row.entries), str(row.hash), int(row.version)
        self._made: list[dict[str, Any]] = []
        if self._no == 0:
            connection.execute(update(HEAD).values(key_id=None if key is None else key_id(key)))

    @property
    def empty(self) -> bool:
        """Whether nothing was ever recorded."""
        return self._no == 0

    def add(self, at: datetime, actor: str, action: str, subject: str, body: Mapping[str, Any]) -> None:
        """Record one thing. What it says is on the database when the transaction ends well."""
        self._no += 1
        entry = Entry(self._no, at, actor, action, subject, canonical(body), self._hash, "", None)
        self._hash = hash_of(entry)
        seal = None if self._key is None else seal_of(self._key, self._hash)
        self._made.append(asdict(replace(entry, hash=self._hash, seal=seal)))

    def close(self, *, changed: bool) -> None:
        """Write what was added. changed: whether what stands is another now, so that snapshots of it are renewed."""
        put(self._connection, AUDIT, self._made)
        self._connection.execute(
            update(HEAD).values(entries=self._no, hash=self._hash, version=self.version + (1 if changed else 0))
        )


def head(connection: Connection) -> Head:
    """Where the chain ends now."""
    row = connection.execute(select(HEAD.c.entries, HEAD.c.hash)).one()
    return Head(int(row.entries), str(row.hash))


def entries(connection: Connection, after: int = 0) -> Iterator[Entry]:
    """Entries in their order, from the one after `after` on."""
    while True:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.no > after).order_by(AUDIT.c.no).limit(STRETCH)).all()
        for row in rows:
            yield Entry(*row)
        if len(rows) < STRETCH:
            return
        after = rows[-1].no


def check(connection: Connection, key: bytes | None, expected: Head | None = None) -> Iterator[Entry | Fault]:
    """The entries in their order for as long as they are whole; at the first that is not, a Fault, and no more.

    key: without it, seals are not looked at. expected: a head that was kept elsewhere, which the chain must have.
    """
    before, no = NOTHING, 0
    for entry in entries(connection):
        no += 1
        fault = _fault(entry, no, before, key)
        if fault is None and expected is not None and no == expected.entries and entry.hash != expected.hash:
            fault = "not the entry that the head kept elsewhere is of"
        if fault is not None:
            yield Fault(no, fault)
            return
        before = entry.hash
        yield entry
    kept = head(connection)
    if kept != Head(no, before):
        yield Fault(no + 1, f"missing: the database says that there are {kept.entries:,} entries, and {no:,} are there")
    elif expected is not None and expected.entries > no:
        yield Fault(no + 1, f"missing: the head kept elsewhere is of entry {expected.entries:,}")


def _fault(entry: Entry, no: int, before: str, key: bytes | None) -> str | None:
    if entry.no != no:
        return f"missing: the next is {entry.no}"
    if entry.previous != before:
        return "does not follow the entry before it"
    if hash_of(entry) != entry.hash:
        return "changed after it was written"
    if key is not None and not hmac.compare_digest(entry.seal or "", seal_of(key, entry.hash)):
        return "not sealed with the key: it was written by somebody who does not have it"
    return None


def _is(key: bytes | None, known: str | None) -> bool:
    return known == (None if key is None else key_id(key))


def fit(connection: Connection, key: bytes | None, file: Path | None) -> None:
    """Raise InputError where the key is not that of the audit, which could not be written to. file: its place."""
    known = connection.execute(select(HEAD.c.key_id)).scalar_one()
    if _is(key, known):
        return
    give = "with --audit-key-file, or the service's audit_key_file"
    if known is None:
        raise InputError(f"{file}: the audit was begun without a key and has no seals: leave the key out")
    if file is None:
        raise InputError(f"the audit is sealed: name the file of its key {give}")
    if key is None:
        raise InputError(f"{file}: not there, but the audit is sealed: bring its key back, or name its file {give}")
    raise InputError(f"{file}: the audit is sealed with another key: bring that one back, or name its file {give}")


def key_at(path: Path, *, make: bool) -> bytes | None:
    """The key in a file; where it is missing, one that is made (mode 0600) if `make` says so, else None."""
    if not path.exists():
        if not make:
            return None
        new = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(NEW_KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first: its key is the one
                os.link(new, path)
        finally:
            new.unlink(missing_ok=True)
    return read_key(path)
