"""What a store holds at one moment: every part of every table, and every source that was read."""

from __future__ import annotations

import hashlib

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from stillwatch import __version__
from stillwatch.enrich.sketch import SKETCH_VERSION
from stillwatch.tables import ENRICHED, EXCHANGES

# Raised whenever a manifest can no longer be read as before.
FORMAT = 1
# Room for the exchanges of one source and for the sources of one store, which together fill 63 bits.
ROWS_A_SOURCE = 2**32
SOURCES = 2**31

# What was found under a number, with what it is known by as it was last seen: accounts, or a workload's passages.
_LEDGER = pa.schema(
    [
        ("number", pa.int64()),
        ("known_by", pa.list_(pa.string())),
        ("first_us", pa.int64()),
        ("last_us", pa.int64()),
        ("merged_into", pa.int64()),
        ("split_from", pa.int64()),
    ]
)
SCHEMAS = {
    "exchanges": ENRICHED.schema,
    # Text that `parties` parties share, folded, by the passage around which it stands. whole: the exchanges of so many
    # were compared; else what of one exchange's text is known to be shared.
    "passages": pa.schema(
        [("passage", pa.int64()), ("text", pa.string()), ("parties", pa.int64()), ("whole", pa.bool_())]
    ),
    # What is asked for around a passage that at least two parties share: its kind alone, where too few share the text.
    "asked": pa.schema([("passage", pa.int64()), ("asks", pa.list_(pa.string()))]),
    # The campaigns, pools and workloads that were ever found.
    "campaigns": _LEDGER,
    "pools": _LEDGER,
    "workloads": _LEDGER,
}


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Entry):
    """One Parquet file of a table, written once and never changed; `day` where all its rows are of one (since 1970)."""

    name: str
    digest: str = Field(description="SHA-256 of the file")
    rows: int
    day: int | None = None


class Source(_Entry):
    """One file of traffic that was read to its end; what it gave is known without reading it again."""

    number: int
    name: str
    digest: str = Field(description="SHA-256 of its content, its format and what the names of its folders say")
    reading: str = Field(description="SHA-256 of what else decides what is read from it: mapping and joined files")
    format: str
    rows: int
    columns: tuple[str, ...] = Field(description="columns of which some row had a value")
    rejected: dict[str, int] = Field(description="records set aside, by reason")


class Manifest(_Entry):
    """One state of a store."""

    format: int = FORMAT
    number: int
    written_by: str = __version__
    sketch_version: int = SKETCH_VERSION
    key_id: str
    schemas: dict[str, str] = Field(description="of every table a digest of its columns and types")
    tables: dict[str, tuple[Part, ...]]
    sources: tuple[Source, ...] = ()
    expired: int = Field(
        default=0, description="exchanges that were read and are gone, since their day is too long ago"
    )

    @staticmethod
    def empty(key_id: str) -> Manifest:
        """The first state of a new store."""
        return Manifest(number=1, key_id=key_id, schemas=schema_digests(), tables=dict.fromkeys(SCHEMAS, ()))

    @property
    def rows(self) -> int:
        """Exchanges read, repeats among them."""
        return sum(part.rows for part in self.tables["exchanges"])

    @property
    def next_source(self) -> int:
        """The number of the next source: a new one, also where earlier sources were folded into one."""
        return max((source.number for source in self.sources), default=-1) + 1

    @property
    def absent(self) -> tuple[str, ...]:
        """Columns of exchanges of which no source had a value."""
        present = {name for source in self.sources for name in source.columns}
        return tuple(name for name in EXCHANGES.names if name not in present)

    def files(self) -> set[str]:
        """Names of every part of every table."""
        return {part.name for parts in self.tables.values() for part in parts}

    def fault(self) -> str | None:
        """Why this Stillwatch cannot add to the store, and what to do; None where it can."""
        again = "scan its sources into a new store, or go on with the Stillwatch that wrote it"
        if self.sketch_version != SKETCH_VERSION:
            return (
                f"its passages are of version {self.sketch_version} of the sketch ({self.written_by}), and this "
                f"Stillwatch ({__version__}) makes version {SKETCH_VERSION}: {again}"
            )
        for name, digest in schema_digests().items():
            if self.schemas.get(name) != digest:
                return f"its {name} have other columns ({self.written_by}) than this Stillwatch writes: {again}"
        return None


def first_no(source: int) -> int:
    """The number of a source's first exchange. Numbers count down from source to source, so that of several exchanges
    the one with the least number is of the source read last: the one whose text is likeliest at hand."""
    return (SOURCES - 1 - source) * ROWS_A_SOURCE


def place_of(exchange_no: int) -> tuple[int, int]:
    """The number of an exchange's source, and which of its exchanges it is."""
    return SOURCES - 1 - exchange_no // ROWS_A_SOURCE, exchange_no % ROWS_A_SOURCE


def schema_digests() -> dict[str, str]:
    """Of every table of a store a digest of its columns and types, as this Stillwatch writes them."""
    return {name: _digest(schema) for name, schema in SCHEMAS.items()}


def _digest(schema: pa.Schema) -> str:
    return hashlib.sha256("\n".join(f"{field.name} {field.type}" for field in schema).encode()).hexdigest()[:16]
