"""The state's database as the service's settings name it."""

from __future__ import annotations

from pathlib import Path

from stillwatch.respond import database
from stillwatch.respond.state import State
from stillwatch.serve.settings import ServeSettings


def open_state(settings: ServeSettings) -> State:
    """The state's database, brought up to date; raises InputError and EnvironmentFailure."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    return State.open(settings.database, audit_key_of(settings))


def audit_key_of(settings: ServeSettings) -> Path:
    """Where the key that seals the audit lies: beside a database of SQLite, else in the folder."""
    beside = database.key_beside(database.url_of(settings.database))
    return settings.audit_key_file or beside or settings.folder / "state.db.audit-key"
