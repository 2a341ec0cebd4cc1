"""What a link says of a group, against kin and against people of the same country."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from stillwatch.engine import DuckDB
from stillwatch.evidence import weigh as package
from stillwatch.evidence.weigh import most_bits, weigh

ACCOUNTS = 200
MEMBERS = range(10)


@pytest.fixture
def said_of(tmp_path, monkeypatch):
    """Bits of one kind for a group of ten among two hundred, by what each account pays with and where it is from."""
    with DuckDB(tmp_path / "e") as engine:

        def run(name, card=None, country=None, exit_=None):
            numbers = list(range(ACCOUNTS))
            engine.register(
                "known_accounts",
                pa.table(
                    {
                        "account_no": numbers,
                        "payment_fingerprint": [(card or {}).get(a, f"own{a}") for a in numbers],
                        "programme": pa.nulls(ACCOUNTS, pa.string()),
                        "country": [(country or {}).get(a, "XX") for a in numbers],
                    }
                ),
            )
            engine.register(
                "traffic", pa.table({"account_no": numbers, "ip": [(exit_ or {}).get(a, f"home{a}") for a in numbers]})
            )
            engine.register("parties", pa.table({"account_no": numbers}))
            candidates = pa.table({"group_no": [0] * len(MEMBERS), "account_no": list(MEMBERS)})
            engine.register("candidates", candidates)
            monkeypatch.setattr(package, "kinds", lambda: [k for k in KINDS if k.name == name])
            [seen] = weigh(engine, candidates, frozenset())[0].observations
            return seen

        yield run


KINDS = package.kinds()


def test_pairs_on_a_card_count_less_where_pairs_are_common(said_of):
    """Five pairs among the members: telling where nobody else shares a card, and little where everybody's kin do."""
    pairs = {a: f"card{a // 2}" for a in MEMBERS}
    rare = said_of("shared_payment", card=pairs)
    common = said_of("shared_payment", card={a: f"card{a // 2}" for a in range(ACCOUNTS)})
    assert rare.counts["hit"] == common.counts["hit"] == 10
    assert rare.bits > 2
    assert common.bits < 0.5


def test_one_carriers_address_counts_less_where_the_whole_country_has_it(said_of):
    """Ten who share an address with ninety others: of everybody's a tenth, of their country's people all."""
    exit_ = dict.fromkeys(range(100), "carrier")
    everywhere = {a: f"C{a % 2}" for a in range(ACCOUNTS)}
    abroad = {a: "home" if a < 100 else "abroad" for a in range(ACCOUNTS)}
    scattered = said_of("shared_exit", exit_=exit_, country=everywhere)
    at_home = said_of("shared_exit", exit_=exit_, country=abroad)
    assert at_home.counts["expected"] > scattered.counts["expected"]
    assert at_home.bits < scattered.bits - 0.5


@pytest.fixture
def most_of(tmp_path, monkeypatch):
    """The most bits of a group of ten among two hundred against a rival, by who shares a card with whom."""
    with DuckDB(tmp_path / "most") as engine:

        def run(shown, card, against="popular_artefact"):
            numbers = list(range(ACCOUNTS))
            cards = [card.get(a, f"own{a}") for a in numbers]
            nothing = pa.nulls(ACCOUNTS, pa.string())
            engine.register(
                "known_accounts",
                pa.table(
                    {
                        "account_no": numbers,
                        "payment_fingerprint": cards,
                        "programme": nothing,
                        "country": ["XX"] * ACCOUNTS,
                    }
                ),
            )
            monkeypatch.setattr(package, "kinds", lambda: shown)
            group = np.array(MEMBERS)
            return most_bits(engine, [group], frozenset(), {}, against=("one_hand", against))[0]

        yield run


CARD, JOB_MIX = (next(k for k in KINDS if k.name == name) for name in ("shared_payment", "job_mix"))


def test_the_most_that_a_group_can_be_worth_is_what_its_links_give_and_what_else_there_may_be(most_of, said_of):
    pairs = {a: f"card{a // 2}" for a in MEMBERS}
    links = most_of([CARD], pairs)
    assert links == pytest.approx(said_of("shared_payment", card=pairs).bits)
    assert most_of([CARD, JOB_MIX], pairs) == pytest.approx(links + 1)
    assert most_of([CARD, replace(JOB_MIX, most=None)], pairs) == pytest.approx(links + 12)
    assert most_of([CARD], {}) == 0


def test_a_link_that_the_rival_explains_is_worth_nothing_against_it(most_of):
    pairs = {a: f"card{a // 2}" for a in MEMBERS}
    explained = replace(CARD, explained_by=frozenset({"popular_artefact"}))
    assert most_of([explained], pairs) == 0
    assert most_of([explained], pairs, against="cohort_event") > 2
