"""Back-up and restore: state, store and spool in one folder, every key in another.

Whoever finds the first without the second has ciphertext, sketches and decisions, but cannot read what waited in the
spool, tell which text a sketch is of, or forge the audit record.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Boolean, Table, func, select, text

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.respond import audit, database
from stillwatch.respond.schema import AUDIT, METADATA
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool.key import FILE as SPOOL_KEY
from stillwatch.serve.state import audit_key_of, open_state
from stillwatch.store import states
from stillwatch.store.key import FILE as SKETCH_KEY

FORMAT: Final = 1
ABOUT: Final = "backup.json"
ACCESS: Final = "access.json"
AUDIT_KEY: Final = "audit.key"
# Rows of a table held in memory at a time.
STRETCH: Final = 10_000


def backup(settings: ServeSettings, out: Path, keys: Path) -> str:
    """Copy a service, running or not, into two new folders; what was copied, in words.

    The spool comes first and the store second: what is drained in between is in both, and the store knows it again.
    """
    for folder in (out, keys):
        if folder.exists():
            raise InputError(f"{folder}: is there already; give a new folder")
    if out.resolve() in keys.resolve().parents or keys.resolve() in out.resolve().parents:
        raise InputError(f"{keys}: the keys are kept apart: give a folder that is not in the other")
    fresh = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        keys.mkdir(mode=0o700, parents=True)
        fresh.mkdir(parents=True)
        _spool(settings.spool_folder, fresh / "spool")
        parts = _store(settings.store_folder, fresh / "store")
        head, rows = _state(settings, fresh / "state")
        _keys(settings, keys)
        about = {"format": FORMAT, "made": datetime.now(UTC).isoformat(), "audit": str(head)}
        (fresh / ABOUT).write_bytes(orjson.dumps(about))
        fresh.rename(out)
    except OSError as error:
        raise EnvironmentFailure(f"{error.filename or out}: cannot be copied: {error.strerror}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return f"{rows:,} rows of state, {parts:,} files of the store, the spool; the audit record ends at {head}"


def restore(settings: ServeSettings, source: Path, keys: Path) -> str:
    """Bring a service back from its two folders, into a place where there is none; what was brought back, in words."""
    about = _about(source)
    for place in (settings.store_folder, settings.spool_folder, settings.keys_file):
        if place.exists():
            raise InputError(f"{place}: is there already; a service is brought back into an empty folder")
    for name in (SKETCH_KEY, SPOOL_KEY, ACCESS, AUDIT_KEY):
        if not (keys / name).exists() and name != AUDIT_KEY:
            raise InputError(f"{keys}: no {name} in it; give the folder of keys that was made with this backup")
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source / "store", settings.store_folder)
        shutil.copytree(source / "spool", settings.spool_folder)
        settings.spool_folder.chmod(0o700)
        _key(keys / SKETCH_KEY, settings.store_folder / SKETCH_KEY)
        _key(keys / SPOOL_KEY, settings.spool_key_file or settings.spool_folder / SPOOL_KEY)
        _key(keys / ACCESS, settings.keys_file)
        _key(keys / AUDIT_KEY, audit_key_of(settings))
    except OSError as error:
        raise EnvironmentFailure(f"{error.filename}: cannot be brought back: {error.strerror}") from error
    rows = _into_state(settings, source / "state")
    state = open_state(settings)
    try:
        whole, fault = state.verify(_head(str(about["audit"])))
    finally:
        state.close()
    if fault is not None:
        raise InputError(f"{source}: the audit record is not whole: {fault}")
    return f"{rows:,} rows of state; {whole:,} entries of the audit record are whole"


def _about(source: Path) -> dict[str, Any]:
    try:
        about = orjson.loads((source / ABOUT).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: no backup that `stillwatch serve backup` finished") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise InputError(f"{source}: a backup of another format: use the Stillwatch that wrote it")
    return about


def _head(told: str) -> audit.Head:
    entries, _, digest = told.partition(":")
    return audit.Head(int(entries), digest)


def _spool(folder: Path, out: Path) -> None:
    out.mkdir()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name == SPOOL_KEY or not path.is_file():
            continue
        try:
            shutil.copy2(path, out / path.name)
        except FileNotFoundError:
            continue  # drained just now: the store, which is copied next, has it


def _store(folder: Path, out: Path) -> int:
    out.mkdir()
    if not folder.is_dir() or not states.numbers(folder):
        return 0
    with states.held(folder) as manifest:
        for table, parts in manifest.tables.items():
            (out / table).mkdir()
            for part in parts:
                shutil.copy2(folder / part.name, out / part.name)
        states.publish(out, manifest)
        return sum(len(parts) for parts in manifest.tables.values())


def _state(settings: ServeSettings, out: Path) -> tuple[audit.Head, int]:
    out.mkdir()
    state, rows = open_state(settings), 0
    try:
        with database.reading(state.engine) as connection:
            head = audit.head(connection)
            for table in METADATA.sorted_tables:
                key = table.primary_key.columns.keys()[0]
                # As the database has them: what a column means is not for a copy to know.
                found = connection.execution_options(yield_per=STRETCH).execute(
                    text(f"SELECT * FROM {table.name} ORDER BY {key}")
                )
                with (out / f"{table.name}.jsonl").open("wb") as file:
                    for row in found.mappings():
                        file.write(orjson.dumps(dict(row), option=orjson.OPT_APPEND_NEWLINE))
                        rows += 1
    finally:
        state.close()
    return head, rows


def _into_state(settings: ServeSettings, source: Path) -> int:
    rows = 0
    state = open_state(settings)
    try:
        with database.writing(state.engine) as connection:
            # A state that was just made has one entry, of its default policy.
            if int(connection.execute(select(func.count()).select_from(AUDIT)).scalar_one()) > 1:
                raise InputError("the state's database is not empty; a service is brought back into an empty one")
            for table in METADATA.sorted_tables:
                connection.execute(table.delete())
                for some in _stretches(source / f"{table.name}.jsonl", table):
                    columns = list(some[0])
                    places = ", ".join(f":{name}" for name in columns)
                    connection.execute(text(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({places})"), some)
                    rows += len(some)
    finally:
        state.close()
    return rows


def _stretches(path: Path, table: Table) -> Iterator[list[dict[str, Any]]]:
    booleans = [column.name for column in table.columns if isinstance(column.type, Boolean)]
    some: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for line in file:
            row = orjson.loads(line)
            # SQLite has them as numbers, PostgreSQL takes nothing but booleans.
            some.append(row | {name: None if row[name] is None else bool(row[name]) for name in booleans})
            if len(some) == STRETCH:
                yield some
                some = []
    if some:
        yield some


def _keys(settings: ServeSettings, out: Path) -> None:
    _key(settings.store_folder / SKETCH_KEY, out / SKETCH_KEY)
    _key(settings.spool_key_file or settings.spool_folder / SPOOL_KEY, out / SPOOL_KEY)
    _key(settings.keys_file, out / ACCESS)
    _key(audit_key_of(settings), out / AUDIT_KEY)


def _key(source: Path, out: Path) -> None:
    """Copy a file that only its owner may read; nothing where there is none, since a part may not be in use."""
    if not source.exists():
        return
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, source.read_bytes())
        os.fsync(handle)
    finally:
        os.close(handle)
