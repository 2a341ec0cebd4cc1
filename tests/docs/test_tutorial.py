"""The tutorial's records and files are read as it says."""

import json
import re
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from stillwatch.evidence import Link
from stillwatch.evidence.kind import linkage
from stillwatch.sources import FORMATS, Rejects, discover, read, read_accounts, read_models

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")


def titled(text: str) -> dict[str, str]:
    """The fenced blocks that have a title, by it."""
    found = re.finditer(r'^( *)```\w+ title="([^"]+)"\n(.*?)^\1```$', text, re.M | re.S)
    return {m[2]: dedent(m[3]) for m in found}


BLOCKS = titled(TUTORIAL)


@pytest.fixture
def first(tmp_path):
    """The first exchange of a file with one of the tutorial's records, read as a scan does."""

    def read_first(name: str, **options):
        path = tmp_path / name
        path.write_text(json.dumps(json.loads(BLOCKS[name])) + "\n", "utf-8")
        with Rejects(None) as rejects:
            inputs = discover([str(path)], rejects=rejects)
            [batch] = read(inputs, rejects=rejects, **options)
            assert rejects.by_reason == {}
        return inputs, batch.to_pylist()[0]

    return read_first


def test_every_format_has_an_example():
    assert set(FORMATS) == {name.removesuffix(".jsonl") for name in BLOCKS if name.endswith(".jsonl")}


@pytest.mark.parametrize("name", FORMATS)
def test_an_example_is_told_and_read(name, first):
    inputs, row = first(f"{name}.jsonl")
    assert inputs.formats == {name: 1}
    assert row["account_id"] == ("acct-19" if name != "bedrock" else row["account_id"])
    assert (row["prompt"], row["model"]) == ("A train leaves at noon …", "large-2")
    assert (row["ip"] is None) == (name == "bedrock")


def test_the_second_source_is_joined(first, tmp_path):
    (tmp_path / "access.csv").write_text(BLOCKS["access.csv"], "utf-8")
    _, row = first("bedrock.jsonl", join=[tmp_path / "access.csv"])
    assert row["ip"] == "192.0.2.7"
    assert row["tls_fingerprint"].startswith("t13d")


def test_the_mapping_file_is_taken(first, tmp_path):
    assert tomllib.loads(BLOCKS["mapping.toml"])["otel"]["account_id"] == ["billing.account", "user.id"]
    (tmp_path / "mapping.toml").write_text(BLOCKS["mapping.toml"], "utf-8")
    _, row = first("otel.jsonl", mapping=tmp_path / "mapping.toml")
    assert row["account_id"] == "acct-19"


def test_the_account_and_model_files_are_read(tmp_path):
    for name in ("accounts.csv", "models.csv"):
        (tmp_path / name).write_text(BLOCKS[name], "utf-8")
    with Rejects(None) as rejects:
        assert read_accounts(tmp_path / "accounts.csv", rejects)["account_id"].to_pylist() == ["acct-19", "acct-20"]
        assert read_models(tmp_path / "models.csv", rejects).num_rows == 1
        assert rejects.by_reason == {}
        assert rejects.warnings == []


def test_the_worked_example_of_a_kind_of_evidence_holds():
    code = titled((ROOT / "CONTRIBUTING.md").read_text("utf-8"))["src/stillwatch/evidence/shared_temperature.py"]
    names: dict[str, object] = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    kind = names["KIND"]
    assert isinstance(kind, Link)
    for example in kind.examples:
        bits = linkage(**example.counts)
        assert bits >= example.least if example.least is not None else bits <= example.most
