"""Fits what a campaign's probability is worth (`stillwatch.campaigns.calibration`) on worlds that nothing else uses.

    python -m bench.calibrate [--write]

Simulates and scans each world, takes the bare product as the probability that every account of a group gets, and finds
the slope and intercept of least log loss (Platt 1999). Only accounts whose bare probability is one in ten and more: of
those below, it is membership that decides. One innocent account at the highest odds and one guilty at the lowest are
added, so that a few worlds without a mistake do not make for certainty. --write: into
src/stillwatch/campaigns/calibration.json.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import orjson
from scipy.optimize import minimize
from scipy.special import expit, logit

from stillwatch.campaigns import judgement
from stillwatch.campaigns.calibration import LEAST, Calibration
from stillwatch.evaluate.found import read_found
from stillwatch.evaluate.truth import read_truth
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.simulate import simulate

# Seeds from 1001 on are for calibration and nothing else.
WORLDS: tuple[tuple[str, int, int, float | None], ...] = (
    *(("february-2026", 100_000, seed, None) for seed in range(1001, 1011)),
    *(("summer-2026", 100_000, seed, None) for seed in (1011, 1012, 1013)),
    *(("look-alikes", 100_000, seed, None) for seed in (1021, 1022, 1023, 1024)),
    *(("mixture", 100_000, seed, share) for seed, share in ((1031, 0.02), (1032, 0.05))),
)
TOLD = 0.1
# Probabilities as they are before this.
BARE = Calibration(slope=1.0, intercept=0.0, worlds=(), accounts=10**12, log_loss=0.0, bare=0.0, command="")

Floats = npt.NDArray[np.float64]


def judged(given: tuple[str, int, int, float | None]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Bare log odds of a world's accounts, and whether each takes part."""
    world, exchanges, seed, attackers = given
    with tempfile.TemporaryDirectory() as folder:
        where, out = Path(folder) / "world", Path(folder) / "out"
        simulate(where, world=world, exchanges=exchanges, seed=seed, attackers=attackers)
        with patch.object(judgement, "calibration", lambda: BARE):
            scan(Request((str(where),), out), Settings(threads=1))
        roles = read_truth(where).roles
        found = [(p, roles[a] == "member") for a, p in read_found(out).probability.items() if a in roles]
    odds = logit(np.clip([p for p, _ in found], LEAST, 1 - LEAST))
    guilty = np.array([g for _, g in found])
    told = odds >= logit(TOLD)
    return odds[told], guilty[told]


def loss(slope: float, intercept: float, odds: Floats, guilty: npt.NDArray[np.bool_]) -> float:
    """Mean natural log loss."""
    return float(np.logaddexp(0, np.where(guilty, -1, 1) * (slope * odds + intercept)).mean())


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--write", action="store_true")
    options = given.parse_args()
    every = []
    with ProcessPoolExecutor() as workers:
        for (world, _, seed, _), (odds, guilty) in zip(WORLDS, workers.map(judged, WORLDS), strict=True):
            every.append((odds, guilty))
            print(f"{world} {seed}: {len(odds)} accounts, {int(guilty.sum())} take part, "
                  f"where the bare mean is {expit(odds).mean() if len(odds) else 0:.3f}", flush=True)  # fmt: skip
    odds, guilty = (np.concatenate([pair[i] for pair in every]) for i in (0, 1))
    extremes = np.array([odds.max(), odds.min()])
    with_doubt = np.append(odds, extremes), np.append(guilty, [False, True])
    slope, intercept = minimize(lambda x: loss(x[0], x[1], *with_doubt), (1.0, 0.0)).x
    between = (odds >= min(0.0, -intercept / slope)) & (odds < max(0.0, -intercept / slope))
    print(f"between the bare odds that are even now and even ones: {int(between.sum())} accounts, "
          f"{int(guilty[between].sum())} take part")  # fmt: skip
    fitted = {
        "slope": round(float(slope), 3),
        "intercept": round(float(intercept), 3),
        "worlds": [f"{world} {seed}" for world, _, seed, _ in WORLDS],
        "accounts": len(odds),
        "log_loss": round(loss(slope, intercept, odds, guilty), 4),
        "bare": round(loss(1.0, 0.0, odds, guilty), 4),
        "command": "python -m bench.calibrate",
    }
    text = orjson.dumps(fitted, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    print(text.decode())
    if options.write:
        (Path(__file__).parent.parent / "src/stillwatch/campaigns/calibration.json").write_bytes(text)


if __name__ == "__main__":
    main()
