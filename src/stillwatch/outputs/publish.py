"""A folder published whole or not at all: written beside its place, then renamed into it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stillwatch.errors import EnvironmentFailure, InputError

# What marks a folder as an earlier result, which a new one may replace.
MARK = "findings.json"


def check_place(out: Path) -> None:
    """Refuse a place that holds something other than an earlier result."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out} is not a folder: give --out a new folder or an earlier result")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).exists():
        raise InputError(f"{out} holds something other than an earlier result ({MARK} is missing): give another --out")


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`; when the block ends well it takes the place of `out`, else it is removed."""
    check_place(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise EnvironmentFailure(f"cannot write beside {out}: {error.strerror or error}") from error
    try:
        yield folder
        _exchange(folder, out)
    except OSError as error:
        raise EnvironmentFailure(f"cannot write {out}: {_reason(error)}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _exchange(folder: Path, out: Path) -> None:
    """Put `folder` in the place of `out`. Whatever stops this half-way, what was there before is put back."""
    folder.chmod(0o755)
    old = folder.with_name(folder.name + ".old")
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
