"""Wall time, memory and disk of whole scans by size, beside the floor and what one would take instead.

    python -m bench.scale [--sizes 0.25 1 4 16 33] [--work FOLDER] [--peers] [--seed N]

Sizes are millions of exchanges of the `february-2026` world. Every run is kept in FOLDER/results.jsonl as it ends, and
none is made twice: a broken run goes on where it was. `--again` makes the scans and floors once more.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.scale.watched import watched

SIZES = (0.25, 1.0, 4.0, 16.0, 33.0)
MILLION = 1_000_000
# A peer is given twenty minutes, and after one size that it does not finish no larger one.
PATIENCE = 1_200.0
HERE = Path(__file__).parent
PEERS = {
    "rensa": HERE / "peers" / "rensa_lsh.py",
    "datatrove": HERE / "peers" / "datatrove_minhash.py",
    "datasketch": HERE / "peers" / "datasketch_lsh.py",
    "coordination-network-toolkit": HERE / "peers" / "coordination_similarity.py",
    "Splink": HERE.parent / "peers" / "splink_accounts.py",
}
Row = dict[str, Any]


class Bench:
    """Runs and what came of them, in a folder."""

    def __init__(self, work: Path, seed: int) -> None:
        self.work, self.seed = work, seed
        work.mkdir(parents=True, exist_ok=True)
        self._lines = work / "results.jsonl"
        self.rows: list[Row] = []
        for line in self._lines.read_text("utf-8").splitlines() if self._lines.exists() else []:
            try:
                self.rows.append(json.loads(line))
            except json.JSONDecodeError:
                continue  # half a line of a run that was broken off

    def known(self, size: float, what: str) -> list[Row]:
        return [row for row in self.rows if (row["size"], row["what"]) == (size, what)]

    def note(self, size: float, what: str, **told: Any) -> None:
        row = {"size": size, "what": what, "at": time.strftime("%Y-%m-%d %H:%M"), **told}
        self.rows.append(row)
        with self._lines.open("a", encoding="utf-8") as lines:
            lines.write("\n" + json.dumps(row))
        print(json.dumps(row), file=sys.stderr, flush=True)

    def world(self, size: float) -> Path:
        """The traffic of a size, simulated once."""
        made = self.work / f"world-{size:g}"
        if not (made / "done").exists():
            shutil.rmtree(made, ignore_errors=True)
            given = ["--exchanges", str(round(size * MILLION)), "--seed", str(self.seed)]
            command = [sys.executable, "-m", "stillwatch.cli", "simulate", str(made), *given]
            ran = watched(command, self.work / "simulate.log", made)
            if ran.outcome != "done":
                raise SystemExit(f"cannot simulate {size:g} million: {self.work / 'simulate.log'}")
            (made / "done").touch()
            self.note(size, "simulate", **ran.told())
        return made

    def floor(self, size: float) -> None:
        """Three times; the median is what counts."""
        files = list(map(str, traffic(self.world(size))))
        for _ in range(3 - len(self.known(size, "floor"))):
            ran = watched(
                [sys.executable, "-m", "bench.scale.floor", *files], self.work / "floor.log", self.work / "none"
            )
            if ran.outcome != "done":
                raise SystemExit(f"no floor of {size:g} million: {self.work / 'floor.log'}")
            self.note(size, "floor", **ran.told())

    def scan(self, size: float) -> None:
        world, folder = self.world(size), self.work / "scan"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        command = [sys.executable, "-m", "bench.scale.one_scan", str(folder / "out"), str(world)]
        ran = watched(command, self.work / f"scan-{size:g}.log", folder)
        told = json.loads((folder / "stages.json").read_text()) if ran.outcome == "done" else {}
        self.note(size, "scan", **ran.told(), **told)

    def peers(self, sizes: list[float]) -> None:
        for name, path in PEERS.items():
            for size in sizes:
                if not self.known(size, name):
                    given = [str(self.world(size)), *([str(self.work / "splink.json")] if name == "Splink" else [])]
                    log = self.work / f"{path.stem}-{size:g}.log"
                    command = ["uv", "run", "--quiet", "--script", str(path), *given]
                    self.note(size, name, **watched(command, log, self.work / "none", PATIENCE).told())
                if self.known(size, name)[-1]["outcome"] != "done":
                    break


def traffic(world: Path) -> list[Path]:
    """The files of a world's exchanges: one, or a folder of several where it is large."""
    return sorted([*world.glob("exchanges*.parquet"), *world.glob("exchanges/*.parquet")])


def table(rows: list[Row]) -> str:
    """The newest of every figure, as it stands in the docs."""
    said = ["| million | floor, s | scan, s | times the floor | processor s | memory, GB | disk, GB | load |"]
    said += ["|---|---|---|---|---|---|---|---|"]
    for size in sorted({row["size"] for row in rows}):
        scans = [r for r in rows if (r["size"], r["what"]) == (size, "scan") and r["outcome"] == "done"]
        floors = [r for r in rows if (r["size"], r["what"]) == (size, "floor")][-3:]
        if scans and floors:
            scan, floor = scans[-1], statistics.median(r["seconds"] for r in floors)
            work = scan["processor"] / statistics.median(r["processor"] for r in floors)
            said.append(
                f"| {size:g} | {floor:.1f} | {scan['seconds']:.0f} | {scan['seconds'] / floor:.1f} ({work:.1f} by "
                f"processor time) | {scan['processor']:.0f} | {scan['memory'] / 1e9:.2f} | {scan['disk'] / 1e9:.2f} | "
                f"{scan['load']} |"
            )
    said += ["", "| peer | million | outcome | s | processor s | memory, GB |", "|---|---|---|---|---|---|"]
    said += [
        f"| {r['what']} | {r['size']:g} | {r['outcome']} | {r['seconds']:.0f} | {r['processor']:.0f} | "
        f"{r['memory'] / 1e9:.2f} |"
        for r in rows
        if r["what"] in PEERS
    ]
    return "\n".join(said)


def main() -> None:
    """Run what has not been run, size by size, and print the table."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--sizes", type=float, nargs="+", default=list(SIZES))
    given.add_argument("--work", type=Path, default=Path("scale"))
    given.add_argument("--seed", type=int, default=1)
    given.add_argument("--peers", action="store_true", help="run the peers as well")
    given.add_argument("--again", action="store_true", help="run floors and scans again")
    said = given.parse_args()
    bench = Bench(said.work, said.seed)
    for size in said.sizes:
        if said.again or not bench.known(size, "scan"):
            if said.again:
                bench.rows = [r for r in bench.rows if (r["size"], r["what"]) != (size, "floor")]
            bench.floor(size)
            bench.scan(size)
    if said.peers:
        bench.peers(said.sizes)
    print(table(bench.rows))


if __name__ == "__main__":
    main()
