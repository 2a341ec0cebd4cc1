"""Fits what a campaign's probability is worth (`stillwatch.campaigns.calibration`) on worlds that nothing else uses.

    python -m bench.calibrate [--write]

Simulates and scans each world, takes the bare product of the likeliest group that an account surely is of as the
probability that it takes part, and finds the slope of least log loss. Only groups whose product is one in ten and more:
the rest says nothing of where it matters. One innocent account at the highest odds and one guilty at the lowest are
added, so that a few worlds without a mistake do not make for certainty. --write: into
src/stillwatch/campaigns/calibration.json.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import orjson
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from stillwatch.campaigns import find
from stillwatch.campaigns.calibration import LEAST
from stillwatch.campaigns.search import Candidate
from stillwatch.engine import Engine
from stillwatch.evaluate.truth import read_truth
from stillwatch.scan import Request, scan, stages
from stillwatch.scan.known import account_ids
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
# Accounts that surely are of their group: of others it is membership that errs.
SURE = 0.9

Floats = npt.NDArray[np.float64]


def judged(given: tuple[str, int, int, float | None]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Bare log odds of the groups that a world's accounts are of, and whether each takes part."""
    world, exchanges, seed, attackers = given
    groups: list[tuple[float, list[str]]] = []

    def found(engine: Engine, *more: Any, **named: Any) -> list[Candidate]:
        candidates, ids = find(engine, *more, **named), account_ids(engine)
        for candidate in candidates:
            sure = candidate.weighed.members[candidate.membership >= SURE]
            groups.append((candidate.judgement.product, [ids[n] for n in sure.tolist()]))
        return candidates

    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder) / "world"
        simulate(where, world=world, exchanges=exchanges, seed=seed, attackers=attackers)
        with patch.object(stages, "find", found):
            scan(Request((str(where),), Path(folder) / "out"), Settings(threads=1))
        roles = read_truth(where).roles
    best: dict[str, float] = {}
    for product, accounts in groups:
        for account in accounts:
            best[account] = max(best.get(account, 0.0), product)
    # Whether a key was stolen is asked of its account alone, after this.
    told = {a: p for a, p in best.items() if p >= TOLD and roles.get(a, "victim") != "victim"}
    odds = logit(np.clip(list(told.values()), LEAST, 1 - LEAST))
    return np.asarray(odds, np.float64), np.array([roles[a] == "member" for a in told], np.bool_)


def loss(slope: float, odds: Floats, guilty: npt.NDArray[np.bool_]) -> float:
    """Mean natural log loss."""
    return float(np.logaddexp(0, np.where(guilty, -1, 1) * slope * odds).mean())


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--write", action="store_true")
    options = given.parse_args()
    every = []
    with ProcessPoolExecutor() as workers:
        for (world, _, seed, _), (odds, guilty) in zip(WORLDS, workers.map(judged, WORLDS), strict=True):
            every.append((odds, guilty))
            print(f"{world} {seed}: {len(odds)} accounts, {int(guilty.sum())} take part; least "
                  f"{[round(float(p), 2) for p in np.unique(expit(odds))[:6]]}", flush=True)  # fmt: skip
    odds, guilty = (np.concatenate([pair[i] for pair in every]) for i in (0, 1))
    extremes = np.array([odds.max(), odds.min()])
    with_doubt = np.append(odds, extremes), np.append(guilty, [False, True])
    slope = float(minimize_scalar(lambda s: loss(s, *with_doubt), bounds=(0.3, 12), method="bounded").x)
    fitted = {
        "slope": round(slope, 3),
        "worlds": [f"{world} {seed}" for world, _, seed, _ in WORLDS],
        "accounts": len(odds),
        "log_loss": round(loss(slope, odds, guilty), 4),
        "bare": round(loss(1.0, odds, guilty), 4),
        "command": "python -m bench.calibrate",
    }
    text = orjson.dumps(fitted, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    print(text.decode())
    if options.write:
        (Path(__file__).parent.parent / "src/stillwatch/campaigns/calibration.json").write_bytes(text)


if __name__ == "__main__":
    main()
