"""The page of tables and their columns, from `stillwatch.tables`."""

from __future__ import annotations

import pyarrow as pa

from stillwatch import tables
from tools.reference.markdown import code, sentence, table

# Where the results of a scan keep each table; named for its file, since two tables share the name of an input.
_RESULTS = "Tables of the result folder, one Parquet file each but for exchanges, which has a folder for each day."
_INPUTS = (
    "What is read. Any column that is not required may be missing, or null in some rows: the evidence that needs it is "
    "then silent. Parquet and JSON lines with these names need no mapping; "
    "[Mappings](mappings.md) says where other formats' records keep them."
)
_BETWEEN = "What the stages hand to one another; of interest to those who work on Stillwatch itself."


def type_name(kind: pa.DataType) -> str:
    """An Arrow type as the page writes it."""
    if pa.types.is_list(kind):
        return f"list of {type_name(kind.value_type)}"
    return str(kind)


def part(one: tables.Table) -> str:
    """One table: what a row is, and its columns."""
    rows = [(code(c.name), code(type_name(c.type)), "yes" if c.required else "", c.meaning) for c in one.columns]
    return f"### {one.name}\n\n{sentence(one.meaning)}\n\n{table(('column', 'type', 'required', 'meaning'), rows)}\n"


def page() -> str:
    """Every table, inputs first."""
    others = [
        t for t in vars(tables).values()
        if isinstance(t, tables.Table) and t not in tables.INPUT_TABLES and t not in tables.OUTPUT_TABLES
    ]  # fmt: skip
    text = "# Columns\n\nTimes are UTC, to the microsecond.\n\n"
    for title, lead, group in (
        ("Input", _INPUTS, tables.INPUT_TABLES),
        ("Result", _RESULTS, tables.OUTPUT_TABLES),
        ("Between the stages", _BETWEEN, others),
    ):
        text += f"## {title}\n\n{lead}\n\n" + "".join(part(t) for t in group)
    return text
