"""What was known of accounts and models at a moment, and nothing later."""

from datetime import UTC, datetime

import pyarrow as pa

from stillwatch.evaluate.known import Known, as_of
from stillwatch.tables import ACCOUNT_EVENTS, ACCOUNTS, MODELS


def day(n: int) -> datetime:
    return datetime(2026, 2, n, tzinfo=UTC)


def then(accounts, events=(), models=()) -> Known:
    """As of the tenth."""
    return as_of(
        Known(
            pa.Table.from_pylist(list(accounts), schema=ACCOUNTS.schema),
            pa.Table.from_pylist(list(events), schema=ACCOUNT_EVENTS.schema),
            pa.Table.from_pylist(list(models), schema=MODELS.schema),
        ),
        day(10),
    )


def event(n, field, value):
    return {"account_id": "a", "time": day(n), "field": field, "value": value}


def one(accounts, events=()):
    [row] = then([accounts], events).accounts.to_pylist()
    return row


def test_what_is_created_or_released_later_is_not_known():
    accounts = [
        {"account_id": "old", "created_at": day(9)},
        {"account_id": "new", "created_at": day(10)},
        {"account_id": "undated"},
    ]
    models = [{"model": "m1", "released_at": day(9)}, {"model": "m2", "released_at": day(10)}]
    known = then(accounts, [event(9, "plan", "free"), event(10, "plan", "team")], models)
    assert known.accounts["account_id"].to_pylist() == ["old", "undated"]
    assert known.models["model"].to_pylist() == ["m1"]
    assert known.events["value"].to_pylist() == ["free"]


def test_a_later_ban_is_not_known_with_or_without_an_event():
    banned = {"account_id": "a", "status": "banned", "status_changed_at": day(12)}
    for events in ([], [event(12, "status", "banned")]):
        row = one(banned, events)
        assert (row["status"], row["status_changed_at"]) == ("active", None)


def test_an_earlier_suspension_stands_before_a_later_ban():
    row = one(
        {"account_id": "a", "status": "banned", "status_changed_at": day(12)},
        [event(12, "status", "banned"), event(4, "status", "suspended")],
    )
    assert (row["status"], row["status_changed_at"]) == ("suspended", day(4))


def test_what_happened_before_stands():
    banned = {"account_id": "a", "status": "banned", "status_changed_at": day(9)}
    assert one(banned, [event(9, "status", "banned")]) == {**dict.fromkeys(ACCOUNTS.names), **banned}


def test_a_value_that_an_event_sets_later():
    account = {"account_id": "a", "plan": "team", "country": "IN", "verification": "phone"}
    assert one(account, [event(11, "plan", "team")])["plan"] is None
    assert one(account, [event(11, "plan", "team"), event(3, "plan", "free")])["plan"] == "free"
    row = one(account, [event(11, "plan", "team"), event(3, "verification", "email")])
    assert (row["country"], row["verification"]) == ("IN", "phone")  # no later event: as it stands


def test_a_world_without_such_files():
    assert as_of(Known(None, None, None), day(3)) == Known(None, None, None)


def test_files_are_replaced_or_removed(tmp_path):
    then([{"account_id": "a", "created_at": day(1)}], models=[{"model": "m", "released_at": day(1)}]).write(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"accounts.parquet", "models.parquet"}
    Known(None, None, None).write(tmp_path)
    assert list(tmp_path.iterdir()) == []
