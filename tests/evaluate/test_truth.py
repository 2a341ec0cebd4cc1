"""Truth files that other people write are read, or refused in one line that says where."""

import labelled
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.evaluate.found import read_found
from stillwatch.evaluate.truth import read_truth


def refused(world) -> str:
    with pytest.raises(InputError) as error:
        read_truth(world)
    line = str(error.value)
    assert "\n" not in line
    return line.removeprefix(f"{world}/")


def replace(world, name, column, row, value):
    made = pq.read_table(world / f"{name}.parquet").to_pylist()
    made[row][column] = value
    names = pq.read_schema(world / f"{name}.parquet").names
    labelled.write(world, name, labelled.table(made, names))


def test_a_labelled_world(world):
    truth = read_truth(world)
    assert truth.with_role("victim") == {"v1"}
    assert truth.campaigns == {"a": {"m1", "m2", "m3", "v1"}, "b": {"m4", "m5"}}
    assert truth.exchanges.num_rows == 20
    assert truth.pools is truth.workloads is None


def test_text_in_other_types_and_repeated_rows(world):
    table = pq.read_table(world / "truth_exchanges.parquet")
    table = table.set_column(1, "campaign", table["campaign"].dictionary_encode())
    table = table.set_column(0, "exchange_id", table["exchange_id"].cast(pa.large_string()))
    labelled.write(world, "truth_exchanges", pa.concat_tables([table, table]))
    assert read_truth(world).exchanges.num_rows == 20


def test_a_world_without_campaigns(world):
    for name, columns in (
        ("truth_memberships", ["account_id", "campaign"]),
        ("truth_exchanges", ["exchange_id", "campaign"]),
    ):
        labelled.write(world, name, pa.table({c: pa.array([], pa.null()) for c in columns}))
    assert read_truth(world).campaigns == {}


def test_a_missing_file(world):
    (world / "truth_memberships.parquet").unlink()
    assert refused(world) == (
        "truth_memberships.parquet: no such file; a labelled world has truth_memberships.parquet (account_id, campaign)"
    )


def test_a_damaged_file(world):
    (world / "truth_exchanges.parquet").write_bytes(b"PAR1 and no more")
    assert refused(world).startswith("truth_exchanges.parquet: a damaged Parquet file, or none: ")


def test_a_missing_column(world):
    table = pq.read_table(world / "truth_accounts.parquet")
    labelled.write(world, "truth_accounts", table.drop_columns(["role"]))
    assert refused(world) == "truth_accounts.parquet: required column missing: role"


def test_a_column_of_numbers(world):
    labelled.write(world, "truth_exchanges", pa.table({"exchange_id": [1, 2], "campaign": ["a", "a"]}))
    assert refused(world) == "truth_exchanges.parquet, column exchange_id: holds int64; expected text"


def test_an_empty_value(world):
    replace(world, "truth_memberships", "campaign", 2, None)
    assert refused(world) == "truth_memberships.parquet, row 3, column campaign: empty; every row needs a value"


def test_an_unknown_role(world):
    replace(world, "truth_accounts", "role", 1, "attacker")
    assert refused(world) == (
        "truth_accounts.parquet, row 2, column role: 'attacker' is none of member, victim, innocent"
    )


def test_an_account_labelled_twice(world):
    replace(world, "truth_accounts", "account_id", 3, "m1")
    assert refused(world) == "truth_accounts.parquet, row 4, column account_id: 'm1' stands there a second time"


def test_a_member_that_is_not_labelled(world):
    replace(world, "truth_memberships", "account_id", 0, "nobody")
    assert refused(world) == (
        "truth_memberships.parquet, row 1, column account_id: 'nobody' is not in truth_accounts.parquet"
    )


def test_an_innocent_member(world):
    replace(world, "truth_memberships", "account_id", 0, "i1")
    assert "'i1' is innocent in truth_accounts.parquet" in refused(world)


def test_exchanges_of_a_campaign_without_accounts(world):
    replace(world, "truth_exchanges", "campaign", 5, "z")
    assert refused(world) == (
        "truth_exchanges.parquet, column campaign: 'z' has no account in truth_memberships.parquet"
    )


def test_a_folder_that_is_no_result(tmp_path, result):
    with pytest.raises(InputError, match=r"is not a result of scan: accounts\.parquet is missing"):
        read_found(tmp_path)
    (result / "memberships.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"memberships\.parquet is not of a whole result of scan: "):
        read_found(result)
