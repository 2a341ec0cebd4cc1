"""Peers as processes: one at a time, each with a limit, and what they told kept so that a broken run goes on.

The limit is one of processor time, so that what a peer finishes does not depend on what else the machine does.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.peers.told import Told, read_told

HERE = Path(__file__).parent
PRODUCT = HERE.parents[1] / "src" / "stillwatch"
# Of elapsed time so many times the limit, so that a peer which waits for something ends as well. On a machine with much
# else to do a process was seen to get a fiftieth of a core.
ELAPSED = 60


@dataclass(frozen=True, slots=True)
class Peer:
    """A detector.

    command: what runs it, before the world and the file for what it tells. sources: what it is made of.
    tuned: whether its operating point is chosen on tuning worlds. learns: whether it is given them to learn from.
    statistic: of several in one process, those settings that begin with this word. windows: whether it judges windows.
    """

    name: str
    command: tuple[str, ...]
    sources: tuple[Path, ...]
    options: tuple[str, ...] = ()
    tuned: bool = True
    statistic: str = ""
    learns: bool = False
    windows: bool = False

    def process(self) -> str:
        """What is run, in a word; peers of one process share it."""
        return " ".join([self.sources[0].stem, *self.options])


def script(name: str, file: str, **more: object) -> Peer:
    """A peer in an environment of its own, made by uv from what the script says it needs."""
    path = HERE / file
    return Peer(name, ("uv", "run", "--quiet", "--script", str(path)), (path,), **more)  # type: ignore[arg-type]


def module(name: str, file: str, *others: str, **more: object) -> Peer:
    """A peer in the project's environment."""
    sources = tuple(HERE / f for f in (file, *others))
    return Peer(name, (sys.executable, "-m", f"bench.peers.{Path(file).stem}"), sources, **more)  # type: ignore[arg-type]


EMBEDDING = ("published.py", "hashed.py", "minilm.py", "windows.py")


def embedding(statistic: str, encoder: str) -> Peer:
    """One of the published statistics on one encoder's vectors; all three are computed in one process."""
    name = f"{statistic.upper()} on {'hashed n-grams' if encoder == 'hashed' else 'MiniLM'}"
    return module(
        name, "embedding.py", *EMBEDDING, options=("--encoder", encoder), statistic=statistic, windows=True
    )  # fmt: skip


OWN = module("Stillwatch", "own.py", "windows.py", tuned=False, windows=True)
PEERS = (
    OWN,
    script("coordination-network-toolkit", "coordination.py"),
    script("Splink", "splink_accounts.py"),
    *[embedding(s, e) for e in ("hashed", "minilm") for s in ("prada", "seat", "mmd")],
    script("gradient boosting", "boosted.py", learns=True),
    module("volume alone", "volume.py"),
)


def without(view: str) -> Peer:
    """Stillwatch without one view of evidence."""
    return module(f"without {view}", "own.py", options=("--without", view), tuned=False)


def digest(paths: Sequence[Path]) -> str:
    """Of the content of files, and of the files in folders."""
    found = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in {".py", ".sql", ".parquet"}:
                found.update(file.read_bytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one process. outcome: "done", "did not finish", "failed" or "not run"; seconds: of processor time;
    told holds what was finished."""

    outcome: str
    seconds: float
    told: Told


class Runs:
    """Results by what was run on what, kept as JSON lines in `folder`: nothing is run twice, nothing stale is used."""

    def __init__(self, folder: Path, limit: float, until: float = float("inf")) -> None:
        """limit: processor seconds of a process. until: time.monotonic() from which on none is begun."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._limit, self._until = folder, limit, until
        self._lines = folder / "results.jsonl"
        self._known: dict[str, dict[str, object]] = {}
        self._worlds: dict[Path, str] = {}  # digests: a world is read as often as there are peers otherwise
        for line in self._lines.read_text("utf-8").splitlines() if self._lines.exists() else []:
            try:
                said = json.loads(line)
                self._known[said["key"]] = said
            except (json.JSONDecodeError, KeyError):
                continue  # a line that a broken run left half-written is run again

    def run(self, peer: Peer, world: Path, learn: Sequence[Path], windows: bool) -> Ran:
        """Run a peer on a world, or say what it told before."""
        flags = ["--windows"] if windows and peer.windows else []
        lessons = list(learn) if peer.learns else []
        made_of = [*peer.sources, *([PRODUCT] if peer.sources[0].name == "own.py" else [])]
        contents = [digest(made_of), *map(self._digest, (world, *lessons))]
        key = hashlib.sha256(" ".join([peer.process(), *flags, *contents]).encode()).hexdigest()[:16]
        out = self._folder / f"{key}.json"
        if not self._usable(key):
            if time.monotonic() > self._until:
                return Ran("not run", 0.0, Told())
            print(f"{time.strftime('%H:%M:%S')} {peer.process()} on {world.name}", file=sys.stderr, flush=True)
            out.unlink(missing_ok=True)
            command = [*peer.command, *map(str, (world, out, *lessons)), *peer.options, *flags]
            began = time.monotonic()
            outcome, seconds = self._process(command, key)
            said = {"key": key, "peer": peer.process(), "world": world.name, "outcome": outcome, "seconds": seconds}
            said |= {"limit": self._limit, "elapsed": time.monotonic() - began}
            with self._lines.open("a", encoding="utf-8") as lines:
                lines.write("\n" + json.dumps(said))  # begun anew, whatever a broken run left half-written
            self._known[key] = said
        said = self._known[key]
        return Ran(str(said["outcome"]), float(str(said["seconds"])), read_told(out))

    def _digest(self, world: Path) -> str:
        if world not in self._worlds:
            self._worlds[world] = digest([world])
        return self._worlds[world]

    def _usable(self, key: str) -> bool:
        """Whether the outcome is known; a failure is tried again, and a stop where there is more time now."""
        known = self._known.get(key, {})
        stopped = known.get("outcome") == "did not finish" and float(str(known.get("limit", 0))) >= self._limit
        return known.get("outcome") == "done" or stopped

    def _process(self, command: list[str], key: str) -> tuple[str, float]:
        """Run to the end or to the limit, in a session of its own so that its children end with it; processor seconds
        of all its processes."""
        until = time.monotonic() + ELAPSED * self._limit
        before, used = _of_ended(), 0.0
        with (self._folder / f"{key}.log").open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=HERE.parents[1], start_new_session=True
            )  # fmt: skip
            try:
                while process.poll() is None and used < self._limit and time.monotonic() < until:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(0.2)
                    used = max(used, _used(process.pid))
                outcome = "did not finish" if process.poll() is None else "failed" if process.returncode else "done"
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        if outcome == "failed":
            print(f"  failed: {self._folder / f'{key}.log'}", file=sys.stderr)
        return outcome, max(used, _of_ended() - before)


def _of_ended() -> float:
    """Processor seconds of all processes that were started here and waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _used(pid: int) -> float:
    """Processor seconds of a process, its children, and those of them that have ended."""
    seconds = 0.0
    with suppress(psutil.Error):
        first = psutil.Process(pid)
        for one in (first, *first.children(recursive=True)):
            with suppress(psutil.Error):
                seconds += sum(one.cpu_times()[:4])  # user, system, and both of children that were waited for
    return seconds
