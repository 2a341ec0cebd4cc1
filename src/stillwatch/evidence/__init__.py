"""The kinds of evidence: one module each, found by their constant `KIND`; third parties add theirs by entry point."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

from stillwatch.evidence.kind import Conduct, Kind, Link, Trait

__all__ = ["Conduct", "Kind", "Link", "Trait", "kinds"]

ENTRY_POINT = "stillwatch.evidence"


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind of evidence, ours and those that installed packages add, by name."""
    found: list[Kind] = []
    for module in iter_modules(__path__):
        kind = getattr(import_module(f"{__name__}.{module.name}"), "KIND", None)
        if kind is not None:
            found.append(kind)
    found += [point.load() for point in entry_points(group=ENTRY_POINT)]
    return tuple(sorted(found, key=lambda k: k.name))
