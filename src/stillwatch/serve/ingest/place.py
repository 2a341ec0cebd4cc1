"""The file that keeps how far a source was read: there whole, or as it was before, whatever happens meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from stillwatch.serve.spool.key import sync_folder


def keep(file: Path, place: dict[str, Any]) -> None:
    """Write it, on disk when this returns."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    with temporary.open("wb") as opened:
        opened.write(orjson.dumps(place))
        opened.flush()
        os.fsync(opened.fileno())
    temporary.rename(file)
    sync_folder(file.parent)
