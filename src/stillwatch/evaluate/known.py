"""What was known of a world at a moment: its accounts, their events and the models as they stood then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch import sources
from stillwatch.tables import ACCOUNTS


@dataclass(frozen=True, slots=True)
class Known:
    """The tables beside the traffic; None where the world has no such file."""

    accounts: pa.Table | None
    events: pa.Table | None
    models: pa.Table | None

    def write(self, folder: Path) -> None:
        """Write them where a scan of the folder finds them, in place of what lies there."""
        for name, table in (("accounts", self.accounts), ("account_events", self.events), ("models", self.models)):
            path = folder / f"{name}.parquet"
            if table is not None and table.num_rows:
                pq.write_table(table, path)
            else:
                path.unlink(missing_ok=True)


def read_known(world: Path) -> Known:
    """The tables beside a world's traffic; raises InputError where one is damaged."""
    rejects = sources.Rejects(None)
    inputs = sources.discover((str(world),), rejects=rejects)
    return Known(
        sources.read_accounts(inputs.accounts, rejects) if inputs.accounts else None,
        sources.read_account_events(inputs.account_events, rejects) if inputs.account_events else None,
        sources.read_models(inputs.models, rejects) if inputs.models else None,
    )


def as_of(known: Known, moment: datetime) -> Known:
    """What was known before `moment`.

    An account is known from its creation, a model from its release. A value that an event later sets is, before it,
    what the last event before it set; without one it is not known, and a status is active. A status that changed later
    by the account's own row is active until then, or what the last event says. All else is taken as it stands.
    """
    events = None if known.events is None else known.events.filter(pc.less(known.events["time"], moment))
    models = None if known.models is None else known.models.filter(pc.less(known.models["released_at"], moment))
    if known.accounts is None:
        return Known(None, events, models)
    before, after = _split(known.events, moment)
    rows = []
    for row in known.accounts.to_pylist():
        if row["created_at"] is None or row["created_at"] < moment:
            rows.append(_then(row, before, after, moment))
    return Known(pa.Table.from_pylist(rows, schema=ACCOUNTS.schema), events, models)


# What an event, whose value is text, can set.
_TEXT = [c.name for c in ACCOUNTS.columns if c.type == pa.string() and not c.required]
Values = dict[tuple[str, str], tuple[datetime, Any]]


def _split(events: pa.Table | None, moment: datetime) -> tuple[Values, set[tuple[str, str]]]:
    """By account and field, the last value set before the moment and when; and which are set at it or later."""
    before: Values = {}
    after: set[tuple[str, str]] = set()
    if events is None:
        return before, after
    for row in events.sort_by([("time", "ascending"), ("value", "ascending")]).to_pylist():
        key = row["account_id"], row["field"]
        if row["time"] < moment:
            before[key] = row["time"], row["value"]
        else:
            after.add(key)
    return before, after


def _then(row: dict[str, Any], before: Values, after: set[tuple[str, str]], moment: datetime) -> dict[str, Any]:
    account = row["account_id"]
    then = dict(row)
    for name in _TEXT:
        if (account, name) in after:
            then[name] = before.get((account, name), (None, None))[1]
    changed = row["status_changed_at"]
    if (account, "status") in after or (changed is not None and changed >= moment):
        last = before.get((account, "status"))
        then["status"] = last[1] if last else ("active" if row["status"] is not None else None)
        then["status_changed_at"] = last[0] if last else None
    return then
