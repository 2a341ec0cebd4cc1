"""Rollups count what the traffic holds, whatever the order of its rows."""

from __future__ import annotations

import random
from collections import defaultdict

from enriched import built, row

TOP = 2**63 - 1


def some_rows(seed: int = 0, rows: int = 300):
    """Traffic of nine accounts; each has a passage of its own, which recurs and must never count as shared."""
    draw = random.Random(seed)
    pool = [0, 1, TOP, TOP // 16, TOP // 16 + 1, *(draw.randrange(TOP) for _ in range(80))]
    made = []
    for i in range(rows):
        account = draw.randrange(9)
        own = 1000 + account
        prompt = sorted(set(draw.choices([*pool, own], k=draw.randrange(4))))
        tokens = draw.choice([None, 5])
        system = [*draw.choices(pool, k=1), own]
        made.append(row(i, f"a{account}", prompt, output_tokens=tokens, system_prompt_passages=system))
    return made


def shared_by_hand(rows):
    accounts, exchanges = defaultdict(set), defaultdict(set)
    for r in rows:
        for p in r["prompt_passages"] + r["system_prompt_passages"]:
            accounts[p].add(r["account_id"])
            exchanges[p].add(r["exchange_no"])
    return sorted((p, len(a), len(exchanges[p])) for p, a in accounts.items() if len(a) > 1)


def shared(engine):
    rows = engine.query("SELECT passage, accounts, exchanges FROM shared ORDER BY passage").to_pylist()
    return [tuple(r.values()) for r in rows]


def test_shared_by_ranges_is_shared_over_all(tmp_path):
    rows = some_rows()
    with built(tmp_path, rows) as engine:
        assert shared(engine) == shared_by_hand(rows)
        carried = engine.query("SELECT passage, exchange_no FROM carried ORDER BY passage, exchange_no").to_pylist()
    known = {p for p, _, _ in shared_by_hand(rows)}
    by_hand = {
        (p, r["exchange_no"]) for r in rows for p in r["prompt_passages"] + r["system_prompt_passages"] if p in known
    }
    assert [tuple(c.values()) for c in carried] == sorted(by_hand)


def test_order_of_rows_never_matters(tmp_path):
    rows = some_rows(1)
    mixed = random.Random(1).sample(rows, len(rows))
    (tmp_path / "b").mkdir()
    questions = [
        "SELECT * FROM parties ORDER BY account_no",
        "SELECT * FROM account_days ORDER BY account_no, day",
        "SELECT * FROM shared ORDER BY passage",
        "SELECT exchange_no, account_no FROM traffic ORDER BY exchange_no",
    ]
    with built(tmp_path, rows) as one, built(tmp_path / "b", mixed) as other:
        for question in questions:
            assert one.query(question).equals(other.query(question)), question


def test_a_repeated_id_is_kept_once_whatever_the_order(tmp_path):
    late = row(5, "a", [1], exchange_id="same", time_us=500)
    early = row(9, "b", [2], exchange_id="same", time_us=400)
    tied = row(3, "b", [3], exchange_id="same", time_us=400, prompt_hash=None)
    other = row(1, "c", [1], exchange_id="other")
    for i, rows in enumerate(([late, early, tied, other], [tied, other, late, early], [other, early, late, tied])):
        (tmp_path / str(i)).mkdir()
        with built(tmp_path / str(i), rows, has_duplicates=True) as engine:
            kept = engine.query(
                "SELECT exchange_id, account_id, prompt_passages FROM exchanges ORDER BY exchange_id"
            ).to_pylist()
            assert [(k["exchange_id"], k["account_id"], k["prompt_passages"]) for k in kept] == [
                ("other", "c", [1]),
                ("same", "b", [2]),
            ]
            assert engine.scalar("SELECT count(*) FROM traffic") == 2


def test_account_days_of_halves_add_up_to_the_whole(tmp_path):
    rows = [r | {"day": r["exchange_no"] % 3} for r in some_rows(2)]
    total: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    question = (
        "SELECT p.account_id, d.day, d.exchanges, d.output_tokens "
        "FROM account_days AS d JOIN parties AS p ON p.account_no = d.account_no"
    )
    for i, half in enumerate((rows[:150], rows[150:])):
        (tmp_path / str(i)).mkdir()
        with built(tmp_path / str(i), half) as engine:
            for found in engine.query(question).to_pylist():
                total[found["account_id"], found["day"]][0] += found["exchanges"]
                total[found["account_id"], found["day"]][1] += found["output_tokens"]
    (tmp_path / "whole").mkdir()
    with built(tmp_path / "whole", rows) as engine:
        whole = {
            (f["account_id"], f["day"]): [f["exchanges"], f["output_tokens"]]
            for f in engine.query(question).to_pylist()
        }
    assert whole == dict(total)


def test_accounts_are_numbered_by_when_they_came(tmp_path):
    rows = [row(0, "zeta", []), row(1, "alpha", []), row(2, "zeta", [])]
    with built(tmp_path, rows) as engine:
        found = engine.query("SELECT account_no, account_id FROM parties ORDER BY account_no").to_pylist()
    assert [tuple(f.values()) for f in found] == [(0, "zeta"), (1, "alpha")]
