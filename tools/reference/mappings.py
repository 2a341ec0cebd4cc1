"""The page of mappings: where each format's records keep the columns, from `stillwatch.sources`."""

from __future__ import annotations

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


def part(name: str) -> str:
    """One format: what it is, and every column of exchanges with its places."""
    places = {column: (source, note) for column, source, note in MAPPINGS[name]}
    rows = []
    for column in EXCHANGES.names:
        source, note = places.get(column, ("", ""))
        shown = ", else ".join(code(p) for p in source.split(", else ")) if source else NONE
        rows.append((code(column), shown, sentence(note) if note else ""))
    lead = (FORMATS[name].__doc__ or "").strip()
    title = f"## {_TITLES.get(name, name)} {{ #{name} }}"
    return f"{title}\n\n`--format {name}`. {lead}\n\n{table(('column', 'from', 'note'), rows)}\n"


def page() -> str:
    """Every format."""
    return f"# Mappings\n\n{_LEAD}\n" + "".join(part(name) for name in FORMATS)
