"""No single column gives the campaigns away.

Guilty and innocent draw all that is not a cause from one distribution. What remains in single columns is cause, and the
bound leaves room for it: a pool's accounts send more than the median account (how often an account_id, a key or an
exit occurs), a campaign's instruction recurs (how often a system prompt occurs), replacements are young (created_at),
bans follow conduct (status), members share cards. Some of it is chance: one busy account's client counts with all its
rows. As *values*, prompts, cards and exits are evidence and meant to be: which card it is says nothing before it is
joined to another account.
"""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from single_column import best_balanced_accuracy

from stillwatch.simulate import WORLDS, simulate
from stillwatch.tables import ACCOUNTS, EXCHANGES

# Over seeds 1 to 5 at 160,000 to 200,000 exchanges the largest figure of any world was 0.693 (careful's low volume: how
# often an address occurs); 0.5 is chance.
BOUND = 0.70
WORLDS_WITH_CAMPAIGNS = [w.name for w in WORLDS.values() if w.campaigns]


@pytest.fixture(scope="module", params=WORLDS_WITH_CAMPAIGNS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("no_giveaway") / "world"
    simulate(out, world=request.param, exchanges=160_000, seed=29)
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


def test_no_file_but_the_truth_names_a_population_or_a_campaign(world: Path) -> None:
    con = duckdb.connect()
    secret = {p for (p,) in con.execute(f"select distinct population from '{world}/truth_accounts.parquet'").fetchall()}
    secret |= {
        c for (c,) in con.execute(f"select distinct campaign from '{world}/truth_memberships.parquet'").fetchall()
    }
    secret -= {"person", "developer", "enterprise", "agency"}  # words that anybody may write
    for file in ("exchanges", "accounts", "account_events"):
        schema = pq.read_schema(world / f"{file}.parquet")
        texts = [f.name for f in schema if pa.types.is_string(f.type)]
        any_text = " or ".join(f"regexp_matches({name}, ?)" for name in texts)
        pattern = "|".join(sorted(secret))
        row = con.execute(
            f"select count(*) from '{world}/{file}.parquet' where {any_text}", [pattern] * len(texts)
        ).fetchone()
        assert row == (0,), file


def test_the_measure_sees_a_giveaway() -> None:
    guilty = np.arange(1000) % 2 == 0
    told = pa.chunked_array([pa.array(np.where(guilty, "x", "y"))])
    half_told = pa.chunked_array([pa.array(np.where(guilty & (np.arange(1000) < 500), "x", "y"))])
    assert best_balanced_accuracy(told, guilty) == 1.0
    assert best_balanced_accuracy(half_told, guilty) == pytest.approx(0.75)
