# /// script
# requires-python = ">=3.11"
# dependencies = ["datasketch==2.0.0", "pyarrow>=22"]
# ///
"""datasketch's MinHashLSH over the prompts: uv run --script datasketch_lsh.py WORLD.

Shingles of five words, 128 permutations and a threshold of 0.5, as the project's examples for near-duplicates have it;
each prompt is asked for before it is put in.
"""

import sys
from pathlib import Path

import pyarrow.parquet as pq
from datasketch import MinHash, MinHashLSH

if __name__ == "__main__":
    index, found, n = MinHashLSH(threshold=0.5, num_perm=128), 0, 0
    for path in sorted(Path(sys.argv[1]).glob("exchanges*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(4_096, columns=["prompt"]):
            for text in batch.column(0).to_pylist():
                words = (text or "").split()
                shingles = {" ".join(words[i : i + 5]).encode() for i in range(max(1, len(words) - 4))}
                made = MinHash(num_perm=128)
                made.update_batch(shingles)
                found += bool(index.query(made))
                index.insert(n, made, check_duplication=False)
                n += 1
    print(n, "prompts,", found, "like an earlier one")
