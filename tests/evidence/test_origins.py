"""What could be one person's or one place's is numbered once, and what one account alone has is that account's own."""

from __future__ import annotations

import pyarrow as pa

from stillwatch.engine import DuckDB
from stillwatch.evidence.cells import number_origins


def test_what_several_have_is_one_number_and_what_one_has_its_own(tmp_path):
    text = pa.string()
    known = {
        "account_no": [0, 1, 2, 3, 4],
        "payment_fingerprint": pa.array(["x", "x", "y", None, None], text),
        "device_fingerprint": pa.array([None, "x", "x", None, None], text),  # the same text is another thing
        "phone_hash": pa.nulls(5, text),
        "email_hash": pa.nulls(5, text),
    }
    with DuckDB(tmp_path) as engine:
        engine.register("known_accounts", pa.table(known))
        engine.register("parties", pa.table({"account_no": [0, 1, 2, 3, 4], "exchanges": [10] * 5}))
        exits = [(0, "b", 5), (1, "b", 2), (1, "b", 3), (2, "b", 4), (3, "c", 10), (4, None, 10)]
        engine.register(
            "account_exits",
            pa.table({n: [e[i] for e in exits] for i, n in enumerate(("account_no", "block", "exchanges"))}),
        )
        number_origins(engine)
        found = engine.query("SELECT account_no, origin FROM origins").to_pylist()
    of: dict[int, set[int]] = {}
    for row in found:
        of.setdefault(row["origin"], set()).add(row["account_no"])
    assert sorted(map(sorted, of.values())) == [[0], [0, 1], [0, 1], [1], [1, 2], [2], [3]]
    assert all((number < 0) == (len(accounts) == 1) for number, accounts in of.items())
