"""PRADA, SEAT and MMD on embeddings of one world's texts, by account and by window.

    python -m bench.peers.embedding WORLD OUT --encoder hashed|minilm [--windows]

The honest texts that PRADA, SEAT and MMD are calibrated on are taken from the same world, by its truth: in their
favour, since an operator's history is neither as clean nor of the same days.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from bench.peers import hashed
from bench.peers.published import (
    distances,
    gaussian,
    growing_set_distances,
    median_distance,
    mmd,
    nearest_distances,
    normality,
    similar_pairs,
)
from bench.peers.told import Told
from bench.peers.windows import WINDOW, Windows, draw

Embeddings = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
# Texts of an account that are read, the earliest: PRADA's authors alarm within some hundred queries. The sentence
# encoder is a thousand times slower, and a run is to end within minutes.
MOST_TEXTS = {"hashed": 200, "minilm": 8}
# Texts of all accounts together for the sentence encoder; a world with more accounts has fewer of each.
MOST_ENCODED = 1_200
# SEAT's delta, as quantiles of the distances between honest texts of different accounts: its best one is chosen.
DELTA_QUANTILES = (0.0001, 0.001, 0.01, 0.05)
# PRADA judges from this many distances on: the paper's hundred, and as few as an account here may have.
PRADA_LEAST = (100, 5)
# Draws of honest texts that say how MMD is distributed for so many texts of one account.
NULL_DRAWS = 100
REFERENCE = 400


def minilm(texts: list[str]) -> Embeddings:
    """Encode by the sentence encoder, in its own environment."""
    script = Path(__file__).with_name("minilm.py")
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "texts.json", Path(folder) / "vectors.npy"
        given.write_text(json.dumps(texts), "utf-8")
        subprocess.run(["uv", "run", "--quiet", "--script", script, given, made], check=True)
        return np.asarray(np.load(made), np.float32)


ENCODERS: dict[str, Callable[[list[str]], Embeddings]] = {"hashed": hashed.encode, "minilm": minilm}


class World:
    """The texts of a world as vectors: half of a vector is the system prompt's, half the prompt's."""

    def __init__(self, folder: Path, encoder: str) -> None:
        columns = ["time", "account_id", "system_prompt", "prompt"]
        table = pq.read_table(folder / "exchanges.parquet", columns=columns)
        self.system = np.array([t or "" for t in table["system_prompt"].to_pylist()], object)
        self.prompt = np.array([t or "" for t in table["prompt"].to_pylist()], object)
        accounts, number = np.unique(table["account_id"].to_numpy(False).astype(str), return_inverse=True)
        order = np.lexsort((table["time"].to_numpy(), number))
        ends = np.bincount(number).cumsum()[:-1]
        self.rows_of: dict[str, Rows] = dict(zip(accounts.tolist(), np.split(order, ends), strict=True))
        truth = pq.read_table(folder / "truth_accounts.parquet", columns=["account_id", "role"]).to_pydict()
        honest = {a for a, role in zip(truth["account_id"], truth["role"], strict=True) if role == "innocent"}
        self.honest = [a for a in self.rows_of if a in honest]
        self._encode = ENCODERS[encoder]
        self._vectors: dict[str, Embeddings] = {}

    def read(self, rows: Rows) -> None:
        """Encode all texts of these rows, each once."""
        wanted = sorted({*self.system[rows], *self.prompt[rows]} - self._vectors.keys())
        if wanted:
            self._vectors |= dict(zip(wanted, self._encode(wanted), strict=True))

    def vectors(self, rows: Rows) -> Embeddings:
        """(len(rows), 2 x width), of length one; an absent system prompt is zeros, as the encoder gives for no text."""
        zeros = np.zeros_like(self._vectors[self.prompt[rows[0]]])
        system = np.stack([self._vectors[t] if t else zeros for t in self.system[rows]])
        prompt = np.stack([self._vectors[t] for t in self.prompt[rows]])
        return np.asarray(np.concatenate([system, prompt], 1) / np.sqrt(2), np.float32)


def by_account(world: World, most: int, told: Told) -> None:
    """Score every account by each statistic, and by its opposite: adapted to text, either tail has been used."""
    rng = np.random.default_rng(0)
    rows_of = {account: rows[:most] for account, rows in world.rows_of.items()}
    honest = np.concatenate([rows_of[a] for a in world.honest])
    world.read(np.concatenate(list(rows_of.values())))
    reference = world.vectors(rng.choice(honest, min(REFERENCE, len(honest) // 2), replace=False))
    others = distances(reference, reference)
    deltas = {q: float(np.quantile(others[np.triu_indices(len(others), 1)], q)) for q in DELTA_QUANTILES}
    calibrated = Calibrated(world, honest, reference, median_distance(others))
    for account, rows in rows_of.items():
        x = world.vectors(rows)
        apart = distances(x, x)
        nearest = growing_set_distances(apart)
        for least in PRADA_LEAST:
            w = normality(nearest) if len(nearest) >= least else None
            put(told, f"prada from {least}", account, 0.0 if w is None else 1 - w)
            put(told, f"prada from {least}, turned", account, 0.0 if w is None else w)
        for q, delta in deltas.items():
            pairs = similar_pairs(apart, delta)
            put(told, f"seat pairs, delta at {q:g}", account, pairs)
            put(told, f"seat share, delta at {q:g}", account, pairs / max(1, len(x) * (len(x) - 1) / 2))
        if len(x) > 1:
            value, deviations = calibrated.mmd(x)
            put(told, "mmd", account, above_nothing(value))
            put(told, "mmd in deviations", account, above_nothing(deviations))
            put(told, "mmd, turned", account, above_nothing(-value))


def put(told: Told, setting: str, account: str, score: float) -> None:
    """Note one score."""
    told.settings.setdefault(setting, {})[account] = float(score)


def above_nothing(value: float) -> float:
    """In the same order and above 0, which is the score of an account that nothing is known of: log(1 + e^value)."""
    return float(np.logaddexp(0, value))


class Calibrated:
    """MMD from honest texts, in standard deviations of what as many other honest texts have."""

    def __init__(self, world: World, honest: Rows, reference: Embeddings, bandwidth: float) -> None:
        self._world, self._honest, self._reference, self._bandwidth = world, honest, reference, bandwidth
        self._within = gaussian(distances(reference, reference), bandwidth)
        self._null: dict[int, tuple[float, float]] = {}
        self._rng = np.random.default_rng(1)

    def value(self, x: Embeddings) -> float:
        """MMD of texts against the reference."""
        within, between = (gaussian(distances(x, y), self._bandwidth) for y in (x, self._reference))
        return mmd(within, self._within, between)

    def mmd(self, x: Embeddings) -> tuple[float, float]:
        """The value, and in deviations of the null for about as many texts."""
        size = 1 << (len(x).bit_length() - 1)  # a null for each power of two: the null changes slowly with size
        if size not in self._null:
            draws = [self._world.vectors(self._rng.choice(self._honest, size)) for _ in range(NULL_DRAWS)]
            null = [self.value(d) for d in draws] if size > 1 else [0.0, 1.0]
            self._null[size] = float(np.mean(null)), float(np.std(null))
        value, (mean, deviation) = self.value(x), self._null[size]
        return value, (value - mean) / deviation


def by_window(world: World, windows: Windows, told: Told) -> None:
    """Score every window by each statistic."""
    rows = windows.rows
    world.read(rows)
    x = world.vectors(rows)
    apart = distances(x, x)
    place = {
        name: np.searchsorted(rows, r) for name, r in (("calibration", windows.calibration), *windows.judged.items())
    }
    reference = np.searchsorted(rows, windows.reference)
    known = apart[np.ix_(reference, reference)]
    kernel = gaussian(apart, median_distance(known))
    of_reference, to_reference = kernel[np.ix_(reference, reference)], kernel[:, reference].mean(1, keepdims=True)
    deltas = {q: float(np.quantile(known[np.triu_indices(WINDOW, 1)], q)) for q in DELTA_QUANTILES}

    def scores(window: Rows) -> dict[str, float]:
        here = apart[np.ix_(window, window)]
        w = normality(nearest_distances(here))
        found = {"prada": 0.0 if w is None else 1 - w, "prada, turned": 0.0 if w is None else w}
        found |= {f"seat, delta at {q:g}": float(similar_pairs(here, d)) for q, d in deltas.items()}
        return found | {"mmd": mmd(kernel[np.ix_(window, window)], of_reference, to_reference[window])}

    for name, several in place.items():
        for found in map(scores, several):
            for setting, score in found.items():
                told.windows.setdefault(setting, {}).setdefault(name, []).append(score)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("world", type=Path)
    given.add_argument("out", type=Path)
    given.add_argument("--encoder", choices=ENCODERS, required=True)
    given.add_argument("--windows", action="store_true")
    options = given.parse_args()
    told, world = Told(), World(options.world, options.encoder)
    most = MOST_TEXTS[options.encoder]
    if options.encoder == "minilm":
        most = max(2, min(most, MOST_ENCODED // len(world.rows_of)))
    by_account(world, most, told)
    told.write(options.out)
    windows = draw(options.world) if options.windows else None
    if windows is not None:
        by_window(world, windows, told)
        told.write(options.out)


if __name__ == "__main__":
    main()
