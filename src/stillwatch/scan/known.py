"""What is known beside the traffic: accounts, models, earlier verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from stillwatch import sources
from stillwatch.campaigns.verdicts import Verdict, verdicts_of
from stillwatch.engine import Engine
from stillwatch.tables import ACCOUNTS, MODELS

MICROSECONDS_AN_HOUR = 3_600_000_000
MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """What was said of accounts, models and earlier findings; without rows where nothing was said."""

    accounts: pa.Table
    events: pa.Table | None
    models: pa.Table
    verdicts: list[Verdict]


def known_of(inputs: sources.Inputs, rejects: sources.Rejects, verdicts: Path | None) -> Known:
    """Read what there is; raises InputError where it cannot be."""
    return Known(
        sources.read_accounts(inputs.accounts, rejects) if inputs.accounts else ACCOUNTS.empty(),
        sources.read_account_events(inputs.account_events, rejects) if inputs.account_events else None,
        sources.read_models(inputs.models, rejects) if inputs.models else MODELS.empty(),
        verdicts_of(sources.read_verdicts(verdicts, rejects)) if verdicts else [],
    )


def account_ids(engine: Engine) -> dict[int, str]:
    """The names behind account numbers."""
    ids = engine.query("SELECT account_no, account_id FROM parties").to_pydict()
    return dict(zip(ids["account_no"], ids["account_id"], strict=True))


def register_known(engine: Engine, known: Known) -> None:
    """`known_accounts` (with account_no) and `models` (model, released_day), empty where there is no file."""
    accounts, models = known.accounts, known.models
    changed = accounts["status_changed_at"].cast(pa.int64())
    accounts = accounts.append_column("created_hour", _whole(accounts["created_at"], MICROSECONDS_AN_HOUR))
    accounts = accounts.append_column("status_changed_us", changed)
    engine.register("account_file", accounts.drop_columns(["created_at", "status_changed_at"]))
    engine.create(
        "known_accounts",
        "SELECT p.account_no, a.* EXCLUDE (account_id) "
        "FROM account_file AS a JOIN parties AS p ON p.account_id = a.account_id",
    )
    if known.events is not None:
        engine.register("account_events", known.events.set_column(1, "time_us", known.events["time"].cast(pa.int64())))
    released = models["released_at"]
    columns = {"released_day": _whole(released, MICROSECONDS_A_DAY), "released_us": released.cast(pa.int64())}
    engine.register("models", pa.table({"model": models["model"], **columns}))


def _whole(times: pa.ChunkedArray, unit: int) -> pa.Array:
    """Whole units since 1970 of times in microseconds, rounded down, before 1970 as well."""
    return pa.array([None if t is None else t // unit for t in times.cast(pa.int64()).to_pylist()], pa.int64())


def silent_accounts(engine: Engine) -> frozenset[str]:
    """Columns of the account and model files without any value, as evidence names them."""
    silent = set()
    for column in (
        "organization_id",
        "email_domain",
        "email_hash",
        "payment_fingerprint",
        "phone_hash",
        "device_fingerprint",
        "verification",
        "status",
    ):
        if engine.scalar(f"SELECT count({column}) FROM known_accounts") == 0:
            silent.add(f"accounts.{column}")
    if engine.scalar("SELECT count(created_hour) FROM known_accounts") == 0:
        silent.add("accounts.created_at")
    if engine.scalar("SELECT count(*) FROM models") == 0:
        silent.add("models.released_at")
    return frozenset(silent)
