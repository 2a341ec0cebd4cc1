"""Accounts, their events and models, from Parquet, JSON lines and CSV."""

from __future__ import annotations

import datetime as dt

import pytest

from stillwatch.errors import InputError
from stillwatch.sources import Rejects, read_account_events, read_accounts, read_models
from stillwatch.tables import ACCOUNT_EVENTS, ACCOUNTS, MODELS

ROWS = [
    {"account_id": "a", "created_at": "2012-03-04T05:06:07Z", "plan": "free", "status": "Active", "country": "NO"},
    {"account_id": "b", "created_at": "2025-01-01T00:00:00Z", "plan": None, "status": "banned", "country": None},
]


def files(write, table, tmp_path, rows):
    text = [
        "account_id,created_at,plan,status,country,extra",
        *(",".join([*(str(v or "") for v in r.values()), '"x\ny"']) for r in rows),
    ]
    csv = tmp_path / "accounts.csv"
    csv.write_text("\n".join(text) + "\n")
    return [
        table("accounts.parquet", {k: [r[k] for r in rows] for k in rows[0]}),
        write("accounts.jsonl", rows),
        write("accounts.jsonl.gz", rows),
        csv,
    ]


def test_accounts_of_any_kind(write, table, tmp_path):
    for path in files(write, table, tmp_path, ROWS):
        rejects = Rejects(None)
        accounts = read_accounts(path, rejects)
        assert accounts.schema.equals(ACCOUNTS.schema)
        # an account may be older than any API
        assert accounts["created_at"].to_pylist()[0] == dt.datetime(2012, 3, 4, 5, 6, 7, tzinfo=dt.UTC)
        assert accounts.select(["account_id", "plan", "status", "country"]).to_pylist() == [
            {"account_id": "a", "plan": "free", "status": "active", "country": "NO"},
            {"account_id": "b", "plan": None, "status": "banned", "country": None},
        ]
        assert rejects.count == 0


def test_a_repeated_account_is_kept_once_whatever_the_order(write):
    later = {**ROWS[0], "status": "banned", "status_changed_at": "2026-01-01T00:00:00Z"}
    for order in ([*ROWS, later], [later, *ROWS]):
        rejects = Rejects(None)
        table = read_accounts(write("accounts.jsonl", order), rejects)
        assert sorted(zip(table["account_id"].to_pylist(), table["status"].to_pylist(), strict=True)) == [
            ("a", "banned"),
            ("b", "banned"),
        ]
        assert "repeat an account_id" in rejects.warnings[0]


def test_rows_without_an_account_are_rejected_and_bad_times_left_empty(write):
    rejects = Rejects(None)
    table = read_accounts(write("accounts.jsonl", [{"plan": "free"}, {**ROWS[0], "created_at": "1970-01-01"}]), rejects)
    assert table["created_at"].to_pylist() == [None]
    assert rejects.by_reason == {"no account_id": 1}
    assert "created_at left empty" in rejects.warnings[0]


def test_csv_rows_of_another_width_are_rejected(tmp_path):
    path = tmp_path / "accounts.csv"
    path.write_bytes(b"\xef\xbb\xbfaccount_id,plan\r\na,free\r\nb\r\n\r\nc,\xff,x\r\nd,\xff\r\n")
    rejects = Rejects(None)
    assert read_accounts(path, rejects).select(["account_id", "plan"]).to_pylist() == [
        {"account_id": "a", "plan": "free"},
        {"account_id": "d", "plan": "\ufffd"},
    ]
    assert rejects.by_reason == {"a row with more or fewer fields than the header": 2}


def test_events(write):
    rows = [
        {"account_id": "a", "time": "2026-01-01T00:00:00Z", "field": "plan", "value": "pro"},
        {"account_id": "a", "field": "plan"},
    ]
    rejects = Rejects(None)
    events = read_account_events(write("events.jsonl", rows), rejects)
    assert events.schema.equals(ACCOUNT_EVENTS.schema)
    assert events["value"].to_pylist() == ["pro"]
    assert rejects.by_reason == {"no time": 1}


def test_models_keep_their_first_release(write):
    rows = [{"model": m, "released_at": f"2026-0{n}-01T00:00:00Z"} for m, n in (("x", 3), ("y", 2), ("x", 1))]
    models = read_models(write("models.jsonl", rows), Rejects(None))
    assert models.schema.equals(MODELS.schema)
    assert [(r["model"], r["released_at"].month) for r in models.to_pylist()] == [("x", 1), ("y", 2)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"PAR1", "damaged or truncated Parquet file"),
        (b"\x1f\x8bnot gzip at all", "damaged gzip file"),
        (b"name,plan\na,b\n", "required column missing for accounts: account_id"),
        (b'{"plan": "free"}\n', "no usable row of accounts"),
        (b"\0\0\0\0", "neither Parquet, JSON lines nor CSV"),
    ],
)
def test_unusable_files_are_one_line(tmp_path, content, said):
    path = tmp_path / "accounts"
    path.write_bytes(content)
    with pytest.raises(InputError) as problem:
        read_accounts(path, Rejects(None))
    assert said in str(problem.value)
    assert str(problem.value).startswith(f"{path}: ")
    with pytest.raises(InputError, match="no such file"):
        read_accounts(tmp_path / "gone", Rejects(None))
