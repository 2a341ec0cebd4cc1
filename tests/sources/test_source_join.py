"""Columns from a second source, and columns taken from elsewhere by a mapping file."""

from __future__ import annotations

import json
import tempfile

import pytest
from source_examples import BEDROCK, CANONICAL, LITELLM, span, spans

from stillwatch.errors import EnvironmentFailure
from stillwatch.sources import MAPPINGS, Rejects, bedrock, discover, join, litellm, otel, read
from stillwatch.tables import EXCHANGES

TRAFFIC = [{**CANONICAL, "exchange_id": f"e{i}", "ip": None if i % 2 else "192.0.2.7"} for i in range(6)]
SECOND = [{"request_id": f"e{i}", "ip": f"198.51.100.{i}", "tls_fingerprint": f"t{i}"} for i in range(4)]


@pytest.fixture
def second(write, table, tmp_path):
    csv = tmp_path / "second.csv"
    csv.write_text(
        "request_id,ip,tls_fingerprint,other\n"
        + "".join(f"{r['request_id']},{r['ip']},{r['tls_fingerprint']},x\n" for r in SECOND)
    )
    return {
        "json": write("second.json", SECOND),
        "zst": write("second.zst", SECOND),
        "parquet": table("second.parquet", {k: [r[k] for r in SECOND] for k in SECOND[0]}),
        "csv": csv,
    }


@pytest.mark.parametrize("kind", ["json", "zst", "parquet", "csv"])
def test_a_second_source_fills_what_is_missing_and_nothing_else(scan, write, second, kind):
    result = scan(write("t/t.jsonl", TRAFFIC), join=[second[kind]])
    assert [r["ip"] for r in result.rows] == [
        "192.0.2.7",
        "198.51.100.1",
        "192.0.2.7",
        "198.51.100.3",
        "192.0.2.7",
        None,
    ]
    assert [r["tls_fingerprint"] for r in result.rows] == ["t0", "t1", "t2", "t3", None, None]
    assert result.warnings[-1].endswith("4 of 6 exchanges matched; filled ip 2, tls_fingerprint 4")


def test_of_several_rows_for_one_request_the_first_to_name_a_column_gives_it(scan, write):
    rows = [
        {"id": "e1", "ip": None, "key_id": "k1"},
        {"id": "e1", "ip": "192.0.2.1", "key_id": "k2"},
        {"id": "e1", "ip": "192.0.2.2"},
    ]
    traffic = [{k: v for k, v in CANONICAL.items() if k not in ("ip", "key_id")}]
    row = scan(write("t/t.jsonl", traffic), join=[write("second.jsonl", rows)]).row
    assert (row["key_id"], row["ip"]) == ("k1", "192.0.2.1")


def test_batches_and_order_do_not_matter(scan, write, second):
    path = write("t/t.jsonl", TRAFFIC)
    whole = scan(path, join=[second["json"]]).rows
    assert scan(path, join=[second["json"]], batch_rows=1).rows == whole
    backwards = scan(write("t/t.jsonl", TRAFFIC[::-1]), join=[write("second.json", SECOND[::-1])]).rows
    assert backwards[::-1] == whole


def test_a_second_source_may_supply_what_is_required(scan, write, table):
    item = span(1, gen_ai__operation__name="chat", gen_ai__system="x", gen_ai__response__id="r1")
    other = write("second.jsonl", [{"id": "r1", "account_id": "u1"}])
    assert scan(write("t/t.jsonl", [spans(item)]), join=[other]).row["account_id"] == "u1"
    path = table("t.parquet", {"exchange_id": ["r1", "r2"], "prompt": ["x", "y"]})
    supply = write("third.jsonl", [{"id": "r1", "account_id": "u1", "time": 1_770_000_000}])
    result = scan(path, join=[supply])
    assert result.row["exchange_id"] == "r1"
    assert result.reasons == {"no time": 1}


def test_a_second_source_in_a_named_format(scan, write):
    content = [{"exchange_id": "chatcmpl-1", "time": 1_770_000_000, "account_id": "own", "ip": None}]
    row = scan(write("t/t.jsonl", content), join=[write("second.jsonl", [LITELLM])]).row
    assert (row["account_id"], row["ip"], row["model"]) == ("own", "192.0.2.7", "atlas-mini")
    assert len(row["history_hashes"]) == 5


@pytest.mark.parametrize("name", ["chatcmpl-9", "trace-9", "chatcmpl-9/trace-9"])
def test_a_request_that_two_ids_name_is_found_by_either(scan, write, name):
    logged = {**LITELLM, "id": "chatcmpl-9", "trace_id": "trace-9"}
    row = scan(write("t/t.jsonl", [logged]), join=[write("second.jsonl", [{"id": name, "tls_fingerprint": "t9"}])]).row
    assert (row["exchange_id"], row["tls_fingerprint"]) == ("chatcmpl-9/trace-9", "t9")


def test_the_second_source_in_the_same_folder_is_not_traffic(scan, write):
    path = write("t/t.jsonl", TRAFFIC)
    second = write("t/second.jsonl", SECOND)
    result = scan(path.parent, join=[second])
    assert len(result.rows) == 6
    assert not result.rejected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty file"),
        (b"a,b\n1,2\n", "no request id; name the column exchange_id"),
        (b"PAR1", "damaged or truncated Parquet file"),
        (b'{"exchange_id": "e1"}\n', "no row with an id and a column of exchanges"),
    ],
)
def test_an_unusable_second_source_is_one_line(scan, write, tmp_path, content, said):
    other = tmp_path / "second"
    other.write_bytes(content)
    result = scan(write("t/t.jsonl", TRAFFIC), join=[other])
    assert result.error.startswith("--join ")
    assert said in result.error


def test_a_full_disk_is_a_failure_of_the_machine(scan, write, second, monkeypatch):
    path = write("t/t.jsonl", TRAFFIC)
    monkeypatch.setattr(join, "CACHE", "PRAGMA max_page_count = 1")
    with pytest.raises(EnvironmentFailure, match="cannot hold the joined file: database or disk is full"):
        scan(path, join=[second["json"]])
    monkeypatch.setattr(tempfile, "tempdir", "/gone")
    with pytest.raises(EnvironmentFailure, match="no temporary folder for the joined file"):
        scan(path, join=[second["json"]])


def test_nothing_is_left_behind(scan, write, second, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    rejects = Rejects(None)
    inputs = discover([str(write("t/t.jsonl", TRAFFIC))], rejects=rejects)
    batches = read(inputs, rejects=rejects, join=[second["json"]], batch_rows=1)
    next(batches)
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    batches.close()
    assert not list((tmp_path / "temporary").iterdir())


def test_many_joined_rows_are_found(scan, write, table):
    count = 5_000
    other = table(
        "second.parquet", {"exchange_id": [f"e{i}" for i in range(count)], "key_id": [f"k{i}" for i in range(count)]}
    )
    path = table(
        "t.parquet",
        {"exchange_id": [f"e{i}" for i in range(count)], "time": [1_770_000_000] * count, "account_id": ["a"] * count},
    )
    assert [r["key_id"] for r in scan(path, join=[other], batch_rows=2_000).rows] == [f"k{i}" for i in range(count)]


def mapped(tmp_path, text):
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    return path


def test_a_mapping_file_overrides(scan, write, tmp_path):
    mapping = mapped(
        tmp_path,
        'key_id = ["tenant.key", "metadata.user_api_key_alias", "metadata.user_api_key_hash"]\n'
        '[otel]\naccount_id = "tenant.id"\n[bedrock]\naccount_id = ["requestMetadata.tenant", "accountId"]\n',
    )
    item = span(1, gen_ai__operation__name="chat", gen_ai__system="x", tenant__id="t1", tenant__key="k1", user__id="u1")
    other = span(2, gen_ai__operation__name="chat", gen_ai__system="x", user__id="u1")
    write("a.jsonl", [spans(item, other)])
    write("b.jsonl", [LITELLM])
    path = write("c.jsonl", [{**BEDROCK, "requestMetadata": {"tenant": "t2"}}, {**BEDROCK, "requestId": "r2"}])
    result = scan(path.parent, mapping=mapping)
    assert [(r["account_id"], r["key_id"]) for r in result.rows] == [
        ("t1", "k1"), ("u1", "hash1"), ("t2", None), ("123456789012", None),
    ]  # fmt: skip
    # identifiers from two places do not mix: the span without tenant.id has no account
    assert result.reasons == {"no account_id": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("account = 'x'", "account is no column of exchanges"),
        ("account_id = 3", 'account_id must be "a place" or a list of places'),
        ("account_id = []", 'account_id must be "a place" or a list of places'),
        ("[yaml]\naccount_id = 'x'", r"[yaml] is no format with a mapping"),
        ("account_id =", "the mapping file is not TOML"),
    ],
)
def test_an_unusable_mapping_is_one_line(scan, write, tmp_path, text, said):
    result = scan(write("t.jsonl", [LITELLM]), mapping=mapped(tmp_path, text))
    assert said in result.error
    assert scan(write("t.jsonl", [LITELLM]), mapping=tmp_path / "gone.toml").error.startswith(
        f"{tmp_path / 'gone.toml'}: cannot read"
    )


def test_every_mapping_names_columns_of_exchanges_once():
    for name, rows in MAPPINGS.items():
        columns = [column for column, _, _ in rows]
        assert set(columns) <= set(EXCHANGES.names), name
        assert len(columns) == len(set(columns)), name
        assert {c.name for c in EXCHANGES.columns if c.required} <= set(columns), name


@pytest.mark.parametrize(
    "mapping", [m for m in otel.MAPPING if not m.made and m.column != "account_id"], ids=lambda m: m.column
)
def test_each_attribute_of_the_otel_table_is_read(scan, write, mapping):
    kind = EXCHANGES.schema.field(mapping.column).type
    value = {"int32": 3, "double": 0.5, "bool": True}.get(str(kind), "value")
    for path in mapping.paths:
        name, _, inner = path.partition(": ")
        named = {name.replace(".", "__"): json.dumps({inner: value}) if inner else value}
        item = span(1, openinference__span__kind="LLM", user__id="u1", **named)
        assert scan(write("t.jsonl", [spans(item)])).row[mapping.column] == value


BARE = {
    "litellm": {
        "id": "e",
        "call_type": "completion",
        "startTime": 1_770_000_000,
        "metadata": {"user_api_key_hash": "h"},
    },
    "bedrock": {
        "schemaType": "ModelInvocationLog",
        "requestId": "e",
        "timestamp": 1_770_000_000,
        "identity": {"arn": "arn:aws:iam::1:user/u"},
    },
}


@pytest.mark.parametrize(
    ("format", "mapping"),
    [
        (f.NAME, m)
        for f in (litellm, bedrock)
        for m in f.MAPPING
        if not m.made and m.column not in ("exchange_id", "time")
    ],
    ids=lambda value: getattr(value, "column", value),
)
def test_each_path_of_the_tables_is_read(scan, write, format, mapping):
    kind = EXCHANGES.schema.field(mapping.column).type
    value = {"int32": 3, "double": 0.5, "bool": True}.get(str(kind), "value")
    for path in mapping.paths:
        record = json.loads(json.dumps(BARE[format]))
        *way, last = path.split(".")
        target = record
        for key in way:
            target = target.setdefault(key, {})
        target[last] = value
        assert scan(write("t.jsonl", [record])).row[mapping.column] == value
