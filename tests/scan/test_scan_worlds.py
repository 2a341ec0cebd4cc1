"""What a scan says of worlds whose truth is known: by hand, captured, and simulated."""

import csv
from collections import Counter

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from scan_results import CAPTURE, Result, scanned
from scan_worlds import HAND, STRANGERS

from stillwatch.campaigns.calibration import calibration
from stillwatch.simulate import simulate

# Seeds that nothing was tuned on; thresholds are what a release must not fall below at this size.
SEED = 53
EXCHANGES = 100_000
LEAST_ACCOUNT_PRECISION = 0.97
LEAST_ACCOUNT_RECALL = 0.9
LEAST_EXCHANGE_PRECISION = 0.95
# Of the 40 accounts that ran one pipeline through the captured proxy
LEAST_OF_CAPTURE = 36


def test_one_hand_among_strangers_is_one_campaign(small: Result):
    [campaign] = small.findings.campaigns
    assert small.accused() == set(HAND)
    assert {m.account_id for m in campaign.members} == set(HAND)
    assert campaign.exchanges == 600
    assert [f.name for f in campaign.factors] == ["one_hand", "extraction", "unsanctioned"]
    product = campaign.factors[0].probability * campaign.factors[1].probability * campaign.factors[2].probability
    assert campaign.probability == pytest.approx(calibration().of(product))
    exchanges = ds.dataset(small.folder / "exchanges", partitioning="hive").to_table()
    assert len(set(exchanges["exchange_id"].to_pylist())) == 600


def test_strangers_who_share_a_prompt_are_cleared(small: Result, innocent: Result):
    for result in (small, innocent):
        assert not result.accused() & set(STRANGERS)
        [group] = result.findings.cleared
        assert (group.verdict, group.explanation, group.accounts) == ("cleared", "popular_artefact", 60)
    assert innocent.findings.campaigns == []
    assert innocent.findings.headline[0] == "No campaign was found and nobody is accused."


def test_evidence_adds_up_to_what_is_believed(small: Result):
    """Prior and evidence of a factor are the bits against its strongest rival."""
    for factor in small.findings.campaigns[0].factors:
        total = factor.prior_bits + sum(e.bits for e in factor.evidence)
        assert total == pytest.approx(factor.rivals[0].bits, abs=0.05)


def test_the_captured_pipelines_are_one_campaign(capture: Result):
    with (CAPTURE / "truth.csv").open() as file:
        population = {row["account_id"]: row["kind"] for row in csv.DictReader(file)}
    accused = capture.accused()
    guilty = {a for a, p in population.items() if p == "distilabel-campaign"}
    assert Counter(population[a] for a in accused - guilty) == {}
    [campaign] = capture.findings.campaigns
    assert len({m.account_id for m in campaign.members} & guilty) >= LEAST_OF_CAPTURE


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder / "world", exchanges=EXCHANGES, seed=SEED)
    return scanned(folder / "world", folder / "out")


def ratio(part: set[str], whole: set[str]) -> float:
    return len(part & whole) / max(1, len(part))


@pytest.mark.slow
def test_a_simulated_world(simulated: Result):
    truth = simulated.folder.parent / "world"
    roles = pq.read_table(truth / "truth_accounts.parquet").to_pylist()
    guilty = {r["account_id"] for r in roles if r["role"] == "member"}
    taken = set(pq.read_table(truth / "truth_exchanges.parquet")["exchange_id"].to_pylist())
    accused = simulated.accused()
    found = set(ds.dataset(simulated.folder / "exchanges", partitioning="hive").to_table()["exchange_id"].to_pylist())
    assert ratio(accused, guilty) >= LEAST_ACCOUNT_PRECISION
    assert ratio(guilty, accused) >= LEAST_ACCOUNT_RECALL
    assert ratio(found, taken) >= LEAST_EXCHANGE_PRECISION


@pytest.mark.slow
def test_a_world_without_campaigns_accuses_nobody(tmp_path):
    simulate(tmp_path / "world", world="ordinary", exchanges=30_000, seed=SEED)
    result = scanned(tmp_path / "world", tmp_path / "out")
    assert result.accused() == set()
    assert result.findings.campaigns == []
