"""How fast texts are sketched, from Parquet to passages, beside DuckDB hashing the same column: `make bench`.

Both run on one thread in this process, by turns, so that whatever else the machine does disturbs both alike. The ratio
is of medians; processor time is given beside elapsed time, since it does not count waiting for other programs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.enrich.sketch import SKETCH_VERSION, Gear, sketch
from stillwatch.settings import Settings
from stillwatch.simulate import simulate
from stillwatch.sources.canonical import parquet_batches

ROWS = 200_000
# Rows of the simulated world, fewer since simulating takes most of the time.
MIXED_ROWS = 100_000
# Bytes a prompt: the mean of long-form English prompts that DESIGN and the issue measure against.
MEAN_BYTES = 1_200
SEED = 7
RUNS = 5
# What a scan asks its reader for.
BATCH_ROWS = Settings.model_fields["batch_rows"].default
# What the project asks of itself.
LEAST_RATIO = 0.3


def words(count: int, draw: np.random.Generator) -> list[str]:
    """Made-up words of one to four syllables, so that neighbouring letters are distributed about as in a language."""
    parts = (("th", "st", "ch", "pr", *"bcdfghlmnprstw"), ("ea", *"aeiou"), ("", "n", "r", "s", "t", "ng"))
    return ["".join(str(draw.choice(part)) for _ in range(draw.integers(1, 4)) for part in parts) for _ in range(count)]


def between(draw: float) -> str:
    """What follows a word: of twenty words one ends a sentence and one a clause; some stand before a list or number."""
    if draw < 0.05:
        return ". The "
    if draw < 0.1:
        return ", "
    if draw < 0.11:
        return "\n- "
    return f" {int(draw * 1e6)} " if draw < 0.125 else " "


def english(rows: int) -> pa.Array:
    """Plain prompts: sentences, capitals, commas, numbers, line breaks and list marks; every row different."""
    draw = np.random.default_rng(SEED)
    vocabulary = np.array(words(20_000, draw), dtype=object)
    # Words occur as often as Zipf's law has it.
    weights = 1.0 / np.arange(1, len(vocabulary) + 1)
    chosen = draw.choice(vocabulary, size=2_000_000, p=weights / weights.sum())
    breaks = draw.random(len(chosen))
    text = "".join(word + between(b) for word, b in zip(chosen, breaks, strict=True))
    lengths = np.minimum(draw.lognormal(np.log(MEAN_BYTES) - 0.32, 0.8, rows).astype(np.int64) + 20, 40_000)
    starts = draw.integers(0, len(text) - 40_001, rows)
    return pa.array([text[s : s + n] for s, n in zip(starts, lengths, strict=True)], pa.string())


def mixed(folder: Path) -> pa.Array:
    """Prompts of a simulated world, in its languages."""
    simulate(folder / "world", exchanges=MIXED_ROWS, seed=SEED)
    files = sorted((folder / "world").glob("exchanges*"))
    prompts = pq.read_table(files[0], columns=["prompt"]).column(0).combine_chunks().drop_null()
    return prompts.take(pa.array(np.random.default_rng(SEED).permutation(len(prompts))))


def parquet(name: str, folder: Path, make: Callable[[], pa.Array]) -> Path:
    """The column `prompt` in a file as pyarrow writes it by default, made once."""
    path = folder / f"{name}-{SEED}.parquet"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        pq.write_table(pa.table({"prompt": make()}), unfinished)
        unfinished.rename(path)
    return path


def by_duckdb(path: Path) -> None:
    """Hash the column with a fresh connection on one thread."""
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(f"SELECT bit_xor(hash(prompt)) FROM '{path}'").fetchall()


def by_sketch(path: Path, gear: Gear) -> None:
    """Read the column as a scan does and sketch it, on one thread."""
    for _, batch in parquet_batches(path, ["prompt"], BATCH_ROWS):
        sketch(batch.column(0), gear)


def by_reading(path: Path) -> None:
    """Read the column as a scan does, and nothing more."""
    for _ in parquet_batches(path, ["prompt"], BATCH_ROWS):
        pass


def measure(path: Path, gear: Gear) -> float:
    """Print one comparison; return the ratio of the rates."""
    size = sum(b.column(0).nbytes for b in pq.ParquetFile(path).iter_batches(BATCH_ROWS))
    rows = pq.read_metadata(path).num_rows
    ways: dict[str, Callable[[], None]] = {
        "DuckDB hash": lambda: by_duckdb(path),
        "sketch": lambda: by_sketch(path, gear),
        "reading alone": lambda: by_reading(path),
    }
    elapsed: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(RUNS):
        for name, way in ways.items():
            began, used = time.perf_counter(), time.process_time()
            way()
            elapsed[name].append(time.perf_counter() - began)
            processor[name].append(time.process_time() - used)
    print(f"\n{path.stem}: {rows:,} texts, {size / rows:,.0f} bytes each")
    for name, seconds in elapsed.items():
        middle, cpu = statistics.median(seconds), statistics.median(processor[name])
        spread = f"{rows / max(seconds) / 1e3:,.0f}..{rows / min(seconds) / 1e3:,.0f}"
        print(
            f"  {name:14} {rows / middle / 1e3:7,.0f} thousand/s ({spread}), {size / middle / 1e6:5,.0f} MB/s; "
            f"processor time {cpu:.3f} s"
        )
    ratio = statistics.median(elapsed["DuckDB hash"]) / statistics.median(elapsed["sketch"])
    of_processor = statistics.median(processor["DuckDB hash"]) / statistics.median(processor["sketch"])
    print(f"  ratio of rates: {ratio:.2f} by elapsed time, {of_processor:.2f} by processor time")
    return ratio


def main() -> int:
    """Measure plain English and the mixed languages of a simulated world."""
    pa.set_cpu_count(1)
    folder = Path(tempfile.gettempdir()) / "stillwatch-bench"
    folder.mkdir(exist_ok=True)
    gear = Gear.from_key()
    sketch(pa.array(["\u00e9" * 100]), gear)
    print(f"sketch version {SKETCH_VERSION}, with its guarantee, on one thread; {RUNS} runs of each by turns, medians")
    print("(slowest..fastest run in brackets: how quiet the machine was)")
    plain = measure(parquet("english", folder, lambda: english(ROWS)), gear)
    with tempfile.TemporaryDirectory() as work:
        several = measure(parquet("mixed", folder, lambda: mixed(Path(work))), gear)
    print(f"\nEnglish: {plain:.2f}, mixed languages: {several:.2f}, where at least {LEAST_RATIO} is wanted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
