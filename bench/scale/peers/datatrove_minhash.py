# /// script
# requires-python = ">=3.11"
# dependencies = ["datatrove[io,processing]==0.10.1", "pyarrow>=22", "spacy"]
# ///
"""datatrove's MinHash stages (signatures, buckets, clusters, filter) over the prompts: uv run --script ... WORLD.

Two tasks on two workers and the project's own settings (14 buckets of 8 hashes, five words); in a folder that is
removed at the end.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import JsonlWriter

WORKERS = 2


def main(world: Path, work: Path) -> None:
    """All four stages, one after the other."""
    settings = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)

    def run(name: str, tasks: int, *steps: object) -> None:
        LocalPipelineExecutor(
            pipeline=list(steps), tasks=tasks, workers=WORKERS, logging_dir=str(work / "logs" / name)
        ).run()

    def reader() -> ParquetReader:
        return ParquetReader(
            str(world), glob_pattern="exchanges*.parquet", text_key="prompt", id_key="exchange_id", batch_size=1_000
        )

    run("signatures", WORKERS, reader(), MinhashDedupSignature(str(work / "signatures"), config=settings))
    buckets = MinhashDedupBuckets(str(work / "signatures"), str(work / "buckets"), config=settings)
    run("buckets", settings.num_buckets, buckets)
    run("clusters", 1, MinhashDedupCluster(str(work / "buckets"), str(work / "removed"), config=settings))
    kept = JsonlWriter(str(work / "kept"))
    run("filter", WORKERS, reader(), MinhashDedupFilter(str(work / "removed")), kept)


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="datatrove-"))
    try:
        main(Path(sys.argv[1]), folder)
    finally:
        shutil.rmtree(folder)
