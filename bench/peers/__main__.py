"""Stillwatch beside other detectors: one command, one table, the same worlds in one run.

    python -m bench.peers [--exchanges N] [--fresh WORLD:SEED ...] [--tuning SEED ...] [--attackers SHARE]
        [--peers NAME ...] [--minilm] [--ablation] [--minutes N] [--hours N] [--work DIR]

Prints for every kind of world a row a detector, as Markdown, and first how long it takes at most. Needs uv and a
package index. What was run before on the same worlds with the same code is not run again, so that a broken run goes on
where it was, and one that is over its hours says what it has.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.figures import Choice, Labelled, best_window, chosen, figures, finished, labelled, window_rates
from bench.peers.running import OWN, PEERS, PRODUCT, Peer, Ran, Runs, digest, without
from bench.peers.told import Told
from bench.peers.windows import SHARES
from stillwatch.evaluate.calibration import ACCUSED
from stillwatch.evidence import kinds
from stillwatch.simulate import WORLDS, simulate

SIMULATOR = PRODUCT / "simulate"
FRESH = ("february-2026:911", "summer-2026:911", "mixture:911", "look-alikes:911")
# The sentence encoder takes minutes where there are thousands of accounts, to say only how many of them are accused.
WITHOUT_MINILM = ("look-alikes",)


@dataclass(frozen=True, slots=True)
class Made:
    """The worlds of one kind."""

    tuning: tuple[Path, ...]
    fresh: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A peer on one kind of world."""

    peer: Peer
    tuning: list[Labelled]
    fresh: list[Labelled]
    runs: list[Ran]


def make(options: argparse.Namespace) -> dict[str, Made]:
    """Simulate every world, but for those that an earlier run left and the simulator as it is now made."""
    folder = options.work / "worlds" / digest([SIMULATOR])
    folder.mkdir(parents=True, exist_ok=True)

    def world(kind: str, seed: int) -> Path:
        attackers = options.attackers if "attackers" in WORLDS[kind].options else None
        share = "" if attackers is None else f"-{attackers:g}"
        path = folder / f"{kind}{share}-{options.exchanges}-{seed}"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=folder) as unfinished:
                made = Path(unfinished) / "world"
                simulate(made, world=kind, exchanges=options.exchanges, seed=seed, attackers=attackers)
                made.rename(path)
        return path

    fresh: dict[str, list[int]] = {}
    for kind, seed in options.fresh:
        fresh.setdefault(kind, []).append(seed)
    return {
        kind: Made(tuple(world(kind, s) for s in options.tuning), tuple(world(kind, s) for s in seeds))
        for kind, seeds in fresh.items()
    }


def world_and_seed(given: str) -> tuple[str, int]:
    """WORLD:SEED as it was given."""
    kind, _, seed = given.partition(":")
    if kind not in WORLDS:
        raise argparse.ArgumentTypeError(f"{given}: no such world; there are {', '.join(WORLDS)}")
    if not seed.isdigit():
        raise argparse.ArgumentTypeError(f"{given}: give a seed after a colon, e.g. {kind}:911")
    return kind, int(seed)


def run(runs: Runs, peer: Peer, made: dict[str, Made]) -> dict[str, Result]:
    """A peer on every world; one that learns is never given the world that it scores."""
    learn = [w for kind, m in made.items() for w in m.tuning]
    results = {}
    for kind, worlds in made.items():
        if kind in WITHOUT_MINILM and "minilm" in peer.options:
            continue
        first = worlds.fresh[0] if WORLDS[kind].campaigns else None
        tuning = worlds.tuning if peer.tuned else ()
        ran = [runs.run(peer, w, [x for x in learn if x != w], w == first) for w in (*tuning, *worlds.fresh)]
        several = [labelled(w, of_statistic(peer, r.told)) for w, r in zip((*tuning, *worlds.fresh), ran, strict=True)]
        count = len(tuning)
        results[kind] = Result(peer, several[:count], several[count:], ran[count:])
    return results


def of_statistic(peer: Peer, told: Told) -> Told:
    """Only what one statistic said, where several share a process."""
    return Told(
        {s: v for s, v in told.settings.items() if s.startswith(peer.statistic)},
        {s: v for s, v in told.windows.items() if s.startswith(peer.statistic)},
    )


def choice_of(results: dict[str, Result], kind: str) -> Choice | None:
    """Stillwatch accuses at its one stated probability. A peer has its best point on tuning worlds of the same kind, or
    over all kinds together where nobody of the kind is guilty; among settings that it finished in the fresh worlds."""
    result = results[kind]
    if not result.peer.tuned:
        return Choice("as it is", ACCUSED, 0.0)
    several = result.tuning if WORLDS[kind].campaigns else [w for r in results.values() for w in r.tuning]
    known = set(finished(result.fresh))
    kept = [
        Labelled(w.accounts, w.guilty, Told({s: v for s, v in w.told.settings.items() if s in known})) for w in several
    ]
    return chosen(kept) if kept else None


def most_runs(peers: Sequence[Peer], made: dict[str, Made]) -> int:
    """How many processes there are to run, where none was run before; statistics of one process run together."""
    tuned = {peer.process(): peer.tuned for peer in peers}
    skipped = {peer.process() for peer in peers if "minilm" in peer.options}
    return sum(
        len(worlds.fresh) + (len(worlds.tuning) if also_tuning else 0)
        for kind, worlds in made.items()
        for process, also_tuning in tuned.items()
        if not (kind in WITHOUT_MINILM and process in skipped)
    )


def number(value: float | None) -> str:
    """A rate with three digits."""
    return "none" if value is None else f"{value:.3f}"


def row(results: dict[str, Result], kind: str, minutes: float) -> list[str]:
    """A line of the table of accounts."""
    result, choice = results[kind], choice_of(results, kind)
    outcomes = {r.outcome for r in result.runs}
    late = "did not finish" in outcomes
    if choice is None or choice.setting not in finished(result.fresh):
        stopped = f"did not finish in {minutes:g} minutes" if late else "nothing to tune on"
        why = next((word for word in ("failed", "not run") if word in outcomes), stopped)
        return [result.peer.name, why, *[""] * 7]
    f = figures(result.fresh, choice)
    seconds = sum(r.seconds for r in result.runs) / len(result.runs)
    return [
        result.peer.name,
        str(f.accused),
        str(f.wrongly),
        number(f.precision),
        number(f.recall),
        number(f.average_precision),
        number(f.recall_at),
        f"{seconds:.0f}{' (stopped)' if late else ''}",
        f"{choice.setting}, from {choice.threshold:.4g}",
    ]


HEAD = [
    "detector", "accused", "wrongly", "precision", "recall", "AP", "recall at 0.1% of innocents",
    "processor seconds a world", "operating point",
]  # fmt: skip


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def accounts_tables(everything: Sequence[dict[str, Result]], made: dict[str, Made], minutes: float) -> None:
    """A table of accounts for every kind of world."""
    for kind in made:
        here = [results for results in everything if kind in results]
        fresh = here[0][kind].fresh
        guilty, accounts = sum(int(w.guilty.sum()) for w in fresh), sum(len(w.accounts) for w in fresh)
        print(f"\n### {kind}: {len(fresh)} fresh worlds, {accounts:,} accounts, {guilty} of them guilty\n")
        print(table(HEAD, [row(results, kind, minutes) for results in here]), flush=True)


def windows_table(everything: Sequence[dict[str, Result]], made: dict[str, Made]) -> None:
    """What share of windows is flagged, by the share of a campaign in them."""
    rows = []
    for kind in made:
        for results in everything:
            if kind not in results:
                continue
            told = [w.told for w in results[kind].fresh if w.told.windows]
            setting = best_window(told)
            if setting is not None:
                rates = window_rates(told, setting)
                rows.append([kind, results[kind].peer.name, setting, *[f"{rates[f'{s:g}']:.2f}" for s in SHARES]])
    if rows:
        print("\n### Windows flagged, by the share of a campaign in them\n")
        print(table(["world", "detector", "setting", *[f"{s:.0%}" for s in SHARES]], rows), flush=True)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--exchanges", type=int, default=20_000)
    given.add_argument("--fresh", type=world_and_seed, nargs="+", metavar="WORLD:SEED", help="the worlds to judge on",
                       default=[world_and_seed(w) for w in FRESH])  # fmt: skip
    given.add_argument("--tuning", type=int, nargs="+", default=[901], help="seeds to tune on, in each kind of world")
    given.add_argument("--attackers", type=float, help="of the world mixture")
    given.add_argument("--peers", nargs="+", help="beginnings of names; without it all")
    given.add_argument("--minilm", action="store_true", help="the statistics on a sentence encoder too: takes longest")
    given.add_argument("--ablation", action="store_true", help="Stillwatch with each view of evidence left out")
    given.add_argument("--minutes", type=float, default=4, help="of processor time, the limit of one process")
    given.add_argument("--hours", type=float, default=float("inf"), help="after these no process is begun")
    given.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "stillwatch-bench" / "peers")
    options = given.parse_args()
    asked = tuple(p.lower() for p in options.peers or [""])
    peers = [p for p in PEERS if p.name.lower().startswith(asked) and (options.minilm or "minilm" not in p.options)]
    if options.ablation:
        peers = [OWN, *[without(view) for view in sorted({kind.view for kind in kinds()})]]
        options.tuning = []
    runs = Runs(options.work, options.minutes * 60, time.monotonic() + options.hours * 3600)
    made = make(options)
    most = most_runs(peers, made)
    hours = most * options.minutes / 60
    print(f"{most} runs of {options.minutes:g} minutes at most: {hours:.1f} hours of a core", file=sys.stderr)
    everything = [run(runs, peer, made) for peer in peers]
    accounts_tables(everything, made, options.minutes)
    windows_table(everything, made)


if __name__ == "__main__":
    main()
