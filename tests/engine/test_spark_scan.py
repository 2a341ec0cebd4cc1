"""A scan finds the same on Spark, wherever its tables lie and whatever days count."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scan_alike import assert_alike

from stillwatch.errors import InputError
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings

# More than any table of accounts takes, and less than exchanges and passages do: so both homes are lived in.
BETWEEN = "500KB"


def test_findings_are_the_same(spark_session, world, embedded, tmp_path):
    expected, _ = embedded
    findings = scan(Request((str(world),), tmp_path / "out", engine="spark"), Settings(threads=2))
    assert findings.campaigns
    assert_alike(tmp_path / "out", expected)


def test_the_same_days_count(spark_session, world, tmp_path):
    """With tables on either side of the border."""
    found = {}
    for engine in ("duckdb", "spark"):
        request = Request((str(world),), tmp_path / engine, engine=engine)
        found[engine] = scan(request, Settings(threads=2, keep_days=20, spark_collect=BETWEEN))
    assert found["spark"].campaigns
    assert 0 < found["spark"].traffic.exchanges < 10_000
    assert_alike(tmp_path / "spark", tmp_path / "duckdb")


@pytest.fixture(scope="module")
def halves(world, tmp_path_factory) -> list[Path]:
    """The world in two folders, one after the other in time, all of its accounts in each."""
    exchanges = pq.read_table(world / "exchanges.parquet").sort_by("time")
    middle = len(exchanges) // 2
    folders = []
    for half in (exchanges.slice(0, middle), exchanges.slice(middle)):
        folders.append(tmp_path_factory.mktemp("half"))
        pq.write_table(half, folders[-1] / "exchanges.parquet")
        for beside in ("accounts", "account_events", "models"):
            if (world / f"{beside}.parquet").exists():
                shutil.copy(world / f"{beside}.parquet", folders[-1])
    return folders


def test_a_store_is_gone_on_with_by_the_other_engine(spark_session, halves, tmp_path):
    """And what it then holds is judged the same, under the same ids."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    settings = Settings(threads=2, sketch_key_file=key)
    for engine in ("duckdb", "spark"):
        store, out = tmp_path / f"store-{engine}", tmp_path / engine
        store.mkdir()
        scan(Request((str(halves[0]),), tmp_path / f"{engine}-before", store=store), settings)
        findings = scan(Request((str(halves[1]),), out, store=store, engine=engine), settings)
        assert findings.traffic.exchanges == 10_000
        assert findings.campaigns
    assert_alike(tmp_path / "spark", tmp_path / "duckdb")


@pytest.mark.parametrize(
    ("request_of", "said"),
    [
        (lambda world, out: Request((world,), out, engine="trino"), "no such engine"),
        (lambda world, out: Request((world,), out, engine="spark", join=(Path("more.csv"),)), "--join"),
        (
            lambda world, out: Request((f"file://{world}",), out, engine="spark", store=out / "store"),
            "a store takes files of this machine: leave --store out",
        ),
    ],
)
def test_what_spark_cannot_do_is_refused_in_a_line(request_of, said, world, tmp_path):
    with pytest.raises(InputError, match=said) as refused:
        scan(request_of(str(world), tmp_path / "out"), Settings())
    assert "\n" not in str(refused.value)


def test_without_the_extra_the_refusal_says_what_to_install(world, tmp_path, monkeypatch):
    monkeypatch.setattr("stillwatch.scan.request.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'stillwatch\[spark\]'"):
        scan(Request((str(world),), tmp_path / "out", engine="spark"), Settings())
