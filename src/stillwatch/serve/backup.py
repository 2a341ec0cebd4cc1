"""Back-up and restore: state, store and spool in one folder, every key in another.

Whoever finds the first without the second has ciphertext, sketches and decisions, but cannot read what waited in the
spool, tell which text a sketch is of, or forge the audit record.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Boolean, Table, func, select, text

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.respond import audit, database
from stillwatch.respond.compare import compared
from stillwatch.respond.schema import AUDIT, METADATA
from stillwatch.serve.settings import ServeSettings
from stillwatch.serve.spool.key import FILE as SPOOL_KEY
from stillwatch.serve.state import audit_key_of, open_state
from stillwatch.store import states
from stillwatch.store.key import FILE as SKETCH_KEY

FORMAT: Final = 2
ABOUT: Final = "backup.json"
ACCESS: Final = "access.json"
AUDIT_KEY: Final = "audit.key"
# Rows of a table held in memory at a time.
STRETCH: Final = 10_000


def backup(settings: ServeSettings, out: Path, keys: Path, sketch_key_file: Path | None = None) -> str:
    """Copy a service, running or not, into two new folders; what was copied, in words.

    The spool comes first and the store second: what is drained in between is in both, and the store knows it again.
    sketch_key_file: where the judgement's settings name one, instead of the store's own.
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
        there = {name: path for name, path in _keys(settings, sketch_key_file).items() if path.exists()}
        for name, path in there.items():
            _write(keys / name, path.read_bytes())
        # A part that is not in use has no key: what there was is what a restore needs.
        about = {"format": FORMAT, "made": datetime.now(UTC).isoformat(), "audit": str(head), "keys": sorted(there)}
        (fresh / ABOUT).write_bytes(orjson.dumps(about))
        fresh.rename(out)
    except BaseException as error:
        shutil.rmtree(keys, ignore_errors=True)
        if isinstance(error, OSError):
            raise EnvironmentFailure(f"{error.filename or out}: cannot be copied: {error.strerror}") from error
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return f"{rows:,} rows of state, {parts:,} files of the store, the spool; the audit record ends at {head}"


def restore(settings: ServeSettings, source: Path, keys: Path, sketch_key_file: Path | None = None) -> str:
    """Bring a service back from its two folders, into a place where there is none; what was brought back, in words.

    Where it fails, the next try finds the place as empty as this one did. sketch_key_file: as in `backup`.
    """
    about = _about(source)
    for place in (settings.store_folder, settings.spool_folder, settings.keys_file):
        if place.exists():
            raise InputError(f"{place}: is there already; a service is brought back into an empty folder")
    secrets = _secrets(about, keys)
    places = {settings.store_folder: source / "store", settings.spool_folder: source / "spool"}
    beside = {place: place.with_name(f".{place.name}.{os.getpid()}") for place in places}
    made: list[Path] = []
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        for place, copied in places.items():
            shutil.copytree(copied, beside[place])
        beside[settings.spool_folder].chmod(0o700)
        with _into_state(settings, source / "state", _head(str(about["audit"])), secrets.get(AUDIT_KEY)) as (
            rows,
            whole,
        ):
            for place in places:
                beside[place].rename(place)
                made.append(place)
            for name, path in _keys(settings, sketch_key_file).items():
                if name in secrets and _missing(path, secrets[name]):
                    made.append(path)
                    _write(path, secrets[name])
    except BaseException as error:
        for path in (*made, *beside.values()):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise EnvironmentFailure(f"{error.filename}: cannot be brought back: {error.strerror}") from error
        raise
    return f"{rows:,} rows of state; {whole:,} entries of the audit record are whole"


def _secrets(about: dict[str, Any], keys: Path) -> dict[str, bytes]:
    """The keys of a backup by name; those that it had must be there."""
    for name in about["keys"]:
        if not (keys / name).is_file():
            raise InputError(f"{keys}: no {name} in it; give the folder of keys that was made with this backup")
    return {name: (keys / name).read_bytes() for name in about["keys"]}


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


@contextmanager
def _into_state(
    settings: ServeSettings, source: Path, head: audit.Head, key: bytes | None
) -> Iterator[tuple[int, int]]:
    """The state's rows and the entries of its audit, which are whole: kept if all goes well in the block."""
    rows = 0
    engine = database.opened(database.url_of(settings.database))
    try:
        with database.writing(engine) as connection:
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
            audit.fit(connection, key, audit_key_of(settings))
            whole, fault = compared(connection, audit.check(connection, key, head))
            if fault is not None:
                raise InputError(f"{source.parent}: the audit record is not whole: entry {fault.no:,}: {fault.what}")
            yield rows, whole
    finally:
        engine.dispose()


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


def _keys(settings: ServeSettings, sketch_key_file: Path | None) -> dict[str, Path]:
    """Where each key of a service lies, by its name in a backup; a part that is not in use has none."""
    return {
        SKETCH_KEY: sketch_key_file or settings.store_folder / SKETCH_KEY,
        SPOOL_KEY: settings.spool_key_file or settings.spool_folder / SPOOL_KEY,
        ACCESS: settings.keys_file,
        AUDIT_KEY: audit_key_of(settings),
    }


def _missing(path: Path, key: bytes) -> bool:
    """Whether the key has still to be written: one that settings name may be there already. InputError for another."""
    if not path.exists():
        return True
    if path.read_bytes() != key:
        raise InputError(f"{path}: another key than the backup's is there already: move it away")
    return False


def _write(path: Path, key: bytes) -> None:
    """A new file that only its owner may read, on the disk when this returns."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
    finally:
        os.close(handle)
