"""A folder published whole or not at all: written beside its place, then renamed into it."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from stillwatch.errors import EnvironmentFailure, InputError

# What marks a folder as an earlier result, which a new one may replace.
MARK = "findings.json"
# How long a folder was let alone before it may be taken for one that a killed process left: whoever makes one locks it
# within milliseconds.
ABANDONED_SECONDS = 60.0
OLD = ".old"


def check_place(out: Path) -> None:
    """Refuse a place that holds something other than an earlier result."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out} is not a folder: give --out a new folder or an earlier result")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).exists():
        raise InputError(f"{out} holds something other than an earlier result ({MARK} is missing): give another --out")


@contextmanager
def own_folder(parent: Path, name: str, fault: str) -> Iterator[Path]:
    """A new hidden folder of this process in `parent`, named after a result, and removed in the end.

    What processes that were killed left of that name is removed first: each holds a lock on its folders, which goes
    with it. fault: what is told with the reason, as EnvironmentFailure, where none can be made.
    """
    prefix = f".{name}.stillwatch-"
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    with ExitStack() as made:
        made.callback(shutil.rmtree, folder, ignore_errors=True)  # first, so that a signal finds it, whenever it comes
        try:
            _clear(parent, prefix)
            folder.mkdir(mode=0o700)
            handle = os.open(folder, os.O_RDONLY)
            made.callback(os.close, handle)
        except OSError as error:
            raise EnvironmentFailure(f"{fault}: {error.strerror or error}") from error
        with suppress(OSError):  # a file system without locks: then what is left there stays
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder


def _clear(parent: Path, prefix: str) -> None:
    for path in sorted(parent.glob(f"{glob.escape(prefix)}*")):
        with suppress(OSError):  # it is gone, or another's
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(handle).st_ctime > ABANDONED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`; when the block ends well it takes the place of `out`, else it is removed."""
    check_place(out)
    fault = f"cannot write beside {out}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _put_back(out)
    except OSError as error:
        raise EnvironmentFailure(f"{fault}: {error.strerror or error}") from error
    with own_folder(out.parent, out.name, fault) as folder:
        try:
            yield folder
            _exchange(folder, out)
        except OSError as error:
            raise EnvironmentFailure(f"cannot write {out}: {_reason(error)}") from error


def _put_back(out: Path) -> None:
    """Put an earlier result in its place where a process was killed between taking it away and putting the next."""
    if not out.exists():
        left = sorted(out.parent.glob(f".{glob.escape(out.name)}.stillwatch-*{OLD}"), key=lambda p: p.stat().st_ctime)
        if left and (left[-1] / MARK).exists():
            left[-1].rename(out)


def _exchange(folder: Path, out: Path) -> None:
    """Put `folder` in the place of `out`. Whatever stops this half-way, what was there before is put back."""
    folder.chmod(0o755)
    old = folder.with_name(folder.name + OLD)
    try:
        if out.exists():
            out.rename(old)
        folder.rename(out)
    except BaseException:
        if old.exists() and not out.exists():
            old.rename(out)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; give --out on another, or make room"
    if error.errno == errno.EFBIG:
        return "a file would be larger than is allowed here (ulimit -f)"
    return os.strerror(error.errno) if error.errno else str(error)
