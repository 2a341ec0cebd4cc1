"""Rollups count what the traffic holds, whatever the order of its rows."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest
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


@pytest.mark.parametrize("local", [False, True])
def test_shared_by_ranges_is_shared_over_all(tmp_path, local):
    rows = some_rows()
    with built(tmp_path, rows, local=local) as engine:
        assert shared(engine) == shared_by_hand(rows)
        question = "SELECT c.passage, c.exchange_no, p.account_id, c.prompt_hash FROM carried AS c JOIN parties AS p"
        carried = engine.query(f"{question} ON p.account_no = c.account_no ORDER BY ALL").to_pylist()
    known = {p for p, _, _ in shared_by_hand(rows)}
    by_hand = {
        (p, r["exchange_no"], r["account_id"], r["prompt_hash"])
        for r in rows
        for p in r["prompt_passages"] + r["system_prompt_passages"]
        if p in known
    }
    assert [tuple(c.values()) for c in carried] == sorted(by_hand)


@pytest.mark.parametrize("local", [False, True])
def test_what_stands_seldom_is_not_shared(tmp_path, local):
    """As many occurrences as are asked, wherever in an exchange, and of two accounts."""
    rows = some_rows(2)
    often = Counter(p for r in rows for p in r["prompt_passages"] + r["system_prompt_passages"])
    expected = [(p, a, e) for p, a, e in shared_by_hand(rows) if often[p] >= 5]
    assert 0 < len(expected) < len(shared_by_hand(rows))
    with built(tmp_path, rows, local=local, least=5) as engine:
        assert shared(engine) == expected
        carried = {c["passage"] for c in engine.query("SELECT passage FROM carried").to_pylist()}
        assert carried == {p for p, _, _ in expected}


@pytest.mark.parametrize("local", [False, True])
def test_where_nothing_is_shared_nothing_is_found(tmp_path, local):
    with built(tmp_path, [row(0, "a", [1]), row(1, "a", [1]), row(2, "b", [])], local=local) as engine:
        assert shared(engine) == []
        assert engine.scalar("SELECT count(*) FROM carried") == 0


@pytest.mark.parametrize("local", [False, True])
def test_different_prompts_are_counted_and_a_missing_one_is_none(tmp_path, local):
    """Of passage 1 three prompts, one twice and one missing; of passage 2, in system prompts alone, none."""
    prompts = [(0, "a", 5), (1, "b", 5), (2, "a", 6), (3, "b", 8), (4, "a", None)]
    rows = [row(no, account, [1], prompt_hash=prompt) for no, account, prompt in prompts]
    rows += [row(no, account, [], system_prompt_passages=[2], prompt_hash=None) for no, account in ((5, "a"), (6, "b"))]
    with built(tmp_path, rows, local=local) as engine:
        found = engine.query("SELECT passage, prompts FROM shared ORDER BY passage").to_pylist()
    assert [tuple(f.values()) for f in found] == [(1, 3), (2, 0)]


def test_what_a_repeat_carries_is_not_counted(tmp_path):
    rows = [row(0, "a", [1], exchange_id="same"), row(1, "b", [1], exchange_id="same"), row(2, "a", [1])]
    rows.append(row(3, "b", [2]))
    for local in (False, True):
        (tmp_path / str(local)).mkdir()
        with built(tmp_path / str(local), rows, has_duplicates=True, local=local) as engine:
            assert shared(engine) == []


@pytest.mark.parametrize("local", [False, True])
def test_what_days_that_do_not_count_carry_is_not_counted(tmp_path, local):
    rows = [row(0, "a", [1], day=1), row(1, "b", [1, 2], day=2), row(2, "a", [2], day=2), row(3, "c", [2], day=3)]
    with built(tmp_path, rows, local=local, since=2) as engine:
        assert shared(engine) == [(2, 3, 3)]


def test_order_of_rows_never_matters(tmp_path):
    rows = some_rows(1)
    mixed = random.Random(1).sample(rows, len(rows))
    (tmp_path / "b").mkdir()
    questions = [
        "SELECT * FROM parties ORDER BY account_no",
        "SELECT * FROM shared ORDER BY passage",
        "SELECT exchange_no, account_no FROM traffic ORDER BY exchange_no",
    ]
    with built(tmp_path, rows) as one, built(tmp_path / "b", mixed, local=True) as other:
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


def test_accounts_are_numbered_by_when_they_came(tmp_path):
    rows = [row(0, "zeta", []), row(1, "alpha", []), row(2, "zeta", [])]
    with built(tmp_path, rows) as engine:
        found = engine.query("SELECT account_no, account_id FROM parties ORDER BY account_no").to_pylist()
    assert [tuple(f.values()) for f in found] == [(0, "zeta"), (1, "alpha")]
