"""Accounts that links alone join: the same communities however accounts are numbered in their table."""

from __future__ import annotations

import pyarrow as pa
import pytest

from stillwatch.engine import DuckDB
from stillwatch.evidence import Link, kinds
from stillwatch.pools import communities

SILENT = frozenset(
    n for k in kinds() if isinstance(k, Link) for n in k.needs if n not in ("accounts.payment_fingerprint", "ip")
)


def world(engine, cards, exits, accounts=400):
    engine.register("parties", pa.table({"account_no": range(accounts)}))
    card = {a: name for name, holders in cards.items() for a in holders}
    paid = [card.get(a, f"own{a}") for a in range(accounts)]
    no_programme = pa.nulls(accounts, pa.string())
    engine.register(
        "known_accounts",
        pa.table({"account_no": list(range(accounts)), "payment_fingerprint": paid, "programme": no_programme}),
    )
    places = [(a, ip) for ip, users in exits.items() for a in users] + [(a, f"home{a}") for a in range(accounts)]
    engine.register(
        "traffic",
        pa.table({"account_no": [a for a, _ in places], "ip": [i for _, i in places], "block": [i for _, i in places]}),
    )


@pytest.fixture
def engine(tmp_path):
    with DuckDB(tmp_path / "e") as made:
        yield made


def test_a_shared_card_joins_and_a_popular_exit_does_not(engine):
    world(engine, {"card": [3, 70, 200]}, {"vpn": list(range(0, 400, 3))})
    assert [c.tolist() for c in communities(engine, SILENT)] == [[3, 70, 200]]


def test_strangers_form_none(engine):
    world(engine, {}, {})
    assert communities(engine, SILENT) == []


def test_rows_in_another_order_give_the_same(engine, tmp_path):
    cards = {"x": [1, 2, 3, 4], "y": [10, 11, 12]}
    world(engine, cards, {"exit": [1, 4, 9], "other": [10, 12]})
    first = [c.tolist() for c in communities(engine, SILENT)]
    engine.create("traffic", "SELECT * FROM traffic ORDER BY block DESC, account_no DESC")
    assert [c.tolist() for c in communities(engine, SILENT)] == first
    assert [1, 2, 3, 4] in first or any({1, 2, 3, 4} <= set(c) for c in first)
