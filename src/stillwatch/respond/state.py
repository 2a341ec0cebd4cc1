"""The state of what was decided: read and changed in transactions that are whole or not at all.

    state = State.open("stillwatch.db")                      # or postgresql://…
    with state.changing("jane@example.org", at) as change:   # one writer at a time, on either database
        change.end(decision_id, "…")

Every change is in the audit, by the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, Select, func, or_, select

from stillwatch.errors import InputError
from stillwatch.respond import audit, database
from stillwatch.respond.changes import MACHINE, Change
from stillwatch.respond.compare import compared
from stillwatch.respond.decision import Decision, Measure, decision_of
from stillwatch.respond.policy import DEFAULTS, Policy, as_toml, parse_policy
from stillwatch.respond.schema import APPEALS, CASES, CITED, CYCLES, DECISIONS, HEAD, INDICATORS, POLICIES, VERDICTS
from stillwatch.respond.standing import Turned
from stillwatch.tables import VERDICTS as VERDICTS_TABLE

STATE = "stillwatch.db"


@dataclass(frozen=True, slots=True)
class Case:
    """A question for a person. closed, closed_by, outcome, why: None while it is open."""

    case_id: str
    kind: str
    subject_kind: str
    subject: str
    campaign_id: str | None
    decision_id: str | None
    opened: datetime
    text: str
    closed: datetime | None
    closed_by: str | None
    outcome: str | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Appeal:
    """A customer's appeal against a decision. holds: what may stand at most while it is open; outcome: of its case."""

    appeal_id: str
    decision_id: str
    case_id: str
    account: str | None
    made: datetime
    text: str
    holds: Measure | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Cited:
    """What a piece of evidence said when a decision was made from it, and its bits."""

    evidence_id: str
    statement: str
    bits: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A decision, and when and why it was ended before it expired."""

    decision: Decision
    ended: datetime | None
    ended_why: str | None


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a version: decisions that stand now and did not, and those that stand no more."""

    version: int
    new: tuple[Decision, ...]
    ended: tuple[Decision, ...]


class State:
    """The state in one database. Threads may share it."""

    def __init__(self, engine: Engine, key: bytes | None) -> None:
        self.engine = engine
        self._key = key

    @classmethod
    def open(cls, place: str | Path, audit_key_file: Path | None = None) -> State:
        """Open the state, made or brought up to date where needed.

        place: a file for SQLite, or the URL of a PostgreSQL database. audit_key_file: the key that seals the audit,
        made with a new state; without it, the state in `stillwatch.db` has its own in `stillwatch.db.audit-key`, and
        one in PostgreSQL has none. Raises InputError, also where the audit is sealed with another key;
        EnvironmentFailure.
        """
        url = database.url_of(place)
        engine = database.opened(url)
        file = audit_key_file or database.key_beside(url)
        try:
            with database.writing(engine) as connection:  # alone, so that the first to come makes the key
                begun = audit.head(connection).entries > 0
                key = audit.key_at(file, make=not begun) if file is not None else None
                if begun:
                    audit.fit(connection, key, file)
                else:
                    change = Change(connection, audit.Chain(connection, key), MACHINE, datetime.now(UTC))
                    change.adopt(as_toml(DEFAULTS), "the defaults, in force until another is adopted")
                    change.close()
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, key)

    def close(self) -> None:
        """Give up its connections."""
        self.engine.dispose()

    @contextmanager
    def changing(self, who: str, at: datetime | None = None) -> Iterator[Change]:
        """Change the state, in the name of a person or `stillwatch`: all that is done in the block, or nothing."""
        with database.writing(self.engine) as connection:
            change = Change(connection, audit.Chain(connection, self._key), who, at or datetime.now(UTC))
            yield change
            change.close()

    def version(self) -> int:
        """A number that grows with every change of what stands."""
        with self.engine.connect() as connection:
            return int(connection.execute(select(HEAD.c.version)).scalar_one())

    def standing(self, at: datetime) -> tuple[int, Iterable[Decision]]:
        """The version, and the decisions that were not ended and expire after `at`, dry runs among them."""
        with database.reading(self.engine) as connection:
            version = int(connection.execute(select(HEAD.c.version)).scalar_one())
            return version, standing(connection, at)

    def changes(self, version: int, at: datetime) -> Changes:
        """What changed since a version, as `standing` gave it; dry runs are left out. A decision that merely expired is
        in neither part: whoever holds it knows when it does."""
        with database.reading(self.engine) as connection:
            now = int(connection.execute(select(HEAD.c.version)).scalar_one())
            real = select(DECISIONS).where(DECISIONS.c.dry_run.is_(False)).order_by(DECISIONS.c.decision_id)
            new = real.where(DECISIONS.c.since_version > version, DECISIONS.c.ended.is_(None), DECISIONS.c.expires > at)
            ended = real.where(
                DECISIONS.c.ended_version > version, DECISIONS.c.since_version <= version, DECISIONS.c.expires > at
            )
            return Changes(now, _decisions(connection, new), _decisions(connection, ended))

    def turned(self, version: int, since: datetime, at: datetime) -> Turned:
        """What `standing(at)` has beyond `standing(since)`, which gave this version, and what it has no more."""
        of = DECISIONS.c
        # Each by one index, so that what changed is read, however much stands: SQLite would rather go through all that
        # has not expired, or is older than this version, were it asked for that besides.
        new = select(DECISIONS).where(of.since_version > version, of.ended.is_(None))
        ended = select(of.decision_id).where(of.ended_version > version)
        over = select(of.decision_id).where(of.expires > since, of.expires <= at, of.ended.is_(None))
        with database.reading(self.engine) as connection:
            now = int(connection.execute(select(HEAD.c.version)).scalar_one())
            gone = [str(row.decision_id) for chosen in (ended, over) for row in connection.execute(chosen)]
            stands = (decision for decision in _decisions(connection, new) if decision.expires > at)
            return Turned(now, tuple(stands), tuple(gone))

    def decision(self, decision_id: str) -> Kept | None:
        """A decision, whether it stands or not."""
        with database.reading(self.engine) as connection:
            row = connection.execute(select(DECISIONS).where(DECISIONS.c.decision_id == decision_id)).first()
            return None if row is None else Kept(decision_of(row), row.ended, row.ended_why)

    def decisions(self, account: str) -> list[Kept]:
        """All decisions that ever touched an account, the latest first."""
        of = select(DECISIONS).where(
            or_(
                (DECISIONS.c.subject == account) & (DECISIONS.c.subject_kind == "account"),
                DECISIONS.c.account == account,
            )
        )
        with database.reading(self.engine) as connection:
            rows = connection.execute(of.order_by(DECISIONS.c.created.desc(), DECISIONS.c.decision_id)).all()
            return [Kept(decision_of(row), row.ended, row.ended_why) for row in rows]

    def history(self) -> list[Kept]:
        """Every decision that was ever made, the earliest first."""
        with database.reading(self.engine) as connection:
            rows = connection.execute(select(DECISIONS).order_by(DECISIONS.c.created, DECISIONS.c.decision_id)).all()
            return [Kept(decision_of(row), row.ended, row.ended_why) for row in rows]

    def policy(self) -> tuple[int, Policy]:
        """The policy in force and its number."""
        with database.reading(self.engine) as connection:
            return policy_in_force(connection)

    def cited(self, decision: Decision) -> list[Cited]:
        """What the evidence said that a decision was made from, in the decision's order."""
        of = CITED.c
        chosen = select(CITED).where(of.evidence_id.in_(decision.evidence), of.made <= decision.created)
        with database.reading(self.engine) as connection:
            last = {row.evidence_id: row for row in connection.execute(chosen.order_by(of.made))}
        return [Cited(name, last[name].statement, last[name].bits) for name in decision.evidence if name in last]

    def followed(self, number: int) -> bool:
        """Whether the last cycle was decided by the policy of this number; also where there was none."""
        last = select(CYCLES.c.policy).order_by(CYCLES.c.applied.desc()).limit(1)
        with database.reading(self.engine) as connection:
            applied = connection.execute(last).scalar_one_or_none()
        return applied is None or int(applied) == number

    def said(self) -> tuple[int, int]:
        """What people said so far, by two numbers that grow with it: that of the policy in force, and of verdicts."""
        with database.reading(self.engine) as connection:
            number = select(func.max(POLICIES.c.number)).scalar_subquery()
            row = connection.execute(select(number, select(func.count()).select_from(VERDICTS).scalar_subquery())).one()
            return int(row[0]), int(row[1])

    def cases(self, *, closed: bool = False) -> list[Case]:
        """Cases that are open (or all), the oldest first."""
        chosen = select(CASES).order_by(CASES.c.opened, CASES.c.case_id)
        with database.reading(self.engine) as connection:
            rows = connection.execute(chosen if closed else chosen.where(CASES.c.closed.is_(None))).all()
            return [Case(*row) for row in rows]

    def case(self, case_id: str) -> Case:
        """One case; InputError where there is none of that id."""
        with database.reading(self.engine) as connection:
            row = connection.execute(select(CASES).where(CASES.c.case_id == case_id)).first()
        if row is None:
            raise InputError(f"{case_id}: no such case; `stillwatch case list` prints them")
        return Case(*row)

    def appeals(self) -> list[Appeal]:
        """All appeals, the oldest first."""
        with database.reading(self.engine) as connection:
            rows = connection.execute(select(APPEALS).order_by(APPEALS.c.made, APPEALS.c.appeal_id)).all()
            return [Appeal(**{**row._mapping, "holds": Measure.of(row.holds) if row.holds else None}) for row in rows]

    def verdicts(self) -> pa.Table:
        """All verdicts as a table (`tables.VERDICTS`), the earliest first."""
        with database.reading(self.engine) as connection:
            return verdicts(connection)

    def export_verdicts(self, path: Path) -> int:
        """Write the verdicts for the next scan (`scan --verdicts`) and return how many there are."""
        table = self.verdicts()
        whole = path.with_name(f".{path.name}.new")  # a scan may be about to read the one that is there
        try:
            pq.write_table(table, whole)
            whole.replace(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
        return int(table.num_rows)

    def indicators(self, at: datetime) -> list[dict[str, Any]]:
        """Indicators that were neither withdrawn nor are over at a time: kind, value, campaign_id, tlp, created,
        expires."""
        chosen = select(INDICATORS).where(INDICATORS.c.withdrawn.is_(None), INDICATORS.c.expires > at)
        with database.reading(self.engine) as connection:
            rows = connection.execute(chosen.order_by(INDICATORS.c.created, INDICATORS.c.indicator_id)).all()
            return [dict(row._mapping) for row in rows]

    def head(self) -> audit.Head:
        """Where the audit's chain ends: to be kept elsewhere."""
        with database.reading(self.engine) as connection:
            return audit.head(connection)

    def entries(self, after: int = 0) -> list[audit.Entry]:
        """Entries of the audit, from the one after `after` on."""
        with database.reading(self.engine) as connection:
            return list(audit.entries(connection, after))

    @property
    def sealed(self) -> bool:
        """Whether there is a key to seal the audit with."""
        return self._key is not None

    def verify(self, expected: audit.Head | None = None) -> tuple[int, audit.Fault | None]:
        """How many entries of the audit are whole, and the first that is not; with them, the tables are compared."""

        with database.reading(self.engine) as connection:
            return compared(connection, audit.check(connection, self._key, expected))


def _decisions(connection: Connection, chosen: Select[Any]) -> tuple[Decision, ...]:
    return tuple(decision_of(row) for row in connection.execute(chosen))


def standing(connection: Connection, at: datetime) -> tuple[Decision, ...]:
    """The decisions that were not ended and expire after `at`."""
    chosen = select(DECISIONS).where(DECISIONS.c.ended.is_(None), DECISIONS.c.expires > at)
    return _decisions(connection, chosen.order_by(DECISIONS.c.decision_id))


def policy_in_force(connection: Connection) -> tuple[int, Policy]:
    """The policy that was adopted last, and its number."""
    last = select(POLICIES).where(POLICIES.c.number == select(func.max(POLICIES.c.number)).scalar_subquery())
    row = connection.execute(last).one()
    return int(row.number), parse_policy(row.text, f"policy {row.number} of the state")


def verdicts(connection: Connection) -> pa.Table:
    """All verdicts as a table, the earliest first."""
    rows = connection.execute(select(VERDICTS).order_by(VERDICTS.c.time, VERDICTS.c.verdict_id)).all()
    made = [{**row._mapping, "accounts": json.loads(row.accounts)} for row in rows]
    return pa.Table.from_pylist(made, schema=VERDICTS_TABLE.schema)
