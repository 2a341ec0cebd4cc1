"""What lies in the folder after a scan, and what must never lie there."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scan_results import Result, scanned
from scan_worlds import HAND, INSTRUCTION, POPULAR, accounts, rows, write

from stillwatch import outputs
from stillwatch.outputs.document import _summary
from stillwatch.outputs.links import hexadecimal
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.tables import (
    OUT_ACCOUNTS,
    OUT_CAMPAIGNS,
    OUT_EVIDENCE,
    OUT_EXCHANGES,
    OUT_LINKS,
    OUT_MEMBERSHIPS,
    OUT_POOLS,
    OUT_WORKLOADS,
)

CANARY = "canary-7f3a walks the plank at midnight"
TABLES = {
    "accounts": OUT_ACCOUNTS,
    "memberships": OUT_MEMBERSHIPS,
    "pools": OUT_POOLS,
    "workloads": OUT_WORKLOADS,
    "campaigns": OUT_CAMPAIGNS,
    "evidence": OUT_EVIDENCE,
    "links": OUT_LINKS,
}


def everything(folder: Path) -> str:
    """All that is in the folder, tables as text."""
    parts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            parts += [json.dumps(table.to_pylist(), default=str, ensure_ascii=False), str(table.schema.metadata)]
        else:
            parts.append(path.read_text("utf-8"))
    return "\n".join(parts)


@pytest.mark.parametrize("world", ["small", "innocent"])
def test_every_output_is_there(world, request):
    folder = request.getfixturevalue(world).folder
    expected = {*(f"{name}.parquet" for name in TABLES), "exchanges", "findings.json", "report.html", "rejected.jsonl"}
    assert {p.name for p in folder.iterdir()} == expected
    assert (folder / "rejected.jsonl").read_bytes() == b""
    for name, table in TABLES.items():
        schema = pq.read_schema(folder / f"{name}.parquet")
        assert [(f.name, f.type) for f in schema] == [(c.name, c.type) for c in table.columns], name


def test_exchanges_lie_by_day(small: Result):
    folder = small.folder / "exchanges"
    assert all(p.name.startswith("day=2026-02-") for p in folder.iterdir())
    table = ds.dataset(
        folder, partitioning=ds.partitioning(pa.schema([("day", pa.string())]), flavor="hive")
    ).to_table()
    assert [(f.name, f.type) for f in table.drop_columns(["day"]).schema] == [
        (c.name, c.type) for c in OUT_EXCHANGES.columns
    ]
    for row in table.to_pylist():
        assert row["time"].strftime("%Y-%m-%d") == row["day"]
        assert row["probability"] >= 0.5


def test_the_document_is_of_its_schema(small: Result, innocent: Result):
    schema = json.loads((files("stillwatch") / "findings.schema.json").read_text("utf-8"))
    for result in (small, innocent):
        document = json.loads((result.folder / "findings.json").read_text("utf-8"))
        jsonschema.validate(document, schema)
        assert document["settings"]["k"] == 5
        assert document["sketch_key"] == "published"


def test_ids_agree_between_the_tables(small: Result):
    read = {name: pq.read_table(small.folder / f"{name}.parquet").to_pylist() for name in TABLES}
    campaigns = {r["campaign_id"] for r in read["campaigns"]}
    pools, workloads = {r["pool_id"] for r in read["pools"]}, {r["workload_id"] for r in read["workloads"]}
    assert campaigns == {"C-1"}
    for row in read["memberships"]:
        assert (row["campaign_id"] in campaigns, row["pool_id"] in pools, row["workload_id"] in workloads) == (
            True,
        ) * 3
        assert row["key_id"] == f"key-of-{row['account_id']}"
    evidence = {r["evidence_id"] for r in read["evidence"]}
    assert len(evidence) == len(read["evidence"])
    assert {r["subject"] for r in read["evidence"]} == {"C-1", *HAND}


def test_campaigns_stand_in_the_order_of_expected_loss(small: Result):
    [row] = pq.read_table(small.folder / "campaigns.parquet").to_pylist()
    [campaign] = small.findings.campaigns
    assert campaign.at_stake == campaign.output_tokens > 0
    assert campaign.expected_loss == pytest.approx(campaign.probability * campaign.output_tokens, abs=1e-3)
    assert row["expected_loss"] == campaign.expected_loss
    assert small.findings.settings["loss"] == "output_tokens"


@pytest.mark.parametrize(("probability", "said"), [(0.99996, "over 99.9%"), (0.962, "96.2%"), (0.55, "55%")])
def test_no_summary_claims_certainty(probability, said):
    judged = SimpleNamespace(judgement=SimpleNamespace(probability=probability))
    group = SimpleNamespace(workloads=[1], candidate=judged)
    told = _summary(group, [SimpleNamespace(title="Grading")], 9, {"exchanges": 9, "tokens": 9, "first": 0, "last": 0})
    assert f" is put at {said}; " in told


def test_the_loss_is_what_it_is_set_to(tmp_path):
    result = scanned(write(tmp_path / "world", rows(), accounts()), tmp_path / "out", loss="accounts")
    [campaign] = result.findings.campaigns
    assert campaign.at_stake == len(HAND)
    assert result.findings.settings["loss"] == "accounts"


def test_links_name_passages_that_k_parties_share_alone(small: Result):
    links = pq.read_table(small.folder / "links.parquet").to_pylist()
    assert min(r["holders"] for r in links if r["kind"] == "passage") >= 5


def test_only_what_k_parties_share_is_written(tmp_path):
    traffic = rows()
    secrets = [r for r in traffic if r["account_id"] in HAND[:4]]  # four are fewer than k
    for row in secrets:
        row["prompt"] += " " + CANARY
        row["system_prompt"] = f"{CANARY} {row['account_id']}"
        row["response"] = CANARY
    traffic.append({**traffic[0], "exchange_id": None, "prompt": CANARY})
    result = scanned(write(tmp_path / "world", [r for r in traffic if r["exchange_id"]], accounts()), tmp_path / "out")
    text = everything(result.folder).casefold()
    assert "canary" not in text
    assert "midnight" not in text
    assert INSTRUCTION.casefold()[:60] in text
    for word in ("act as a travel guide",):
        assert word in POPULAR.casefold()
    payloads = [r["prompt"].removeprefix(INSTRUCTION).removeprefix(POPULAR) for r in traffic]
    assert not [p for p in payloads if p[:60].casefold() in text]


def test_text_shared_by_accounts_of_four_payers_is_not_shared_by_k_parties(tmp_path):
    known = accounts()
    for row in known:
        if row["account_id"] in HAND:
            row["payment_fingerprint"] = f"card-{HAND.index(row['account_id']) % 4}"
    traffic = rows()
    for number, row in enumerate(r for r in traffic if r["account_id"] in HAND):
        row["ip"] = f"{31 + 13 * (number % 8)}.{number % 8}.7.9"  # exits in eight networks: more speaks for a pool
    result = scanned(write(tmp_path / "world", traffic, known), tmp_path / "out")
    assert result.accused() == set(HAND)
    assert "complete reasoning" not in everything(result.folder).casefold()
    # What is asked for is told all the same: its kind is nobody's text.
    (campaign,) = result.findings.campaigns
    assert {"reasoning", "grading"} <= {name for workload in campaign.workloads for name in workload.intents}


def test_set_aside_records_are_listed_without_their_text(tmp_path):
    world = write(tmp_path / "world", rows(hand=False), None)
    (world / "damaged.jsonl").write_text(
        json.dumps({"exchange_id": "y1", "account_id": "a", "time": "2026-02-02T00:00:00Z"})
        + "\n{"
        + CANARY
        + "\n"
        + json.dumps({"exchange_id": "y2", "account_id": "a", "time": CANARY})
        + "\n"
    )
    result = scanned(world, tmp_path / "out")
    listed = [json.loads(line) for line in (result.folder / "rejected.jsonl").read_text().splitlines()]
    assert [(Path(r["place"]).name, r["reason"]) for r in listed] == [
        ("damaged.jsonl:2", "not JSON"),
        ("damaged.jsonl:3", "time not understood"),
    ]
    assert result.findings.traffic.rejected == 2
    assert CANARY not in everything(result.folder)


def test_a_joined_file_beside_the_traffic_is_not_traffic(tmp_path):
    traffic = rows()
    addresses = [
        {"exchange_id": r["exchange_id"], "ip": r.pop("ip"), "time": r["time"], "account_id": "no"} for r in traffic
    ]
    world = write(tmp_path / "world", traffic, accounts())
    pq.write_table(pa.Table.from_pylist(addresses), world / "access.parquet")
    request = Request((str(world),), tmp_path / "out", join=(world / "access.parquet",))
    findings = scan(request, Settings(threads=2))
    assert findings.traffic.exchanges == len(traffic)
    assert findings.traffic.duplicates == 0
    assert "ip" not in findings.traffic.absent_columns


ASKED = """
import socket, sys
asked = []
def refused(*what, **_):
    asked.append(what)
    raise OSError("no network")
socket.getaddrinfo = socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refused
from stillwatch.cli import main
sys.argv = ["stillwatch", "scan", sys.argv[1], "--out", sys.argv[2]]
try:
    main()
except SystemExit as end:
    assert end.code in (0, 3), end.code
assert not asked, asked
"""


def test_a_scan_asks_nobody_on_the_network(tmp_path):
    """In a process of its own, in which nothing was looked up before."""
    public = [row | {"ip": f"52.95.110.{1 + i % 200}"} for i, row in enumerate(rows())]
    world = write(tmp_path / "world", public, accounts())
    command = [sys.executable, "-c", ASKED, str(world), str(tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "findings.json").exists()


def test_stages_tell_how_far_they_are(tmp_path):
    told = []
    world = write(tmp_path / "world", rows(), accounts())
    scan(Request((str(world),), tmp_path / "out"), Settings(threads=2), lambda *said: told.append(said))
    assert list(dict.fromkeys(stage for stage, *_ in told)) == [
        "enrich",
        "store",
        "carried",
        "workloads",
        "passages",
        "evidence",
        "pools",
        "members",
        "write",
    ]
    for stage in ("workloads", "evidence"):
        assert any(0 < done < total for of, done, total in told if of == stage and total)
    total = len(rows())
    assert {(stage, total, total) for stage in ("enrich", "carried")} <= set(told)


@given(st.lists(st.integers(0, 2**63 - 1), max_size=20))
def test_numbers_as_hexadecimal_digits(numbers):
    assert hexadecimal(pa.array(numbers, pa.int64())).to_pylist() == [f"{n:016x}" for n in numbers]


@pytest.mark.parametrize(("probability", "told"), [(0.0009, [0.0009, 0.0009, 0.0]), (0.02, [0.01, 0.002, 0.0])])
def test_who_belongs_to_a_group_is_asked_only_where_it_matters(probability, told):
    """Of accounts 0 and 1, of which the group would hold the one half and the other a tenth as likely."""
    group = SimpleNamespace(
        judgement=SimpleNamespace(probability=probability),
        weighed=SimpleNamespace(members=np.array([0, 1])),
        verdict="cleared",
        probabilities=probability * np.array([0.5, 0.1]),
    )
    found = SimpleNamespace(
        account_ids={0: "a", 1: "b", 2: "c"}, campaigns=[], others=[SimpleNamespace(candidate=group)]
    )
    assert outputs._looked_at(found, ())[1].tolist() == pytest.approx(told)
