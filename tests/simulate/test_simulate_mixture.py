"""The mixture keeps the shares that are asked for, and says where it cannot."""

from pathlib import Path

import pytest
from world_tables import number, tables

from stillwatch.errors import InputError
from stillwatch.simulate import simulate

N = 60_000


@pytest.mark.parametrize(
    ("attackers", "extraction"), [(0.001, 1.0), (0.01, 0.5), (0.05, 0.05), (0.05, 0.5), (0.2, 0.3), (0.5, 1.0)]
)
def test_the_shares_are_kept(attackers: float, extraction: float, tmp_path: Path) -> None:
    simulate(tmp_path / "w", world="mixture", exchanges=N, seed=3, attackers=attackers, extraction=extraction)
    db = tables(tmp_path / "w")
    roles = "select avg((role <> 'innocent')::int) from truth_accounts"
    assert number(db, roles) == pytest.approx(attackers, rel=0.12)
    of_members = "exchanges join truth_accounts using (account_id) where role = 'member'"
    guilty = f"select count(*) from {of_members} and exchange_id in (select exchange_id from truth_exchanges)"
    # a few exchanges are moved by rounding and by accounts that end early
    assert number(db, guilty) / number(db, f"select count(*) from {of_members}") == pytest.approx(extraction, rel=0.12)


def test_there_are_more_accounts_with_fewer_exchanges_where_the_share_demands_it(tmp_path: Path) -> None:
    few = simulate(tmp_path / "few", world="mixture", exchanges=N, attackers=0.001)
    many = simulate(tmp_path / "many", world="mixture", exchanges=N, attackers=0.05)
    assert few.accounts > 8_000
    assert many.accounts < 1_000
    assert [n for n, _ in few.campaigns.values()] == [8]
    assert len(many.campaigns) >= 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"attackers": 0.7}, "--attackers 0.7: a share from 0.001 to 0.5"),
        ({"attackers": float("nan")}, "--attackers nan"),
        ({"extraction": 0.01}, "--extraction 0.01: a share from 0.05 to 1"),
        ({"attackers": 0.001, "exchanges": 20_000}, "--exchanges 20000: too few for --attackers 0.001.* 4[0-9],000"),
        ({"world": "ordinary", "attackers": 0.1}, "--attackers: --world ordinary does not take it, only mixture does"),
        ({"world": "careful", "extraction": 0.1}, "--extraction: --world careful does not take it"),
    ],
)
def test_shares_that_cannot_be_met(given: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        simulate(tmp_path / "w", **({"world": "mixture", "exchanges": N} | given))  # type: ignore[arg-type]
    assert not (tmp_path / "w").exists()
