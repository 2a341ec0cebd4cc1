"""The reference pages of the documentation, made from the code: one module a page, each with a `page()`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.reference import columns, commands, evidence, findings, mappings, settings, worlds

FOLDER: Final = Path(__file__).parents[2] / "docs" / "reference"
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


def made(name: str) -> str:
    """The whole text of one page, as it is to stand in the folder."""
    return NOTICE + PAGES[name]().rstrip() + "\n"
