"""No single column gives the campaigns away.

Guilty and innocent draw all that is not a cause from one distribution. What remains in single columns is cause, and the
bound leaves room for it: a pool's accounts send more than the median account (how often an account_id, a key or an
exit occurs), a campaign's instruction recurs (how often a system prompt occurs), replacements are young (created_at),
bans follow conduct (status), members share cards. Some of it is chance: one busy account's client counts with all its
rows. As *values*, prompts, cards and exits are evidence and meant to be: which card it is says nothing before it is
joined to another account.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from single_column import best_balanced_accuracy

from stillwatch.simulate import simulate
from stillwatch.tables import ACCOUNTS, EXCHANGES

# Over seeds 1 to 5 at 200,000 exchanges the largest figure was 0.678 (user_agent: a few busy accounts); 0.5 is chance.
BOUND = 0.70


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("no_giveaway") / "world"
    simulate(out, exchanges=160_000, seed=29)
    return out


@pytest.fixture(scope="module")
def exchanges(world: Path) -> pa.Table:
    return pq.read_table(world / "exchanges.parquet")


@pytest.fixture(scope="module")
def guilty_exchanges(world: Path, exchanges: pa.Table) -> np.ndarray:
    truth = pq.read_table(world / "truth_exchanges.parquet")
    return np.asarray(pc.is_in(exchanges["exchange_id"], value_set=truth["exchange_id"].combine_chunks()))


@pytest.mark.parametrize("column", EXCHANGES.names)
def test_no_column_of_exchanges_tells(column: str, exchanges: pa.Table, guilty_exchanges: np.ndarray) -> None:
    assert best_balanced_accuracy(exchanges[column], guilty_exchanges) < BOUND


@pytest.mark.parametrize("column", ACCOUNTS.names)
def test_no_column_of_accounts_tells(column: str, world: Path) -> None:
    accounts = pq.read_table(world / "accounts.parquet")
    truth = pq.read_table(world / "truth_accounts.parquet")
    role = dict(zip(truth["account_id"].to_pylist(), truth["role"].to_pylist(), strict=True))
    guilty = np.array([role[a] == "member" for a in accounts["account_id"].to_pylist()])
    assert best_balanced_accuracy(accounts[column], guilty) < BOUND


def test_the_measure_sees_a_giveaway() -> None:
    guilty = np.arange(1000) % 2 == 0
    told = pa.chunked_array([pa.array(np.where(guilty, "x", "y"))])
    half_told = pa.chunked_array([pa.array(np.where(guilty & (np.arange(1000) < 500), "x", "y"))])
    assert best_balanced_accuracy(told, guilty) == 1.0
    assert best_balanced_accuracy(half_told, guilty) == pytest.approx(0.75)
