"""Day by day: what a new day costs on a store of many days, against the same day on an empty store.

    python -m bench.scale.days WORLD WORK [--new 1] [--kills 0] [--seed N]

The world's traffic is cut by days. All but the last `--new` days go into a store, then the new ones; the same are
taken into an empty store. With `--kills` the run of the new days is killed so many times at random moments first, each
time on a copy of the aged store, which must then be sound and give what the undisturbed run found.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from bench.scale.__main__ import traffic
from bench.scale.watched import Watched, watched
from stillwatch.store.upkeep import verify

# What two runs may name differently, and where the ends of texts are put.
APART = {"id", "subject", "pool_id", "workload_id", "notes", "settings", "passages", "title", "summary"}


def cut(world: Path, folder: Path) -> list[Path]:
    """The traffic as a file a day."""
    folder.mkdir(parents=True)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    named = ", ".join(f"'{path}'" for path in traffic(world))
    files = f"read_parquet([{named}])"
    days = connection.execute(f"SELECT DISTINCT CAST(time AS DATE) AS day FROM {files} ORDER BY day").fetchall()
    made = []
    for (day,) in days:
        made.append(folder / f"{day}.parquet")
        connection.execute(
            f"COPY (SELECT * FROM {files} WHERE CAST(time AS DATE) = DATE '{day}' ORDER BY time, exchange_id) "
            f"TO '{made[-1]}' (FORMAT parquet, COMPRESSION zstd)"
        )
    return made


def command(world: Path, out: Path, store: Path | None, files: list[Path]) -> list[str]:
    given = [sys.executable, "-m", "bench.scale.one_scan", str(out), *map(str, files)]
    for name in ("accounts", "models"):
        if (world / f"{name}.parquet").exists():
            given += [f"--{name}", str(world / f"{name}.parquet")]
    # One key for all: with another one other passages are kept, and rarely something else is found.
    given += ["--key", str(files[0].parents[1] / "key")]
    return given + (["--store", str(store)] if store else [])


def run(world: Path, work: Path, store: Path | None, files: list[Path], name: str) -> tuple[Watched, dict[str, Any]]:
    out = work / name / "out"
    shutil.rmtree(out.parent, ignore_errors=True)
    out.parent.mkdir(parents=True)
    ran = watched(command(world, out, store, files), work / f"{name}.log", store or out.parent)
    if ran.outcome != "done":
        raise SystemExit(f"{name} failed: {work / f'{name}.log'}")
    told = json.loads((out.parent / "stages.json").read_text())
    print(json.dumps({"run": name, **ran.told(), **told}), flush=True)
    return ran, told


def found(work: Path, name: str) -> object:
    """The findings of a run but for what two runs may name differently."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(inner) for key, inner in value.items() if key not in APART}
        return [without(inner) for inner in value] if isinstance(value, list) else value

    return without(json.loads((work / name / "out" / "findings.json").read_text()))


def killed(world: Path, work: Path, aged: Path, files: list[Path], seconds: float) -> None:
    """A run on a copy of the aged store, killed after so many seconds; what it leaves must be sound."""
    store = work / "killed-store"
    shutil.rmtree(store, ignore_errors=True)
    shutil.copytree(aged, store)
    shutil.rmtree(work / "killed", ignore_errors=True)
    (work / "killed").mkdir()
    process = subprocess.Popen(command(world, work / "killed" / "out", store, files), stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    faults = verify(store, lambda *_: None).faults
    if faults:
        raise SystemExit(f"killed after {seconds:.2f} s: {faults[0]}")


def main() -> None:
    """Age a store, add to it, and say what each step cost."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("world", type=Path)
    given.add_argument("work", type=Path)
    given.add_argument("--new", type=int, default=1)
    given.add_argument("--kills", type=int, default=0)
    given.add_argument("--seed", type=int, default=1)
    said = given.parse_args()
    world, work = said.world, said.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    files = cut(world, work / "days")
    (work / "key").write_bytes(random.Random(said.seed).randbytes(32))
    old, new = files[: -said.new], files[-said.new :]
    run(world, work, work / "aged", old, "old days")
    shutil.copytree(work / "aged", work / "before")
    after, _ = run(world, work, work / "aged", new, "new days on the old")
    alone, _ = run(world, work, work / "empty", new, "new days alone")
    run(world, work, None, files, "one scan")
    print(f"ratio by elapsed time {after.seconds / alone.seconds:.2f}", end=", ")
    print(f"by processor time {after.processor / alone.processor:.2f}", flush=True)
    undisturbed = found(work, "new days on the old")
    print("as one scan:", "yes" if undisturbed == found(work, "one scan") else "NO", flush=True)
    draw = random.Random(said.seed)
    for number in range(said.kills):
        seconds = draw.uniform(0, after.seconds)
        killed(world, work, work / "before", new, seconds)
        run(world, work, work / "killed-store", new, "after a kill")
        if found(work, "after a kill") != undisturbed:
            raise SystemExit(f"killed after {seconds:.2f} s: the next run found something else")
        print(f"kill {number + 1} after {seconds:.2f} s: sound, and the next run found the same", flush=True)


if __name__ == "__main__":
    main()
