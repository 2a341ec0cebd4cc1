"""A row in, a row out: the schema, the numbers and the hashes that conversations are followed by."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from stillwatch.enrich import Gear, enrich
from stillwatch.tables import ENRICHED, EXCHANGES

GEAR = Gear.from_key()


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    base = {"time": datetime(2026, 2, 23, tzinfo=UTC), "account_id": "a"}
    full = [{"exchange_id": f"e{i}", **base, **row} for i, row in enumerate(rows)]
    return pa.RecordBatch.from_pylist(full, schema=EXCHANGES.schema)


def columns(*rows: dict[str, Any]) -> dict[str, list[Any]]:
    return enrich(batch(*rows), 0, GEAR).to_pydict()


def test_conforms_and_numbers_on():
    made = enrich(batch({"prompt": "hello"}, {}), 40, GEAR)
    assert made.schema.equals(ENRICHED.schema)
    assert made.column("exchange_no").to_pylist() == [40, 41]
    made.validate(full=True)
    assert enrich(batch(), 0, GEAR).num_rows == 0


def test_nothing_floats_and_no_text_stays():
    secret = (
        "a very private sentence that nobody but its writer should ever see again, in any table, at any time whatever"
    )
    made = enrich(batch({"prompt": secret, "system_prompt": secret, "response": secret}), 0, GEAR)
    assert secret not in str(made.to_pydict())
    assert made.column("prompt_bytes").to_pylist() == [len(secret)]
    assert not any(pa.types.is_floating(f.type) for f in made.schema)


def test_temperature_in_thousandths():
    given = [0.7, 1.0, None, float("nan"), float("inf"), 1e12]
    assert columns(*({"temperature": t} for t in given))["temperature_milli"] == [700, 1000, None, None, None, None]


def test_chat_is_followed_from_turn_to_turn():
    sent = ["user 1", "answer 1", "user 2", "answer 2", "user 3"]
    turns = columns(*({"history_hashes": sent[:n]} for n in (1, 3, 5)))
    assert turns["opening"][0] is not None and turns["opening"][1:] == [None, None]
    assert turns["history_first"][1:] == [turns["opening"][0]] * 2
    assert turns["history_before"][2] == turns["history"][1] is not None


def test_chat_with_a_system_prompt_is_followed_too():
    sent = ["system", "user 1", "answer 1", "user 2", "answer 2", "user 3"]
    turns = columns(*({"history_hashes": sent[:n]} for n in (2, 4, 6)))
    assert turns["opening"][0] is not None
    assert turns["history_second"][1:] == [turns["opening"][0]] * 2
    assert turns["history_before"][2] == turns["history"][1] is not None


def test_histories_missing_empty_and_sliced():
    rows = [{"history_hashes": h} for h in (None, [], ["a", "b", "c"], ["a"], ["a", "b", "c"])]
    made = columns(*rows)
    assert made["history"] == [None, None, made["history"][4], None, made["history"][2]]
    sliced = enrich(batch(*rows).slice(2), 0, GEAR).to_pydict()
    for name in ("history", "opening", "history_first", "history_second", "history_before"):
        assert sliced[name] == made[name][2:], name


def test_capped_is_counted():
    long = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=60_000))
    assert columns({"prompt": long}, {"system_prompt": long}, {"prompt": "short"})["capped"] == [1, 1, 0]


def test_rows_do_not_depend_on_their_batch():
    rows = [{"prompt": f"{i} " + "some words of a prompt " * i, "ip": f"203.0.113.{i}"} for i in range(9)]
    whole = enrich(batch(*rows), 0, GEAR)
    parts = [enrich(batch(*rows).slice(i, 3), i, GEAR) for i in (0, 3, 6)]
    assert pa.Table.from_batches([whole]).equals(pa.Table.from_batches(parts).combine_chunks())
