"""A folder published whole or not at all: written beside its place, then renamed into it."""

from __future__ import annotations

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
        folder.chmod(0o755)
        old = folder.with_name(folder.name + ".old")
        if out.exists():
            out.rename(old)
        folder.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise EnvironmentFailure(f"cannot write {out}: {os.strerror(error.errno) if error.errno else error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
