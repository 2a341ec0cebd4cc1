"""Runs into a store, killed at random moments: what each leaves must be sound, and the next run must find the same.

    python -m bench.scale.kills WORLD WORK [--kills 50] [--seed N]

All days of the world's traffic but the last go into a store. Then, each time on a copy of it, the last day's run is
killed after a random part of the time that it takes undisturbed; the store is verified, and the run is made once more.
Runs are forks of this process, which has loaded everything: what is killed is the scan, not Python's start.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from bench.scale.days import cut, found
from stillwatch.scan import Request, scan
from stillwatch.settings import Settings
from stillwatch.store import sharing
from stillwatch.store.upkeep import verify


def began(world: Path, folder: Path, store: Path, files: list[Path], key: Path) -> int:
    """Begin a run in a process of its own; its id."""
    assert sharing  # loaded before the fork, as a scan loads it
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pid = os.fork()
    if pid:
        return pid
    try:
        beside = {name: world / f"{name}.parquet" for name in ("accounts", "models")}
        given = {name: path for name, path in beside.items() if path.exists()}
        scan(
            Request(tuple(map(str, files)), folder / "out", store=store, **given),
            Settings(threads=2, sketch_key_file=key),
        )
        os._exit(0)
    finally:
        sys.stderr.flush()
        os._exit(1)


def whole(world: Path, folder: Path, store: Path, files: list[Path], key: Path) -> float:
    """A run to its end; its seconds."""
    at = time.monotonic()
    _, status = os.waitpid(began(world, folder, store, files, key), 0)
    if status:
        raise SystemExit(f"{folder}: the run failed")
    return time.monotonic() - at


def main() -> None:
    """Kill runs, and say what came of each."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("world", type=Path)
    given.add_argument("work", type=Path)
    given.add_argument("--kills", type=int, default=50)
    given.add_argument("--seed", type=int, default=1)
    said = given.parse_args()
    world, work, draw = said.world, said.work, random.Random(said.seed)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    *old, new = cut(world, work / "days")
    key, store = work / "key", work / "store"
    key.write_bytes(draw.randbytes(32))
    whole(world, work / "old", work / "aged", old, key)
    shutil.copytree(work / "aged", store)
    taken = whole(world, work / "undisturbed", store, [new], key)
    undisturbed = found(work, "undisturbed")
    ended = 0
    for number in range(1, said.kills + 1):
        shutil.rmtree(store)
        shutil.copytree(work / "aged", store)
        after = draw.uniform(0, taken)
        pid = began(world, work / "killed", store, [new], key)
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        ended += status == 0
        # Nothing at the place of the result but a whole one.
        halves = [p.name for p in (work / "killed").iterdir() if not p.name.startswith(".") and p.name != "out"]
        faults = verify(store, lambda *_: None).faults
        if faults or halves:
            raise SystemExit(f"killed after {after:.2f} s: {(faults or halves)[0]}")
        whole(world, work / "after", store, [new], key)
        if found(work, "after") != undisturbed:
            raise SystemExit(f"killed after {after:.2f} s: the next run found something else")
        how = "had ended" if status == 0 else "killed"
        print(f"{number}: {how} after {after:.2f} s of {taken:.2f}: sound, and the next run found the same", flush=True)
    print(f"{said.kills - ended} killed, {ended} had ended before", flush=True)


if __name__ == "__main__":
    main()
