"""Windows of traffic from many senders, with a known share of a campaign in each: Liu et al. (2026), section 4.

Every judge of windows gets the same ones of a world. Honest exchanges are divided by lot: half are the reference and
calibrate the threshold, half are held out for the windows that are judged, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

Rows = npt.NDArray[np.int64]
# Shares of a campaign in a window, as in the paper.
SHARES = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
# Windows of each share; of calibration as many as tell a threshold at one in 300 (the paper's false-positive rate).
JUDGED, CALIBRATION = 100, 1_000
# Exchanges a window. The paper has 1,500; with fewer, texts are fewer to encode.
WINDOW = 500
# Exchanges that windows draw from, in windows: enough that two windows share few of them by chance.
HONEST_POOL, CAMPAIGN_POOL = 3, 2


@dataclass(frozen=True, slots=True)
class Windows:
    """Rows of the world's exchanges. `calibration` (CALIBRATION, WINDOW); `judged` by share (JUDGED, WINDOW)."""

    reference: Rows
    calibration: Rows
    judged: dict[str, Rows]

    @property
    def rows(self) -> Rows:
        """Every row that is in some window, once."""
        return np.unique(
            np.concatenate([self.reference, self.calibration.ravel(), *map(np.ravel, self.judged.values())])
        )


def draw(world: Path, seed: int = 0) -> Windows | None:
    """The windows of a world; None where it has no campaign, or too little traffic for them."""
    exchanges = pq.read_table(world / "exchanges.parquet", columns=["exchange_id"])["exchange_id"]
    guilty = pc.is_in(exchanges, pq.read_table(world / "truth_exchanges.parquet")["exchange_id"].combine_chunks())
    guilty = guilty.to_numpy()
    rng = np.random.default_rng(seed)
    honest, campaign = rng.permutation(np.flatnonzero(~guilty)), rng.permutation(np.flatnonzero(guilty))
    if len(honest) < 2 * WINDOW * 2 or len(campaign) < WINDOW:
        return None
    pool = min(WINDOW * HONEST_POOL, len(honest) // 2)
    known, held, campaign = honest[:pool], honest[pool : 2 * pool], campaign[: WINDOW * CAMPAIGN_POOL]
    reference, rest = known[:WINDOW], known[WINDOW:]
    calibration = np.stack([rng.choice(rest, WINDOW, replace=False) for _ in range(CALIBRATION)])
    judged = {}
    for share in SHARES:
        ours = round(WINDOW * share)
        rows = [
            np.concatenate([rng.choice(campaign, ours, replace=False), rng.choice(held, WINDOW - ours, replace=False)])
            for _ in range(JUDGED)
        ]
        judged[f"{share:g}"] = np.stack(rows)
    return Windows(reference, calibration, judged)
