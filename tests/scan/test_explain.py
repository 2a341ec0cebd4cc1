"""Everything that a result says of one id, in a terminal of eighty columns."""

import io

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from scan_results import Result
from scan_worlds import HAND, STRANGERS

from stillwatch.errors import InputError
from stillwatch.explain import explain
from stillwatch.report import print_explanation


def shown(result: Result, subject: str) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_explanation(explain(result.folder, subject), console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_a_campaign_its_pool_and_its_workload(small: Result):
    [campaign] = small.findings.campaigns
    assert "weighed against" in shown(small, campaign.id)
    assert campaign.id in shown(small, campaign.pools[0].id)
    assert "complete reasoning" in shown(small, campaign.workloads[0].id)


def test_accounts(small: Result):
    text = shown(small, HAND[0])
    assert "shared payment" in text
    assert "C-1" in text
    assert "Nothing was found against this account" in shown(small, STRANGERS[0])
    assert "not accused" in shown(small, STRANGERS[1])


def test_an_exchange(small: Result):
    exchange = ds.dataset(small.folder / "exchanges").to_table()["exchange_id"][0].as_py()
    assert "C-1" in shown(small, exchange)


def test_groups_that_were_cleared(small: Result):
    [group] = small.findings.cleared
    for subject in (group.id, group.pool_id, group.workload_id):
        assert "popular artefact" in shown(small, subject)


def test_every_id_in_the_tables_is_known(small: Result):
    for name, column in (("pools", "pool_id"), ("workloads", "workload_id"), ("campaigns", "campaign_id")):
        for subject in pq.read_table(small.folder / f"{name}.parquet")[column].to_pylist():
            assert subject in shown(small, subject)


@pytest.mark.parametrize("subject", ["nobody", "C-99", "", "*", "x' OR 1=1"])
def test_an_unknown_id(small: Result, subject):
    with pytest.raises(InputError, match="no account, exchange, pool, workload or campaign"):
        explain(small.folder, subject)


def test_an_unknown_id_where_no_campaign_was_found(innocent: Result):
    with pytest.raises(InputError, match="no account"):
        explain(innocent.folder, "x000001")


def test_folders_that_are_no_result(small: Result, tmp_path):
    with pytest.raises(InputError, match=r"findings.json is missing"):
        explain(tmp_path, "C-1")
    for content, reason in (
        ("{", "cannot be read"),
        ('{"schema_version": 99}', "schema version 99"),
        ("[]", "version None"),
    ):
        (tmp_path / "findings.json").write_text(content)
        with pytest.raises(InputError, match=reason):
            explain(tmp_path, "C-1")
    (tmp_path / "findings.json").write_bytes((small.folder / "findings.json").read_bytes())
    with pytest.raises(InputError, match="not a whole result"):
        explain(tmp_path, "nobody")
