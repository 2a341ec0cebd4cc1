"""A state in SQLite and one in PostgreSQL, both real and both fresh."""

from __future__ import annotations

from contextlib import closing

import pytest
from tests.respond.databases import fresh

from stillwatch.respond.state import State


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where a state may be made: a path, or the URL of a database of its own."""
    return str(tmp_path / "state.db") if request.param == "sqlite" else fresh(request.getfixturevalue("postgresql"))


@pytest.fixture
def state(place, tmp_path):
    with closing(State.open(place, None if place.startswith("/") else sealing(tmp_path))) as opened:
        yield opened


def sealing(folder):
    key = folder / "audit.key"
    key.write_bytes(bytes(range(32)))
    return key
