"""Which files are meant, and what each is."""

from __future__ import annotations

import pytest
from source_examples import EXAMPLES

from stillwatch.errors import InputError
from stillwatch.sources import Rejects, discover

BARE = {"exchange_id": ["p1"], "time": [1_770_000_000], "account_id": ["a"]}


def test_a_folder_of_many_formats(scan, write, table):
    folder = write("a.jsonl", EXAMPLES["canonical"]).parent
    write("b/litellm.log", EXAMPLES["litellm"])
    write("b/spans.json.gz", EXAMPLES["otel"])
    write("c/bedrock.zst", EXAMPLES["bedrock"])
    table("d.parquet", BARE)
    result = scan(folder)
    assert result.formats == {"canonical": 2, "litellm": 1, "otel": 1, "bedrock": 1}
    assert len(result.rows) == 2 + 2 + 3 + 2 + 1
    assert not result.rejected


def test_a_folder_gives_what_its_files_give_in_the_order_of_their_paths(scan, write):
    paths = [write(f"{name}.jsonl", [{**EXAMPLES["canonical"][0], "exchange_id": name}]) for name in ("b", "a", "c/x")]
    assert [r["exchange_id"] for r in scan(paths[0].parent).rows] == ["a", "b", "c/x"]
    assert scan(*reversed(paths)).rows == scan(paths[0].parent).rows == scan(str(paths[0].parent / "**/*.jsonl")).rows


def test_a_file_named_twice_is_read_once(scan, write):
    path = write("a.jsonl", EXAMPLES["canonical"])
    assert len(scan(path, path.parent, str(path.parent / "*")).rows) == 2


def test_what_stands_beside_traffic_is_taken_for_what_it_is_and_the_truth_never(table, write):
    folder = table("exchanges.parquet", BARE).parent
    for name in ("accounts", "account_events", "models", "truth_accounts", "truth_exchanges"):
        table(f"{name}.parquet", BARE)
    write("truth_more.jsonl", EXAMPLES["canonical"])
    write("_SUCCESS", [])
    write(".hidden/x.jsonl", EXAMPLES["canonical"])
    for targets in ([str(folder)], [str(folder / "*")]):
        rejects = Rejects(None)
        inputs = discover(targets, rejects=rejects)
        assert [f.path.name for f in inputs.traffic] == ["exchanges.parquet"]
        assert (inputs.accounts, inputs.account_events, inputs.models) == (
            folder / "accounts.parquet", folder / "account_events.parquet", folder / "models.parquet",
        )  # fmt: skip
        assert rejects.count == 0


def test_a_partition_named_as_the_target_counts_too(scan, table):
    path = table("account_id=u1/part.parquet", {k: v for k, v in BARE.items() if k != "account_id"})
    assert scan(path.parent).row["account_id"] == scan(path).row["account_id"] == "u1"


@pytest.mark.parametrize("format", sorted(EXAMPLES))
def test_the_size_of_batches_and_the_names_of_files_decide_nothing(scan, write, format):
    whole = scan(write("a.jsonl", EXAMPLES[format])).rows
    assert scan(write("a.jsonl", EXAMPLES[format]), batch_rows=1).rows == whole
    for i, record in enumerate(EXAMPLES[format][:2]):
        write(f"apart/{9 - i}.jsonl", [record])
    apart = scan(write("apart/0.jsonl", EXAMPLES[format][2:]).parent).rows if format != "otel" else whole
    assert sorted(map(str, apart)) == sorted(map(str, whole))


def test_names_that_are_not_utf_8(scan, write, tmp_path):
    path = write("a.jsonl", [{**EXAMPLES["canonical"][0], "time": 0}, *EXAMPLES["canonical"]])
    odd = path.rename(path.parent / "b\udcff.jsonl")
    result = scan(odd.parent)
    assert len(result.rows) == 2
    assert result.rejected[0]["place"].endswith("b?.jsonl:1")


def test_options_name_others(table):
    folder = table("exchanges.parquet", BARE).parent
    table("accounts.parquet", BARE)
    named = table("customers.parquet", {"account_id": ["a"]})
    rejects = Rejects(None)
    inputs = discover([str(folder)], accounts=named, rejects=rejects)
    assert (inputs.accounts, len(inputs.traffic), rejects.count) == (named, 1, 0)


def test_a_named_format_is_held_to(scan, write, table):
    path = write("a.jsonl", EXAMPLES["litellm"])
    assert len(scan(path, format="litellm").rows) == 2
    assert "none of the first 100 is of --format otel" in scan(path, format="otel").error
    assert "a Parquet file, which --format otel is not" in scan(table("b.parquet", BARE), format="otel").error
    with pytest.raises(InputError, match=r"--format yaml: no such format; use auto, canonical, litellm, otel, bedrock"):
        discover([str(path)], format="yaml", rejects=Rejects(None))


def test_a_damaged_beginning_hides_no_format(scan, write):
    result = scan(write("a.jsonl", [b"{oops"] * 40 + EXAMPLES["litellm"]))
    assert len(result.rows) == 2
    assert result.reasons == {"not JSON": 40}


def test_only_unusable_records_is_an_error_with_the_commonest_reason(scan, write):
    result = scan(write("a.jsonl", [{**EXAMPLES["canonical"][0], "time": 0}]))
    assert "no usable record; most often: time before 2020" in result.error
