"""The few forms of Markdown that the pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NONE = "—"


def code(text: str) -> str:
    """Text as code, or a dash for none."""
    return f"`{text}`" if text else NONE


def cell(text: str) -> str:
    """Text on one line, with what would end a table's cell or begin a tag made harmless outside of code.

    Within backticks Markdown shows `<` as it is, but a bar must be escaped even there.
    """
    parts = " ".join(text.split()).replace("|", "\\|").split("`")
    return "`".join(p if i % 2 else p.replace("<", "&lt;") for i, p in enumerate(parts))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell(c) for c in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def bullets(items: Iterable[str]) -> str:
    """A list, or a dash for an empty one."""
    return "".join(f"- {item}\n" for item in items) or f"{NONE}\n"


def sentence(text: str) -> str:
    """Text that begins with a capital and ends with a full stop; nothing stays nothing."""
    text = " ".join(text.split())
    if not text:
        return ""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ":", "…")) else ".")
