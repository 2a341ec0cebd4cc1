"""Content alone, detector beside detector: the same windows, the same texts, the same encoder.

    python -m bench.content [--encoders hashed minilm] [--corpora NAME ...] [--window N] [--lots N] [--work DIR]
        [--data DIR]

For each source of texts and each lot, honest texts are divided anew into a reference, texts that calibrate every
detector's threshold at 0.3% of honest windows, and texts held out for the windows that are judged. Prints, as Markdown,
the share of windows flagged by the share of attackers in them. Windows share texts, so that the threshold of 0.3% may
flag more of other honest windows: `matched` is the share flagged where the threshold is set on as many held-out honest
windows instead, the same false-positive rate for every detector. Intervals are 95%, from resampling sources and lots.
What was measured is kept, so that a broken run goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.content.corpora import TUNED_ON, Corpus, corpora
from bench.content.recurrence import excess, whitener
from bench.content.vectors import ENCODERS, Embeddings, encoded
from bench.peers.figures import WINDOW_FALSE_RATE
from bench.peers.published import distances, gaussian, median_distance, mmd

Rows = npt.NDArray[np.int64]
SHARES = (0.0, 0.05, 0.1)
# Windows judged of each share of attackers; of honest ones, for calibration and held out, as many as tell a threshold
# at one in 300.
JUDGED, HONEST_WINDOWS = 200, 1_000
# Honest texts of the reference, in windows; what is left is halved.
REFERENCE = 2
# MMD's bandwidth in median distances: the usual one, and others, of which the best on the very windows that are
# reported is taken, in its favour.
BANDWIDTHS = (1.0, 0.5, 0.25)
MEDIAN, TUNED = "MMD, median bandwidth", "MMD, best of three bandwidths"
OURS = "recurrence"
ROWS = (MEDIAN, TUNED, "MMD, whitened", "recurrence, not whitened", OURS)
RESAMPLED = 2_000
Rates = dict[str, dict[str, float]]
# What a result depends on, read once: a file that is edited during a run changes nothing of it.
CODE = b"".join(p.read_bytes() for p in sorted(Path(__file__).parent.glob("*.py")))


class Lot:
    """One division of a source's texts, by lot, and the windows drawn from it: rows of `vectors`."""

    def __init__(self, honest: Embeddings, campaign: Embeddings, window: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(honest))
        self.reference = order[: REFERENCE * window]
        rest = order[REFERENCE * window :]
        known, held = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        theirs = len(honest) + np.arange(len(campaign))
        self.vectors = np.concatenate([honest, campaign])
        self.calibration = [np.sort(rng.choice(known, window, replace=False)) for _ in range(HONEST_WINDOWS)]
        self.judged = {
            f"{s:g}": [self._mixed(rng, theirs, held, window, s) for _ in range(JUDGED if s else HONEST_WINDOWS)]
            for s in SHARES
        }

    @staticmethod
    def _mixed(rng: np.random.Generator, theirs: Rows, held: Rows, window: int, share: float) -> Rows:
        ours = round(window * share)
        both = rng.choice(theirs, ours, replace=False), rng.choice(held, window - ours, replace=False)
        return np.sort(np.concatenate(both))  # rows in order lie near each other in memory

    def flagged(self, score: Callable[[Rows], float]) -> dict[str, float]:
        """The share of windows above the threshold, by share of attackers, and above the matched threshold."""
        scores = {share: np.array([score(w) for w in several]) for share, several in self.judged.items()}
        calibration = [score(w) for w in self.calibration]
        rates = {}
        for name, honest in (("", calibration), ("matched ", scores["0"])):
            bar = float(np.quantile(honest, 1 - WINDOW_FALSE_RATE, method="higher"))
            rates |= {f"{name}{share}": float(np.mean(found > bar)) for share, found in scores.items()}
        return rates


def mmd_of(lot: Lot, apart: npt.NDArray[np.floating], bandwidth: float) -> Callable[[Rows], float]:
    """MMD of a window against the reference. apart: distances of all texts from all."""
    kernel = gaussian(apart, bandwidth)
    of_reference = kernel[np.ix_(lot.reference, lot.reference)]
    to_reference = kernel[:, lot.reference].mean(1, keepdims=True)
    # The reference's own part is the same for every window: it is computed once.
    itself = mmd(np.zeros((2, 2)), of_reference, np.zeros((1, 1)))
    return lambda w: itself + mmd(kernel[np.ix_(w, w)], np.zeros((2, 2)), to_reference[w])


def recurrence_of(lot: Lot, vectors: Embeddings) -> Callable[[Rows], float]:
    """Excess recurrence of a window. vectors: of length one, all texts."""
    similar = vectors @ vectors.T
    known = similar[:, lot.reference].max(1)
    return lambda w: excess(similar[np.ix_(w, w)], known[w])


def detectors(lot: Lot) -> Iterator[tuple[str, Callable[[Rows], float]]]:
    """Every detector by name; MMD at each bandwidth."""
    apart = distances(lot.vectors, lot.vectors).astype(np.float32)
    median = median_distance(apart[np.ix_(lot.reference, lot.reference)])
    for times in BANDWIDTHS:
        yield f"MMD x{times:g}", mmd_of(lot, apart, times * median)
    del apart
    white = whitener(lot.vectors[lot.reference])(lot.vectors)
    apart = distances(white, white).astype(np.float32)
    yield "MMD, whitened", mmd_of(lot, apart, median_distance(apart[np.ix_(lot.reference, lot.reference)]))
    del apart
    length = np.maximum(np.linalg.norm(lot.vectors, axis=1, keepdims=True), 1e-9)
    yield "recurrence, not whitened", recurrence_of(lot, lot.vectors / length)
    yield OURS, recurrence_of(lot, white)


def measured(corpus: Corpus, encoder: str, window: int, seed: int, work: Path) -> Rates:
    """Shares of windows flagged in one lot, by detector; kept in `work` by what was measured with what."""
    honest, campaign = encoded(corpus, encoder, work)
    said = [np.ascontiguousarray(v).tobytes() for v in (honest, campaign)]
    key = hashlib.sha256(b"".join([*said, CODE, f"{window} {seed}".encode()])).hexdigest()[:16]
    kept = work / f"lot-{key}.json"
    if not kept.exists():
        began = time.monotonic()
        lot = Lot(honest, campaign, window, seed)
        rates = {name: lot.flagged(score) for name, score in detectors(lot)}
        kept.write_text(json.dumps(rates), "utf-8")
        took = time.monotonic() - began
        print(f"{time.strftime('%H:%M:%S')} {encoder}, {corpus.name}, lot {seed}: {took:.0f} s", file=sys.stderr)
    found: Rates = json.loads(kept.read_text("utf-8"))
    return found


def with_best(lots: list[Rates]) -> list[Rates]:
    """Name MMD's usual bandwidth and its best one over the lots: most windows of attackers flagged, less what it flags
    of honest ones."""

    def worth(name: str) -> float:
        return sum(r[name]["0.05"] + r[name]["0.1"] - 2 * r[name]["0"] for r in lots)

    best = max((f"MMD x{t:g}" for t in BANDWIDTHS), key=worth)
    return [r | {MEDIAN: r["MMD x1"], TUNED: r[best]} for r in lots]


def interval(rates: list[float]) -> tuple[float, float]:
    """95% of the means of resampled lots."""
    draws = np.random.default_rng(0).choice(np.array(rates), (RESAMPLED, len(rates))).mean(1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


COLUMNS = {
    "0": "0% attackers",
    "0.05": "5%",
    "0.1": "10%",
    "matched 0.05": "5%, matched",
    "matched 0.1": "10%, matched",
}


def rows(encoder: str, name: str, lots: list[Rates], *, intervals: bool) -> list[str]:
    """A line of the table for each detector."""
    made = []
    for row in ROWS:
        cells = []
        for column in COLUMNS:
            rates = [lot[row][column] for lot in lots]
            low, high = interval(rates)
            cells.append(f"{np.mean(rates):.3f}" + (f" ({low:.2f} to {high:.2f})" if intervals else ""))
        made.append(f"| {encoder} | {name} | {row} | " + " | ".join(cells) + " |")
    return made


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--encoders", nargs="+", choices=ENCODERS, default=list(ENCODERS))
    given.add_argument("--corpora", nargs="+", help="beginnings of names; without it all")
    given.add_argument("--window", type=int, default=500, help="texts of a window")
    given.add_argument("--lots", type=int, default=2, help="divisions of each source's texts")
    given.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "stillwatch-bench" / "content")
    given.add_argument("--data", type=Path, default=Path(__file__).parents[3] / "shared" / "data")
    options = given.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    asked = tuple(options.corpora or [""])
    print("| encoder | texts | detector | " + " | ".join(COLUMNS.values()) + " |")
    print("|---|---|---|" + "---|" * len(COLUMNS))
    everything: dict[str, list[Rates]] = {}
    for name, make in corpora(options.data).items():
        if not name.startswith(asked):
            continue
        corpus = make()
        for encoder in options.encoders:
            lots = [measured(corpus, encoder, options.window, n, options.work) for n in range(options.lots)]
            print("\n".join(rows(encoder, name, with_best(lots), intervals=False)), flush=True)
            if TUNED_ON not in name:
                everything.setdefault(encoder, []).extend(with_best(lots))
    for encoder, lots in everything.items():
        print("\n".join(rows(encoder, "all but tuned on", lots, intervals=True)), flush=True)


if __name__ == "__main__":
    main()
