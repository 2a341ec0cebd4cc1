"""The tables of the state, as SQLAlchemy knows them; `migrations/` makes them, step by step.

Every text that is written is ASCII-safe JSON, an id, or words that a person gave; no prompt is ever here.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Column, Dialect, Float, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A time as microseconds since 1970 UTC: exact, in order, and the same on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else EPOCH + value * MICROSECOND


METADATA = MetaData()

# One row: where the chain of the audit ends, and the version of what stands. Whoever writes locks it first, so that
# writers follow one another and the chain never forks.
HEAD = Table(
    "head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("key_id", String(16)),
    Column("version", BigInteger, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("no", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Moment, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("seal", String(64)),
)

POLICIES = Table(
    "policies",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("adopted", Moment, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("text", Text, nullable=False),
)

CYCLES = Table(
    "cycles",
    METADATA,
    Column("cycle_id", String(64), primary_key=True),
    Column("applied", Moment, nullable=False),
    Column("as_of", Moment, nullable=False),
    Column("policy", Integer, nullable=False),
    Column("decisions", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("notes", Text, nullable=False),
)

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("decision_id", String(40), primary_key=True),
    Column("subject_kind", String(10), nullable=False),
    Column("subject", Text, nullable=False),
    Column("account", Text),
    Column("measure", String(20), nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("verification", String(20)),
    Column("reason", Text, nullable=False),
    Column("campaign_id", Text, nullable=False),
    Column("probability", Float(53), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("appeal", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    # Whether it put an account under a measure that was under none: what the cap by the hour counts.
    Column("newly", Boolean, nullable=False),
    Column("who", Text, nullable=False),
    Column("ended", Moment),
    Column("ended_why", Text),
    Column("since_version", BigInteger, nullable=False),
    Column("ended_version", BigInteger),
    Index("decisions_expires", "expires"),
    Index("decisions_subject", "subject"),
    Index("decisions_created", "created"),
    Index("decisions_since_version", "since_version"),
    Index("decisions_ended_version", "ended_version"),
)

# What the evidence said that a decision was made from: the findings that it names are replaced by later ones.
CITED = Table(
    "cited",
    METADATA,
    Column("cited_id", String(200), primary_key=True),
    Column("evidence_id", Text, nullable=False),
    Column("made", Moment, nullable=False),
    Column("statement", Text, nullable=False),
    Column("bits", Float(53), nullable=False),
    Index("cited_evidence", "evidence_id", "made"),
)

CASES = Table(
    "cases",
    METADATA,
    Column("case_id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("subject_kind", String(10), nullable=False),
    Column("subject", Text, nullable=False),
    Column("campaign_id", Text),
    Column("decision_id", String(40)),
    Column("opened", Moment, nullable=False),
    Column("text", Text, nullable=False),
    Column("closed", Moment),
    Column("closed_by", Text),
    Column("outcome", String(20)),
    Column("why", Text),
    Index("cases_subject", "subject"),
    Index("cases_closed", "closed"),
)

APPEALS = Table(
    "appeals",
    METADATA,
    Column("appeal_id", String(40), primary_key=True),
    Column("decision_id", String(40), nullable=False, unique=True),
    Column("case_id", String(40), nullable=False, unique=True),
    Column("account", Text),
    Column("made", Moment, nullable=False),
    Column("text", Text, nullable=False),
    Column("holds", String(20)),
    Column("outcome", String(20)),
)

VERDICTS = Table(
    "verdicts",
    METADATA,
    Column("verdict_id", String(40), primary_key=True),
    Column("time", Moment, nullable=False),
    Column("subject_kind", String(10), nullable=False),
    Column("subject", Text, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("rival", String(40)),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("accounts", Text, nullable=False),
    Column("probability", Float(53), nullable=False),
)

INDICATORS = Table(
    "indicators",
    METADATA,
    Column("indicator_id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("value", Text, nullable=False),
    Column("campaign_id", Text, nullable=False),
    Column("tlp", String(20), nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment, nullable=False),
    Column("withdrawn", Moment),
    Index("indicators_value", "value"),
)
