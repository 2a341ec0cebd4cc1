"""The time line and the deletion of what is cited, with a scan that is told what to find and notes what it is shown."""

from dataclasses import replace

import labelled
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.evaluate import cited, timeline
from stillwatch.evaluate.sent import read_sent
from stillwatch.evaluate.truth import read_truth
from stillwatch.settings import Settings
from stillwatch.tables import ACCOUNTS, MODELS, OUT_CAMPAIGNS, OUT_MEMBERSHIPS


class Scan:
    """Finds nothing before `since` scans, and then what labelled.py says; `shown` holds what each scan could read."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.shown: list[dict[str, list]] = []

    def __call__(self, request, settings, progress) -> None:
        [folder] = request.targets
        files = [p for p in ds.dataset(folder).files if "accounts" not in p and "models" not in p]
        exchanges = pa.concat_tables([pq.read_table(p, columns=["exchange_id"], partitioning=None) for p in files])
        self.shown.append({"exchanges": sorted(exchanges["exchange_id"].to_pylist())})
        for name, column in (("accounts", "account_id"), ("models", "model")):
            path = request.out.parent / folder / f"{name}.parquet"
            self.shown[-1][name] = pq.read_table(path)[column].to_pylist() if path.exists() else []
        labelled.result(request.out)
        if len(self.shown) < self.since:
            labelled.write(request.out, "campaigns", OUT_CAMPAIGNS.empty())
            labelled.write(request.out, "memberships", OUT_MEMBERSHIPS.empty())


@pytest.fixture
def scan(monkeypatch):
    def told(since: int) -> Scan:
        made = Scan(since)
        for module in (timeline, cited):
            monkeypatch.setattr(module, "scan", made)
        return made

    return told


def run(world, every=1, newest=None):
    return timeline.timeline(world, read_truth(world), read_sent(world), Settings(), every=every, newest=newest)


def test_only_what_came_last_is_judged_where_that_is_asked(world, monkeypatch):
    asked = []
    whole = timeline.scan

    def scan(request, settings, progress):
        asked.append(request.newest)
        return whole(request, settings, progress)

    monkeypatch.setattr(timeline, "scan", scan)
    of_newest = run(world, every=3, newest=1_000_000)  # more than there are: so as without
    assert set(asked) == {1_000_000}
    assert of_newest == run(world, every=3)
    assert len(run(world, every=3, newest=2).days) == len(of_newest.days)


def test_who_was_judged_in_part_counts_as_not_accused(world, scan, monkeypatch):
    scan(since=1)
    whole = run(world)
    read = timeline.read_found
    monkeypatch.setattr(
        timeline, "read_found", lambda out: replace(read(out), in_part=frozenset().union(*read(out).accused.values()))
    )
    assert whole.days[-1].accused > 0
    assert run(world).days[-1].accused == 0


def test_no_scan_sees_the_future(world, scan):
    day = labelled.timedelta(days=1)
    accounts = [{"account_id": f"m{n}", "created_at": labelled.START + n * day} for n in range(1, 5)]
    labelled.write(world, "accounts", pa.Table.from_pylist(accounts, schema=ACCOUNTS.schema))
    models = [{"model": f"r{n}", "released_at": labelled.START + n * day} for n in range(1, 5)]
    labelled.write(world, "models", pa.Table.from_pylist(models, schema=MODELS.schema))
    made = scan(since=9)
    run(world)
    ids = [f"x-{a}-" for a in labelled.ROLES]
    assert [s["exchanges"] for s in made.shown] == [
        sorted(f"{x}{n}" for x in ids for n in range(k)) for k in (1, 2, 3, 4)
    ]
    # the first scan is at the end of the day of START: what happens at the stroke of midnight is not yet known
    assert [s["accounts"] for s in made.shown] == [[], ["m1"], ["m1", "m2"], ["m1", "m2", "m3"]]
    assert [s["models"] for s in made.shown] == [[], ["r1"], ["r1", "r2"], ["r1", "r2", "r3"]]


def test_the_course_of_campaigns(world, scan):
    scan(since=2)
    told = run(world)
    a, b = told.campaigns
    assert (a.campaign, a.first_exchange, a.found_on) == ("a", "2026-02-02T00:00:00+00:00", "2026-02-03")
    assert (a.delay_days, a.members, a.accounts_active, a.accounts_accused) == (2.0, 3, 3, 3)
    # m1, m2, m3 sent two each and the victim one, of twelve
    assert (a.exchanges, a.exchanges_taken, a.share_taken) == (12, 7, 7 / 12)
    assert (b.found_on, b.delay_days, b.exchanges_taken, b.share_taken) == (None, None, 8, 1.0)
    assert (told.median_delay_days, told.worst_delay_days) == (None, None)
    assert (told.median_share_taken, told.worst_share_taken) == ((7 / 12 + 1) / 2, 1.0)
    assert [(d.day, d.exchanges, d.found, d.accused, d.innocent_accused) for d in told.days] == [
        ("2026-02-02", 10, 0, 0, 0),
        ("2026-02-03", 20, 2, 6, 3),
        ("2026-02-04", 30, 2, 6, 3),
        ("2026-02-05", 40, 2, 6, 3),
    ]
    assert [d.taken for d in told.days] == [{"a": 4, "b": 2}, {"a": 7, "b": 4}, {"a": 10, "b": 6}, {"a": 12, "b": 8}]
    assert told.innocent_accused == 3


def test_fewer_scans(world, scan):
    scan(since=1)
    told = run(world, every=3)
    assert [d.day for d in told.days] == ["2026-02-04", "2026-02-05"]
    assert (told.campaigns[0].found_on, told.campaigns[0].delay_days) == ("2026-02-04", 3.0)


def test_what_is_cited_is_removed(world, result, scan):
    made = scan(since=1)
    stands = cited.delete_cited(world, result, Settings())
    everything = {f"x-{a}-{n}" for a in labelled.ROLES for n in range(4)}
    for campaign, shown, told in zip(("C-1", "C-2"), made.shown, stands, strict=True):
        gone = {x for x, c, _ in labelled.FOUND if c == campaign}
        assert set(shown["exchanges"]) == everything - gone
        assert (told.campaign, told.removed) == (campaign, len(gone))
    # this scan finds the same again whatever it is shown: a verdict that does not rest on what it cites
    assert [(d.accused, d.accused_after, d.together_after, d.falls) for d in stands] == [
        (4, 4, 4, False),
        (2, 2, 2, False),
    ]
    assert [(d.probability, d.probability_after) for d in stands] == [(0.9, 0.9), (0.6, 0.6)]


def test_a_verdict_that_falls(world, result, scan):
    scan(since=9)
    assert [
        (d.accused_after, d.together_after, d.probability_after, d.falls)
        for d in cited.delete_cited(world, result, Settings())
    ] == [(0, 0, None, True)] * 2


def test_what_evidence_names_is_removed_too(world, result, scan):
    made = scan(since=9)
    schema = pq.read_schema(result / "evidence.parquet")
    rows = [
        {
            "evidence_id": "C-2:one_hand:x",
            "subject": "C-2",
            "claim": "one_hand",
            "kind": "x",
            "bits": 1.0,
            "rows": ["x-i4-0", "i4"],
        }
    ]
    labelled.write(result, "evidence", pa.Table.from_pylist(rows, schema=schema))
    cited.delete_cited(world, result, Settings())
    assert ["x-i4-0" in s["exchanges"] for s in made.shown] == [True, False]


def test_a_campaign_of_other_traffic(world, result, scan):
    scan(since=1)
    labelled.write(world, "exchanges", labelled.traffic(["stranger"]))
    with pytest.raises(InputError, match="holds no exchange that the result cites"):
        cited.delete_cited(world, result, Settings())
