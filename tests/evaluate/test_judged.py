"""Every figure of the world and result written by hand (labelled.py), worked out here."""

import random

import labelled
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.errors import InputError
from stillwatch.evaluate import judge, together
from stillwatch.evaluate.figures import Evaluation


@pytest.fixture
def figures(world, result) -> Evaluation:
    return together([judge(world, result)])


def test_accounts(figures):
    a = figures.accounts
    # accused: m1, m2, m3, i1, i2, i3; guilty: m1 to m5
    assert (a.judged, a.unlabelled, a.guilty, a.accused, a.right) == (10, 0, 5, 6, 3)
    assert (a.precision, a.recall) == (3 / 6, 3 / 5)
    # by rank: m1, m2 | m3, i3 | i1, i2 | m4 | v1 | m5, i4
    steps = [(2, 2, 2), (1, 3, 4), (1, 4, 7), (1, 5, 10)]
    assert a.average_precision == pytest.approx(sum(gain / 5 * right / above for gain, right, above in steps))
    assert a.recall_at_one_in_a_thousand == 2 / 5


def test_exchanges(figures):
    x = figures.exchanges
    # found: 4 + 4 + 3 of 4 + the victim's 1; wrong: m3's fourth, i3's one, i1's and i2's two each
    assert (x.judged, x.true, x.found, x.right) == (40, 20, 18, 12)
    assert (x.precision, x.recall) == (12 / 18, 12 / 20)
    # by rank: m1, m2, v1 (9 right) | m3 and i3 (3 right, 2 wrong) | i1, i2 (4 wrong) | the rest (8 of 22)
    assert x.average_precision == pytest.approx(9 / 20 + 3 / 20 * 12 / 14 + 8 / 20 * 20 / 40)
    # m3 and v1 send both; of their 5 exchanges found 4 are right
    assert (x.mixed_accounts, x.mixed_found, x.mixed_right, x.mixed_precision) == (2, 5, 4, 4 / 5)


def test_theft(figures):
    t = figures.theft
    assert (t.exchanges, t.found, t.share_found) == (1, 1, 1.0)
    assert (t.victims, t.named, t.share_named, t.accused) == (1, 1, 1.0, 0)


def test_true_campaigns(figures):
    a, b = figures.campaigns
    assert (a.campaign, a.members, a.accused, a.recall, a.victims, a.victims_named) == ("a", 3, 3, 1.0, 1, 1)
    # of 12 true and C-1's 14 exchanges 12 are shared; of 3 members and 4 accused 3
    assert (a.exchanges, a.found, a.best, a.volume) == (12, 12, "C-1", 14)
    assert (a.jaccard_exchanges, a.jaccard_accounts) == (12 / 14, 3 / 4)
    assert a.volume_error == 2 / 12
    assert (b.accused, b.found, b.best, b.jaccard_exchanges, b.jaccard_accounts) == (0, 0, None, 0.0, 0.0)
    assert b.volume_error == -1.0


def test_found_campaigns_and_false_groups(figures):
    first, second = figures.found
    assert (first.campaign, first.accused, first.right, first.false_group) == ("C-1", 4, 3, False)
    assert (first.exchanges, first.right_exchanges, first.members, first.merges) == (14, 12, {"a": 3}, [])
    assert (second.accused, second.right, second.false_group, second.members) == (2, 0, True, {})
    g = figures.false_groups
    assert (g.found, g.false, g.accounts) == (2, 1, 5)
    # five not guilty, one false group: the bound solves (1-p)^5 + 5 p (1-p)^4 = 0.05
    assert (1 - g.upper_bound) ** 5 + 5 * g.upper_bound * (1 - g.upper_bound) ** 4 == pytest.approx(0.05)


def test_overlap(figures):
    o = figures.overlap["accounts"]
    # m1, m2, m3: three of four partners; i3, i1, i2: none. Recall: all of a, none of b
    assert o.precision == pytest.approx(3 * 3 / 4 / 6)
    assert o.recall == pytest.approx(3 / 5)
    x = figures.overlap["exchanges"]
    assert x.precision == pytest.approx(12 * 12 / 14 / 18)
    assert x.recall == pytest.approx(12 / 20)
    assert set(figures.overlap) == {"accounts", "exchanges"}


def test_populations(figures):
    told = {(p.population, p.role): (p.accounts, p.accused, p.named_victims) for p in figures.populations}
    assert told == {
        ("person", "innocent"): (2, 2, 0),
        ("class", "innocent"): (2, 1, 0),
        ("person", "victim"): (1, 0, 1),
        ("pool", "member"): (5, 3, 0),
    }


def test_calibration(figures):
    c = figures.calibration
    # within: all but m5 and i4. Bins: v1 0.1 | m4 0.3, guilty | i1, i2 0.6 | m3 0.8 guilty, i3 | m1, m2 0.9 guilty
    assert (c.within, c.campaigns_drawn) == (8, 2)
    assert c.reliability_error == pytest.approx((0.1 + 0.7 + 2 * 0.6 + 2 * 0.3 + 2 * 0.1) / 8)
    right, wrong = [0.9, 0.9, 0.8, 0.3, 0.001], [0.1, 0.6, 0.6, 0.8, 0.001]
    loss = -(np.log(right).sum() + np.log1p(-np.array(wrong)).sum()) / 10
    assert c.log_loss_ratio == pytest.approx(loss / np.log(2))
    assert c.log_loss_ratio_interval[0] < c.log_loss_ratio < c.log_loss_ratio_interval[1]


def test_pools_and_workloads_where_the_world_tells_them(world, result):
    pools = [{"account_id": a, "pool": "one"} for a in ("m1", "m2", "m3", "i3")] + [{"account_id": "i4", "pool": "two"}]
    labelled.write(world, "truth_pools", labelled.table(pools, ["account_id", "pool"]))
    jobs = [{"exchange_id": f"x-{a}-{n}", "workload": a} for a in ("m1", "m2") for n in range(4)]
    labelled.write(world, "truth_workloads", labelled.table(jobs, ["exchange_id", "workload"]))
    overlap = together([judge(world, result)]).overlap
    # pools: P-1 is right; P-2 (i1, i2) is none; of five true ones i4 is not found
    assert (overlap["pools"].precision, overlap["pools"].recall) == (4 / 6, 4 / 5)
    # workloads: W-1's 14 exchanges hold both jobs, of four exchanges each; all of those are found together
    assert overlap["workloads"].precision == pytest.approx((8 * 4 / 14) / 18)
    assert overlap["workloads"].recall == 1.0


def test_accounts_without_a_label_are_left_out(world, result):
    truth = pq.read_table(world / "truth_accounts.parquet").to_pylist()
    kept = [row for row in truth if row["account_id"] not in ("i1", "i3")]
    labelled.write(world, "truth_accounts", labelled.table(kept, ["account_id", "population", "role"]))
    figures = together([judge(world, result)])
    assert (figures.accounts.accused, figures.accounts.right, figures.accounts.unlabelled) == (4, 3, 2)
    assert (figures.exchanges.judged, figures.exchanges.found) == (32, 15)
    assert [c.accused for c in figures.found] == [3, 1]
    assert figures.notes == ["2 accounts have no label and are left out."]


def test_repeated_exchanges_are_one(world, result):
    first = together([judge(world, result)])
    labelled.write(world, "again", labelled.traffic(["i1", "m1"]))
    assert together([judge(world, result)]) == first


def test_a_result_of_other_traffic(world, result):
    labelled.write(world, "exchanges", labelled.traffic(["other"]))
    with pytest.raises(InputError, match=r"no exchange of truth_exchanges.parquet is in the world's traffic"):
        judge(world, result)
    accounts = pq.read_table(result / "accounts.parquet")
    strangers = pa.array([f"s{i}" for i in range(accounts.num_rows)])
    labelled.write(result, "accounts", accounts.set_column(0, "account_id", strangers))
    with pytest.raises(InputError, match=r"no account of the result is in truth_accounts.parquet: is .* a scan of"):
        judge(world, result)


def test_the_order_of_rows_never_matters(world, result):
    first = together([judge(world, result)])
    draw = random.Random(3)
    for path in [*world.glob("*.parquet"), *result.rglob("*.parquet")]:
        table = pq.read_table(path, partitioning=None)
        order = list(range(table.num_rows))
        draw.shuffle(order)
        pq.write_table(table.take(pa.array(order, pa.int64())), path)
    assert together([judge(world, result)]) == first


def test_worlds_together_are_their_sums(world, result):
    one = judge(world, result)
    both = together([one, one])
    assert (both.accounts.accused, both.exchanges.found, both.false_groups.false) == (12, 36, 2)
    single = together([one])
    assert both.accounts.precision == single.accounts.precision
    assert both.overlap["exchanges"].f1 == pytest.approx(single.overlap["exchanges"].f1)
    assert [c.campaign for c in both.campaigns] == ["world/a", "world/b"] * 2
    assert both.calibration.campaigns_drawn == 4


def test_a_perfect_result(world, result):
    truth = {a: float(role == "member") for a, (_, role) in labelled.ROLES.items()}
    accounts = pq.read_table(result / "accounts.parquet")
    labelled.write(
        result,
        "accounts",
        accounts.set_column(1, "probability", pa.array([*map(truth.get, accounts["account_id"].to_pylist())])),
    )
    members = [{"account_id": a, "campaign_id": c, "probability": 1.0} for a, c in labelled.MEMBERSHIPS if a != "v1"]
    schema = pq.read_schema(result / "memberships.parquet")
    labelled.write(result, "memberships", pa.Table.from_pylist(members, schema=schema))
    campaigns = [{"campaign_id": c, "probability": 1.0} for c in "ab"]
    schema = pq.read_schema(result / "campaigns.parquet")
    labelled.write(result, "campaigns", pa.Table.from_pylist(campaigns, schema=schema))
    rows = [{"exchange_id": x, "campaign_id": c, "time": labelled.START, "probability": 1.0} for x, c in labelled.TRUE]
    part = result / "exchanges" / "day=2026-02-02"
    schema = pq.read_schema(part / "part-0.parquet")
    labelled.write(part, "part-0", pa.Table.from_pylist(rows, schema=schema))
    figures = together([judge(world, result)])
    a, x = figures.accounts, figures.exchanges
    assert {a.precision, a.recall, a.average_precision, a.recall_at_one_in_a_thousand} == {1.0}
    assert {x.precision, x.recall, x.average_precision, x.mixed_precision} == {1.0}
    assert {o.f1 for o in figures.overlap.values()} == {1.0}
    assert [(c.jaccard_exchanges, c.jaccard_accounts, c.volume_error) for c in figures.campaigns] == [
        (1.0, 1.0, 0.0)
    ] * 2
    assert figures.false_groups.false == 0
    assert figures.calibration.log_loss_ratio < 0.01
