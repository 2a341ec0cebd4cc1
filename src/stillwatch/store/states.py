"""The states of a store on disk: `manifest-N.json`, published whole or not at all, held by readers, and cleared away.

A reader holds a shared lock on the manifest that was newest when it began, and sees the store as it was then, whatever
is written meanwhile. A lock goes with the process that holds it, so nothing that was killed is ever waited for.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from stillwatch.errors import EnvironmentFailure, InputError
from stillwatch.store.manifest import FORMAT, SCHEMAS, Manifest

LOCK = "writer.lock"
# How long a writer waits for its turn: who judges beside it writes for a second or two.
PATIENCE = 5.0
_ASK_AGAIN = 0.005
_NAME = re.compile(r"manifest-(\d+)\.json")


def path_of(folder: Path, number: int) -> Path:
    """Where the manifest of a number lies."""
    return folder / f"manifest-{number}.json"


def numbers(folder: Path) -> list[int]:
    """The numbers of all manifests there are, oldest first."""
    return sorted(int(found[1]) for path in folder.iterdir() if (found := _NAME.fullmatch(path.name)))


def newest(folder: Path) -> Manifest | None:
    """The newest state; None where there is none."""
    there = numbers(folder)
    return _parsed(path_of(folder, there[-1]), path_of(folder, there[-1]).read_bytes()) if there else None


def _parsed(path: Path, text: bytes) -> Manifest:
    damaged = f"{path}: damaged: bring the store back from a copy"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(damaged) from error
    if isinstance(value, dict) and isinstance(value.get("format"), int) and value["format"] != FORMAT:
        wrote = value.get("written_by")
        raise InputError(f"{path}: a store of format {value['format']}: use the Stillwatch that wrote it ({wrote})")
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        raise InputError(damaged) from error


@contextmanager
def held(folder: Path) -> Iterator[Manifest]:
    """Hold on to the newest state: none of its files is removed within the block.

    Raises InputError where there is no store.
    """
    while True:
        there = numbers(folder) if folder.is_dir() else []
        if not there:
            raise InputError(f"{folder}: no store here (no manifest-N.json); a store is made by scan --store")
        path = path_of(folder, there[-1])
        try:
            file = path.open("rb")
        except FileNotFoundError:
            continue  # a newer one has just taken its place
        with file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if os.fstat(file.fileno()).st_nlink:
                yield _parsed(path, file.read())
                return


def publish(folder: Path, manifest: Manifest) -> None:
    """Write a manifest to a temporary name, then give it its own, which must be free; all on disk when this returns."""
    path = path_of(folder, manifest.number)
    temporary = folder / f".{path.name}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(manifest.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        for name in SCHEMAS:
            sync_folder(folder / name)
        os.link(temporary, path)
        sync_folder(folder)
    except FileExistsError as error:
        raise EnvironmentFailure(f"{path}: another process has published it; scan again") from error
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clear(folder: Path) -> None:
    """Remove states that are not the newest and that nobody holds, then every file that no state names any more. Only
    the writer may: what it is about to publish is named by no state yet."""
    *old, last = numbers(folder)
    kept = set()
    for number in [*old, last]:
        path = path_of(folder, number)
        with path.open("rb") as file:
            if number != last and _free(file.fileno()):
                path.unlink()
            else:
                kept |= _parsed(path, file.read()).files()
    for name in SCHEMAS:
        for path in (folder / name).iterdir():
            if f"{name}/{path.name}" not in kept:
                path.unlink()
    for path in folder.glob(".*"):
        path.unlink()


def _free(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def alone(folder: Path, patience: float | None = None) -> Iterator[None]:
    """Be the store's one writer within the block. The file names the process; whether that still lives is told by its
    lock and not by its number, which another process may have by now.

    patience: seconds to wait for another writer; by default `PATIENCE`.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    until = time.monotonic() + (PATIENCE if patience is None else patience)
    try:
        while not _free(handle):
            if time.monotonic() < until:
                time.sleep(_ASK_AGAIN)
                continue
            holder = os.read(handle, 20).decode(errors="replace").strip()
            raise EnvironmentFailure(f"{folder}: process {holder} is writing to this store; wait for it to end")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)
