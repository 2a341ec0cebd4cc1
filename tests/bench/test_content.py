"""Content alone: the statistic on vectors written by hand, what a lot holds, and that no campaign means no alarm."""

import numpy as np
import pytest

from bench.content.__main__ import OURS, Lot, detectors, mmd_of, with_best
from bench.content.corpora import Corpus
from bench.content.recurrence import NEIGHBOURS, excess, whitener
from bench.content.vectors import encoded
from bench.peers.published import distances, gaussian, median_distance, mmd


def clouds(seed: int = 0, width: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Honest vectors, and a campaign's, which share a direction of their own."""
    rng = np.random.default_rng(seed)
    honest, own = rng.normal(size=(1_200, width)), rng.normal(size=(120, width))
    own += 12 * np.eye(width)[3]
    both = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (honest, own)]
    return both[0].astype(np.float32), both[1].astype(np.float32)


def test_the_excess_is_the_mean_of_the_nearest_above_what_is_known() -> None:
    within = np.full((8, 8), 0.1)
    within[:6, :6] = 0.9
    np.fill_diagonal(within, 1.0)
    assert NEIGHBOURS == 5
    # Six texts have five neighbours at 0.9; the other two only at 0.1, which the reference has as well.
    assert excess(within, np.full(8, 0.4)) == pytest.approx(6 * 0.5)
    assert excess(within, np.full(8, 0.95)) == 0


def test_a_text_is_not_its_own_neighbour() -> None:
    assert excess(np.eye(8), np.zeros(8)) == 0


def test_whitening_leaves_nothing_in_common_and_length_one() -> None:
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(2_000, 6)) * [9, 3, 1, 1, 1, 1] + 5).astype(np.float32)
    white = whitener(x)(x)
    assert np.linalg.norm(white, axis=1) == pytest.approx(1, abs=1e-5)
    before, after = (float(np.var(v, axis=0).max() / np.var(v, axis=0).min()) for v in (x, white))
    assert before > 50
    assert after < 15
    assert abs(white.mean(0)).max() < 0.05


def test_a_lot_keeps_reference_calibration_and_windows_apart() -> None:
    honest, own = clouds()
    lot = Lot(honest, own, 100, 3)
    known, held = np.unique(lot.calibration), np.unique(lot.judged["0"])
    assert not set(lot.reference) & (set(known) | set(held))
    assert not set(known) & set(held)
    assert {s: {int((w >= len(honest)).sum()) for w in several} for s, several in lot.judged.items()} == {
        "0": {0}, "0.05": {5}, "0.1": {10},
    }  # fmt: skip
    assert all(len(set(w)) == 100 for several in lot.judged.values() for w in several)


def test_mmd_of_a_window_is_the_published_estimate() -> None:
    honest, own = clouds()
    lot = Lot(honest, own, 100, 3)
    apart = distances(lot.vectors, lot.vectors)
    bandwidth = median_distance(apart[np.ix_(lot.reference, lot.reference)])
    window = lot.judged["0.1"][0]
    parts = [(window, window), (lot.reference, lot.reference), (window, lot.reference)]
    whole = mmd(*(gaussian(apart[np.ix_(*part)], bandwidth) for part in parts))
    assert mmd_of(lot, apart, bandwidth)(window) == pytest.approx(whole, rel=1e-4)


def test_a_common_direction_is_flagged_and_none_is_not() -> None:
    honest, own = clouds()
    lot = Lot(honest, own, 100, 3)
    [ours] = [lot.flagged(score) for name, score in detectors(lot) if name == OURS]
    assert ours["0.1"] > 0.9
    assert ours["0"] < 0.05
    same = Lot(honest, clouds(7)[0][:120], 100, 3)
    [nobody] = [same.flagged(score) for name, score in detectors(same) if name == OURS]
    assert nobody["0.1"] < 0.1


def test_the_best_bandwidth_is_chosen_over_all_lots() -> None:
    def rates(power: float) -> dict[str, float]:
        return {"0": 0.0, "0.05": power, "0.1": power}

    [lot] = with_best([{"MMD x1": rates(0.1), "MMD x0.5": rates(0.4), "MMD x0.25": rates(0.2)}])
    assert lot["MMD, median bandwidth"] == rates(0.1)
    assert lot["MMD, best of three bandwidths"] == rates(0.4)


def test_half_of_a_vector_is_the_system_prompts(tmp_path) -> None:
    corpus = Corpus("x", [("a system prompt", "one prompt"), ("", "one prompt")], [("a system prompt", "another one")])
    honest, own = encoded(corpus, "hashed", tmp_path)
    width = honest.shape[1] // 2
    assert np.linalg.norm(honest[0]) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(honest[0, width:], honest[1, width:])
    assert not honest[1, :width].any()
    assert np.array_equal(own[0, :width], honest[0, :width])
