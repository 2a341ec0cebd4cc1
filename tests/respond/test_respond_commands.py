"""The commands, from a scan's result to a verified audit, as a person types them."""

import json
import re
import sys
from datetime import timedelta

import pytest
from tests.scan.scan_worlds import HAND, accounts, rows, write

from stillwatch import cli
from stillwatch.respond.addresses import addresses_of
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A scan of a small world, with its store and accounts: (result, accounts file, store)."""
    folder = tmp_path_factory.mktemp("commands")
    world = write(folder / "world", rows(), accounts())
    scan(Request((str(world),), folder / "out", store=folder / "store"), Settings(threads=1))
    return folder / "out", world / "accounts.parquet", folder / "store"


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments, status=0):
        monkeypatch.setattr(sys, "argv", ["stillwatch", *map(str, arguments)])
        ended = cli.run()
        said = capsys.readouterr()
        assert ended == status, said.err
        return said.out if status == 0 else said.err

    return run


def test_everybody_who_was_seen_on_a_suspects_address_lately_is_told(result):
    day = timedelta(days=1)
    last = max(row["time"] for row in rows())

    def seen(accounts, at, days):
        return addresses_of(result[2], accounts, at, days, Settings(threads=1))

    on = seen(HAND, last, 30)
    assert set().union(*on.values()) == set(HAND)
    assert set(on) == {row["ip"] for row in rows() if row["account_id"] in HAND}
    assert seen([HAND[0]], last, 30).items() <= on.items()  # with all the others of the hand who used it
    assert any(len(of) > 1 for of in seen([HAND[0]], last, 30).values())
    assert seen(HAND, last + 31 * day, 30) == {}
    assert seen(["nobody"], last, 30) == {}


def test_from_findings_to_a_verified_audit(call, result, tmp_path):
    out, known, store = result
    policy = tmp_path / "policy.toml"
    policy.write_text("dry_run = false\n[caps]\nshare_of_accounts = 0.5\n")
    assert "give --enforce" in call("policy", "adopt", policy, "--by", "jane", "--why", "tried", status=2)
    assert "policy 2 is in force: measures are enforced" in call(
        "policy", "adopt", policy, "--by", "jane", "--why", "tried", "--enforce"
    )
    assert "dry_run = false" in call("policy", "show", "--state", "stillwatch.db")
    said = call("policy", "decide", out, "--accounts", known, "--store", store)
    assert re.search(r"\d+ decisions made, 0 ended, 1 cases opened", said)
    assert "0 decisions made" in call("policy", "decide", out, "--accounts", known, "--store", store)
    cases = call("case", "list")
    assert "campaign" in cases
    entries = [json.loads(line) for line in call("audit", "list").splitlines()]
    decisions = [e for e in entries if e["action"] == "decision" and e["body"]["subject"] in HAND]
    assert {e["body"]["subject"] for e in decisions} == set(HAND)
    heard = call("appeal", "make", decisions[0]["subject"], "we are a university", "--by", "support")
    case = re.search(r"case (K-\w+)", heard)[1]
    shown = call("case", "show", case)
    assert "The customer says: we are a university" in shown
    assert "a person has looked at it" in heard
    assert "open" in call("appeal", "list")
    assert "granted or rejected" in call("case", "close", case, "seen", "--by", "jane", "--why", "x", status=2)
    call("case", "close", case, "granted", "--by", "jane", "--why", "it is one")
    assert case in call("case", "list", "--closed")
    assert case not in call("case", "list")
    assert "V-" in call(
        "verdict", "give", out, "C-1", "explained", "--rival", "evaluation", "--by", "jane", "--why", "ours"
    )
    assert "explained by evaluation" in call("verdict", "list")
    assert "2 verdicts in" in call("verdict", "export", "verdicts.parquet")
    assert "complete reasoning step by step" in call("case", "passages", out, "C-1", "--by", "joe")
    looks = [e for e in map(json.loads, call("audit", "list").splitlines()) if e["action"] == "look"]
    assert {(e["actor"], e["subject"]) for e in looks} == {("joe", "C-1")}
    head = call("audit", "head").strip()
    assert f"{head.split(':')[0]} entries: all as written, sealed" in call("audit", "verify", "--head", head)
    wrong = f"{head.split(':')[0]}:{'0' * 64}"
    assert "not the entry that the head kept elsewhere is of" in call("audit", "verify", "--head", wrong, status=2)


def test_the_defaults_are_a_policy_that_can_be_adopted(call, tmp_path):
    shown = call("policy", "show")
    assert "#   step_up: 0.883" in shown
    (tmp_path / "policy.toml").write_text(shown)
    assert call("policy", "show", "--file", "policy.toml") == shown
    assert "a dry run" in call("policy", "adopt", "policy.toml", "--by", "jane", "--why", "the defaults")
    assert "--enforce says otherwise" in call(
        "policy", "adopt", "policy.toml", "--by", "jane", "--why", "x", "--enforce", status=2
    )


def test_what_is_wrong_is_told_in_a_line(call, tmp_path):
    assert "no state here" in call("case", "list", status=2)
    (tmp_path / "bad.toml").write_text("[caps]\naccounts = 1")
    assert "bad.toml: caps.accounts: no such setting" in call("policy", "show", "--file", "bad.toml", status=2)
    assert "is not a result of scan" in call("policy", "decide", tmp_path, status=2)
    (tmp_path / "stillwatch.db").write_bytes(b"no database" * 500)
    assert call("case", "list", status=4).count("\n") == 1
