"""The state's database as the service's settings name it."""

from __future__ import annotations

from pathlib import Path

from stillwatch.respond.state import State
from stillwatch.serve.settings import ServeSettings


def open_state(settings: ServeSettings) -> State:
    """The state's database, brought up to date; raises InputError and EnvironmentFailure."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    return State.open(settings.database, settings.audit_key_file)


def audit_key_of(settings: ServeSettings) -> Path:
    """Where the key that seals the audit lies."""
    return settings.audit_key_file or settings.folder / "state.db.audit-key"
