"""Hunts over a scan's result: seeds of every sort, an innocent seed, keys, and what is printed."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from scan_results import Result, scanned
from scan_worlds import HAND, STRANGERS, accounts, rows, write

from stillwatch.errors import InputError
from stillwatch.hunt import Hunt, hunt, print_hunt, write_json
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings


@pytest.fixture
def result(small: Result) -> Path:
    return small.folder


def added(found: Hunt) -> set[str]:
    return {n.account_id for n in found.near if n.round}


def shown(found: Hunt) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_hunt(found, console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_a_member_leads_to_the_hand_and_to_nobody_else(result: Path):
    for seed in HAND:
        assert added(hunt(result, seed)) == set(HAND) - {seed}


def test_an_innocent_leads_to_nobody_and_it_is_said_how_weak_it_is(result: Path):
    for seed in STRANGERS[:20]:
        found = hunt(result, seed)
        assert added(found) == set()
        assert "Nobody is likelier than not" in shown(found)


@pytest.mark.parametrize(
    ("seed", "what", "begun"),
    [
        ("key-of-hand-03", "key", 1),
        ("203.0.1.2", "shared_exit", 10),
        ("203.0.1.0/24", "shared_block", 10),
        ("card-2", "shared_payment", 2),
        ("device-1", "shared_device", 3),
        ("C-1", "campaign", 10),
        ("W-1", "workload", 10),
    ],
)
def test_any_value_leads_to_its_holders_and_on(result: Path, seed: str, what: str, begun: int):
    found = hunt(result, seed)
    assert (found.what, found.begun) == (what, begun)
    assert {n.account_id for n in found.near} == set(HAND)


def test_a_passage_of_the_report_is_a_seed(result: Path):
    findings = json.loads((result / "findings.json").read_text())
    passage = findings["campaigns"][0]["workloads"][0]["passages"][0]["id"]
    assert {n.account_id for n in hunt(result, passage).near} == set(HAND)


def test_a_popular_value_leads_nowhere_by_itself(result: Path):
    found = hunt(result, "mail.example")
    assert found.begun == len(HAND) + len(STRANGERS)
    assert added(found) == set()


def test_why_says_how_many_hold_what(result: Path):
    found = hunt(result, HAND[0])
    one = next(n for n in found.near if n.account_id == "hand-05")
    card = next(w for w in one.why if w.kind == "shared_payment")
    assert (card.holders, card.found, card.through) == (2, 1, "hand-00")
    assert card.statement.startswith("1 of the other 9 found hold it, 2 of 130 in all")
    assert one.round == 1
    assert (one.verdict, one.campaign_id) == ("member", "C-1")
    text = shown(found)
    assert "infrastructure" in text
    assert "hand-05" in text


def test_nothing_in_clear_is_published(result: Path):
    raw = pq.read_table(result / "links.parquet").to_pylist()
    said = {str(v) for row in raw for v in (row["value"], row["kind"])}
    assert not any(word in s for s in said for word in ("203.0", "card-", "device-", "key-of", "mail.", "requests"))
    assert all(len(row["value"]) == 16 for row in raw)


def test_holders_and_values_are_counted(result: Path):
    rows = pq.read_table(result / "links.parquet").to_pylist()
    exits = [r for r in rows if r["kind"] == "shared_exit" and r["account_id"] == HAND[0]]
    assert {r["values"] for r in exits} == {len(exits)}
    assert all(2 <= r["holders"] <= 10 for r in exits)
    assert {r["known"] for r in exits} == {130}


def test_with_a_secret_key_a_clear_value_needs_the_key(tmp_path: Path):
    key = tmp_path / "sketch.key"
    key.write_bytes(bytes(range(32)))
    result = scanned(write(tmp_path / "world", rows(), accounts()), tmp_path / "out", sketch_key_file=key).folder
    assert added(hunt(result, HAND[0])) == set(HAND[1:])
    with pytest.raises(InputError, match="secret key"):
        hunt(result, "card-2")
    assert hunt(result, "card-2", key_file=key).begun == 2


def test_of_a_store_its_key_is_used(tmp_path: Path):
    world, result = write(tmp_path / "world", rows(), accounts()), tmp_path / "out"
    scan(Request((str(world),), result, store=tmp_path / "store"), Settings(threads=2))
    with pytest.raises(InputError, match="--store"):
        hunt(result, "203.0.1.2")
    assert hunt(result, "203.0.1.2", store=tmp_path / "store").begun == 10
    with pytest.raises(InputError, match="cannot read the sketch key"):
        hunt(result, "203.0.1.2", store=tmp_path)


def test_what_is_not_there_is_said_in_one_line(result: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no account, campaign"):
        hunt(result, "nobody-knows-this")
    with pytest.raises(InputError, match="not a result of scan"):
        hunt(tmp_path, HAND[0])
    (tmp_path / "findings.json").write_text("{}")
    with pytest.raises(InputError, match="scan again"):
        hunt(tmp_path, HAND[0])


def test_the_json_has_everything(result: Path, tmp_path: Path):
    found = hunt(result, HAND[0])
    write_json(found, tmp_path / "hunt.json")
    said = json.loads((tmp_path / "hunt.json").read_text())
    assert [n["account_id"] for n in said["near"]] == [n.account_id for n in found.near]
    assert said["near"][0]["why"][0].keys() >= {"kind", "view", "bits", "holders", "known", "through"}
