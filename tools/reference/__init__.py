"""What is made from the code: the reference pages of the documentation, one module a page, and the findings' schema."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.reference import columns, commands, evidence, findings, mappings, settings, worlds

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "reference"
NOTICE: Final = "<!-- Made by `make reference` from the code: change it there. -->\n\n"

PAGES: Final[dict[str, Callable[[], str]]] = {
    "columns.md": columns.page,
    "settings.md": settings.page,
    "evidence.md": evidence.page,
    "mappings.md": mappings.page,
    "commands.md": commands.page,
    "findings.md": findings.page,
    "worlds.md": worlds.page,
}
SCHEMA: Final = ROOT / "src" / "stillwatch" / "findings.schema.json"
FILES: Final = (*(FOLDER / name for name in PAGES), SCHEMA)


def made(path: Path) -> str:
    """The whole text of one of `FILES`, as the code has it."""
    return findings.schema() if path == SCHEMA else NOTICE + PAGES[path.name]().rstrip() + "\n"
