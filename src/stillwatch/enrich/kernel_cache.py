"""Where compiled kernels are kept between runs, so that only the first run on a machine waits for the compiler."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from numba.core import caching, config

# What numba tries by itself where NUMBA_CACHE_DIR is not set: beside the source, then in the user's cache folder.
_OWN_PLACES = (caching.InTreeCacheLocator, caching.UserWideCacheLocator)


def ensure_kernel_cache() -> None:
    """Give numba a folder to keep compiled kernels in, where it would find none.

    numba refuses to compile a cached function at all where neither the package's folder nor the user's cache folder
    can be written (a read-only installation and a HOME that does not exist, as in many containers). Then a folder in
    the system's temporary folder serves; `NUMBA_CACHE_DIR`, where set, goes before everything.
    """
    if config.CACHE_DIR:  # type: ignore[attr-defined]
        return
    usable = (place.from_function(ensure_kernel_cache, __file__) for place in _OWN_PLACES)  # type: ignore[no-untyped-call]
    if any(place is not None for place in usable):
        return
    config.CACHE_DIR = str(_private_folder(Path(tempfile.gettempdir())))  # type: ignore[attr-defined]


def _private_folder(parent: Path) -> Path:
    """A folder in `parent` that this user alone can write: what lies in it is run, so nobody else may put it there."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = parent / f"stillwatch-kernels-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        at = folder.lstat()
        if folder.is_symlink() or at.st_uid != user or at.st_mode & 0o022:
            return Path(tempfile.mkdtemp(prefix="stillwatch-kernels-", dir=parent))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="stillwatch-kernels-", dir=parent))
    return folder
