"""The database of the state: SQLite in a file, or PostgreSQL by URL; brought up to date whenever it is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, insert, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from stillwatch.errors import EnvironmentFailure, InputError

# How long a writer waits for another, and anybody for the next word of PostgreSQL, in seconds: a cycle over 100,000
# accounts is written in fewer. A connection that was cut without a word would be waited on for ever.
PATIENCE = 60
# What text may be, for those who let people write it: PostgreSQL takes no NUL.
TEXT = r"^[^\x00]*$"
# Any fixed number: PostgreSQL's lock by which one process at a time changes the tables.
MIGRATING = 7_455_109


def url_of(place: str | Path) -> URL:
    """The URL of a database that is given as a file's path, or as a URL of SQLite or PostgreSQL."""
    if isinstance(place, Path) or not re.match(r"^[a-z0-9+]+:/", place):
        return URL.create("sqlite", database=str(place))
    try:
        url = make_url(place)
    except ArgumentError as error:
        raise InputError("the state's URL is none: expected postgresql://USER:PASSWORD@HOST/NAME or a path") from error
    match url.get_backend_name():
        case "postgresql" | "postgres":
            url = url.set(drivername="postgresql+pg8000")
            folder = url.query.get("host")
            if isinstance(folder, str) and folder.startswith("/"):  # libpq's way to name the folder of a socket
                socket = f"{folder}/.s.PGSQL.{url.port or 5432}"
                return url.difference_update_query(["host"]).update_query_dict({"unix_sock": socket})
            return url
        case "sqlite":
            return url.set(drivername="sqlite")
    raise InputError(f"{shown(url)}: the state lives in SQLite (a path) or PostgreSQL (postgresql://…)")


def key_beside(url: URL) -> Path | None:
    """Where the key that seals the audit lies by default: beside a file of SQLite. Beside PostgreSQL is no folder."""
    return Path(f"{url.database}.audit-key") if url.get_backend_name() == "sqlite" else None


def shown(url: URL) -> str:
    """A URL without its password, a file by its path."""
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


@contextmanager
def telling(url: URL) -> Iterator[None]:
    """Tell what a database says in one line, without its SQL and parameters."""
    try:
        yield
    except NoSuchModuleError as error:
        raise InputError(f"{shown(url)}: no driver for it; install stillwatch[serve]") from error
    except DBAPIError as error:
        said = error.orig.args[0] if error.orig is not None and error.orig.args else error
        said = said.get("M", said) if isinstance(said, dict) else said
        raise EnvironmentFailure(f"{shown(url)}: the state's database says: {' '.join(str(said).split())}") from error
    except (TimeoutError, ConnectionError) as error:  # which the driver hands on as they are
        raise EnvironmentFailure(f"{shown(url)}: no answer from the state's database") from error


def opened(url: URL) -> Engine:
    """An engine on the database, with its tables as this Stillwatch needs them."""
    with telling(url):
        if url.get_backend_name() == "sqlite":
            engine = _sqlite(url)
        else:
            engine = create_engine(url, pool_pre_ping=True, connect_args={"timeout": PATIENCE})
        with writing(engine) as connection:
            _upgrade(connection)
        return engine


def _sqlite(url: URL) -> Engine:
    folder = Path(url.database or "").parent
    if not folder.is_dir():
        raise InputError(f"{url.database}: no folder {folder} for the state; make it first")
    engine = create_engine(url, connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def _begin_ourselves(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else Python's driver begins late, and a reader who writes can fail
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")  # what was answered is on the disk

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        alone = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: all of it is kept, or nothing."""
    with telling(engine.url), engine.execution_options(writes=True).begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database."""
    with telling(engine.url), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection


def put(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows. Asking PostgreSQL for something back makes SQLAlchemy send a thousand of them at a time."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(insert(table).returning(next(iter(table.primary_key))), list(rows)).close()
    else:
        connection.execute(insert(table), list(rows))


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATING})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
