"""The formats there are, by name, in the order in which `auto` tries them; each is one module."""

from __future__ import annotations

from typing import Final

from stillwatch.sources import bedrock, canonical, litellm, otel
from stillwatch.sources.mapping import LineFormat

FORMATS: Final[dict[str, LineFormat]] = {module.NAME: module for module in (canonical, litellm, otel, bedrock)}

# Column, where it comes from, and a note: what the documentation prints.
MAPPINGS: Final[dict[str, list[tuple[str, str, str]]]] = {
    name: [(m.column, ", else ".join(m.paths), m.note) for m in module.MAPPING] for name, module in FORMATS.items()
}
