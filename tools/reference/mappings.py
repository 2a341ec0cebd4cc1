"""The page of mappings: where each format's records keep the columns, from `stillwatch.sources`."""

from __future__ import annotations

import re

from stillwatch.sources import FORMATS, MAPPINGS
from stillwatch.tables import EXCHANGES
from tools.reference.markdown import NONE, code, sentence, table

_TITLES = {
    "canonical": "Stillwatch's own columns",
    "litellm": "LiteLLM",
    "otel": "OpenTelemetry and OpenInference",
    "bedrock": "Amazon Bedrock",
}
_LEAD = """\
With `--format auto` each file is told by its content. Of several places the first that is there and not empty is taken.
A column without a place has none in that format: take it from a second source with `--join`, or name a place of your
own in a [mapping file](../tutorial.md#a-mapping-file).
"""


def place(where: str) -> str:
    """A place in a record as code; `as prompt` points at another column's places."""
    return f"as {code(where[3:])}" if where.startswith("as ") else code(where)


def told(name: str) -> str:
    """What the format's module says of it, with the values of its constants in place of their names."""
    module = FORMATS[name]

    def value(found: re.Match[str]) -> str:
        number = getattr(module, found[0], None)
        unit = " bytes" if found[0].endswith("_BYTES") else ""
        return f"{number:,}{unit}" if isinstance(number, int) else found[0]

    return re.sub(r"\b[A-Z][A-Z_]{3,}\b", value, (module.__doc__ or "").strip())


def part(name: str) -> str:
    """One format: what it is, and every column of exchanges with its places."""
    places = {column: (source, note) for column, source, note in MAPPINGS[name]}
    rows = []
    for column in EXCHANGES.names:
        source, note = places.get(column, ("", ""))
        shown = ", else ".join(place(p) for p in source.split(", else ")) if source else NONE
        rows.append((code(column), shown, sentence(note) if note else ""))
    title = f"## {_TITLES.get(name, name)} {{ #{name} }}"
    return f"{title}\n\n`--format {name}`. {told(name)}\n\n{table(('column', 'from', 'note'), rows)}\n"


def page() -> str:
    """Every format."""
    return f"# Mappings\n\n{_LEAD}\n" + "".join(part(name) for name in FORMATS)
