"""What joins accounts, small enough to publish: who holds which value of each kind, values as keyed hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.engine import Engine
from stillwatch.enrich import Gear
from stillwatch.evidence import Link, kinds
from stillwatch.tables import OUT_LINKS

FILE = "links.parquet"
# Of the file's schema: tells one key from another and gives none away.
KEY_ID = b"stillwatch.values"
# 64 bits: of ten million values two meet with odds of one in 370,000.
HASH_BYTES = 8
# Rows that are named and written at a time, as a row group: some 100 MB.
ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Trace:
    """A kind of value that accounts hold: `sql` gives account_no and value.

    name: as links.parquet has it. view: of evidence, "" where the value leads to its holders and weighs nothing
    further. everyone: whether values that one account alone holds are kept; they are few where an
    account has one value, and as many as exchanges otherwise. text: whether the value is a passage (a number), which is
    named as the report names it, and only where k accounts share it.
    """

    name: str
    view: str
    sql: str
    explained_by: frozenset[str] = frozenset()
    everyone: bool = False
    text: bool = False


def _of(kind: Link) -> Trace:
    everyone = all(need.startswith("accounts.") for need in kind.needs)
    return Trace(kind.name, kind.view, kind.sql, kind.explained_by, everyone)


def traces() -> tuple[Trace, ...]:
    """Every kind of link, what else an analyst may ask by, and what accounts send: each a name of its own."""
    return (
        *[_of(kind) for kind in kinds() if isinstance(kind, Link)],
        Trace(
            "organization",
            "",
            "SELECT account_no, organization_id AS value FROM known_accounts WHERE organization_id IS NOT NULL",
            everyone=True,
        ),
        Trace("key", "", "SELECT account_no, key_id AS value FROM traffic WHERE key_id IS NOT NULL",
              everyone=True),
        Trace("user_agent", "",
              "SELECT account_no, user_agent AS value FROM traffic WHERE user_agent IS NOT NULL"),
        Trace("tls_fingerprint", "",
              "SELECT account_no, tls_fingerprint AS value FROM traffic WHERE tls_fingerprint IS NOT NULL"),
        Trace("network", "",
              "SELECT account_no, network AS value FROM traffic WHERE network IS NOT NULL"),
        Trace(
            "passage",
            "",
            "SELECT c.account_no, c.passage AS value FROM carried AS c "
            "JOIN (SELECT DISTINCT passage FROM job_passages) AS j ON j.passage = c.passage",
            text=True,
        ),
        # A job is named by the least of its passages, so that its name follows from the text alone.
        Trace(
            "shared_job",
            "content",
            "SELECT a.account_no, CAST(j.passage AS VARCHAR) AS value FROM account_jobs AS a "
            "JOIN (SELECT job, min(passage) AS passage FROM job_passages GROUP BY job) AS j ON j.job = a.job",
            frozenset({"popular_artefact", "cohort_event", "reseller", "one_organisation", "evaluation"}),
        ),
    )  # fmt: skip


class Keyed:
    """Hashes of values under the key of a scan's sketch, 16 hexadecimal digits; equal values of two kinds differ."""

    def __init__(self, gear: Gear) -> None:
        self._key = hashlib.blake2b(gear.table.tobytes(), digest_size=32, person=b"stillwatch-value").digest()

    def __call__(self, kind: str, value: str) -> str:
        """The hash of one value."""
        said = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(said, digest_size=HASH_BYTES, key=self._key).hexdigest()

    @property
    def id(self) -> bytes:
        """What every scan with this key has in common."""
        return self("", "").encode()


def _rows(engine: Engine, trace: Trace, k: int) -> Iterator[pa.RecordBatch]:
    """account_id, value in clear, values (of the account), holders, known."""
    least = k if trace.text else 1 if trace.everyone else 2
    value = "value" if trace.text else "CAST(value AS VARCHAR) AS value"
    engine.create("link", f"SELECT DISTINCT account_no, {value} FROM ({trace.sql})")
    return engine.batches(
        "SELECT p.account_id, l.value, o.values, h.holders, (SELECT count(DISTINCT account_no) FROM link) AS known "
        "FROM link AS l JOIN (SELECT value, count(*) AS holders FROM link GROUP BY value) AS h ON h.value = l.value "
        "JOIN (SELECT account_no, count(*) AS values FROM link GROUP BY account_no) AS o "
        "ON o.account_no = l.account_no "
        f"JOIN parties AS p ON p.account_no = l.account_no WHERE h.holders >= {least} "
        "ORDER BY l.value, l.account_no",
        ROWS,
    )


def _named(values: pa.Array, trace: Trace, keyed: Keyed) -> pa.Array:
    """Every value under its hash, each distinct one hashed once; of what is a hash already, as the report writes it."""
    coded = values.dictionary_encode()
    if trace.text:
        names = hexadecimal(coded.dictionary)
    else:
        names = pa.array([keyed(trace.name, v) for v in coded.dictionary.to_pylist()], pa.string())
    return pc.take(names, coded.indices)


def hexadecimal(numbers: pa.Array) -> pa.Array:
    """Numbers, not negative, as 16 hexadecimal digits each."""
    bits = numbers.to_numpy().astype(">u8").view(np.uint8)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)[np.stack([bits >> 4, bits & 15], 1)]
    ends = np.arange(len(numbers) + 1, dtype=np.int32) * 16
    return pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(ends), pa.py_buffer(digits)])


def _tables(engine: Engine, keyed: Keyed, k: int) -> Iterator[pa.Table]:
    """The rows of each kind, some at a time: passages have by far the most."""
    for trace in traces():
        for batch in _rows(engine, trace, k):
            columns = {
                "account_id": batch["account_id"],
                "kind": pa.repeat(pa.scalar(trace.name), batch.num_rows),
                "value": _named(batch["value"], trace, keyed),
                "values": batch["values"],
                "holders": batch["holders"],
                "known": batch["known"],
            }
            yield pa.table(columns, schema=pa.schema([pa.field(c.name, c.type) for c in OUT_LINKS.columns]))


def write_links(engine: Engine, gear: Gear, folder: Path, k: int) -> None:
    """Write `links.parquet` from the tables that a scan leaves in the engine. k: accounts that must share a passage."""
    keyed = Keyed(gear)
    schema = pa.schema([pa.field(c.name, c.type) for c in OUT_LINKS.columns], metadata={KEY_ID: keyed.id})
    with pq.ParquetWriter(folder / FILE, schema, compression="zstd") as writer:
        for rows in _tables(engine, keyed, k):
            writer.write_table(rows.replace_schema_metadata(schema.metadata))
