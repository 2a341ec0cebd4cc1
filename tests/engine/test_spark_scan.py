"""A scan finds the same on Spark, wherever its tables lie and whatever days count."""

from __future__ import annotations

from pathlib import Path

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


def test_a_store_is_judged_the_same(spark_session, world, embedded, tmp_path):
    for engine in ("duckdb", "spark"):
        request = Request((str(world),), tmp_path / engine, store=tmp_path / f"store-{engine}", engine=engine)
        (tmp_path / f"store-{engine}").mkdir()
        key = tmp_path / "key"
        key.write_bytes(b"k" * 32)
        scan(request, Settings(threads=2, sketch_key_file=key))
    assert_alike(tmp_path / "spark", tmp_path / "duckdb")


@pytest.mark.parametrize(
    ("request_of", "said"),
    [
        (lambda world, out: Request((world,), out, engine="trino"), "no such engine"),
        (lambda world, out: Request((world,), out, engine="spark", join=(Path("more.csv"),)), "--join"),
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
