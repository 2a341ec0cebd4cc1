# /// script
# requires-python = ">=3.11"
# dependencies = ["rensa==0.5.0", "pyarrow>=22"]
# ///
"""rensa's MinHash and LSH, written in Rust, over the prompts: uv run --script rensa_lsh.py WORLD.

Shingles of five words, 128 permutations, 16 bands and a threshold of 0.5; each prompt is asked for before it is put in.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq
from rensa import RMinHash, RMinHashLSH

if __name__ == "__main__":
    index, found, n = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=16), 0, 0
    for path in sorted(Path(sys.argv[1]).glob("exchanges*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(4_096, columns=["prompt"]):
            for text in batch.column(0).to_pylist():
                words = (text or "").split()
                made = RMinHash(num_perm=128, seed=1)
                made.update([" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))])
                found += bool(index.query(made))
                index.insert(n, made)
                n += 1
    print(n, "prompts,", found, "like an earlier one")
