"""The command line: scan, explain, hunt, simulate, evaluate, store, demo, serve, watch, and what is done about it."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from stillwatch import __version__
from stillwatch.errors import (
    CAMPAIGNS_FOUND,
    DONE,
    ENVIRONMENT,
    INTERRUPTED,
    UNUSABLE_INPUT,
    InputError,
    StillwatchError,
)
from stillwatch.respond import commands as respond_commands
from stillwatch.serve import commands as serve_commands
from stillwatch.serve.ingest import commands as ingest_commands

app = typer.Typer(
    name="stillwatch",
    help="Find, prove and explain distillation campaigns in a language-model API's own traffic logs.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(serve_commands.app, name="serve")
for _name, _group in respond_commands.GROUPS.items():
    app.add_typer(_group, name=_name)
app.command("watch")(ingest_commands.watch)


class _Terminal(Console):
    """A console whose reader may leave (`| head`) without that changing what the command does or its exit status."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


out_console = _Terminal(highlight=False)
err_console = _Terminal(stderr=True, highlight=False)

STAGES = {
    "enrich": "Reading and sketching",
    "store": "Counting",
    "shared": "Finding shared passages",
    "carried": "Finding who carries them",
    "workloads": "Finding recurring jobs",
    "passages": "Reading shared passages",
    "evidence": "Weighing evidence",
    "pools": "Merging into pools",
    "members": "Finding their members",
    "write": "Writing results",
    "simulate": "Simulating",
    "verify": "Comparing with the manifest",
    "compact": "Merging parts",
    "export": "Writing exchanges",
}
# What a stage counts, where that is not exchanges.
UNITS = {"workloads": "steps", "evidence": "groups", "pools": "pools"}


class _Interrupts:
    """Ctrl-C and SIGTERM: the first raises KeyboardInterrupt, the rest are ignored so that cleaning up goes to its end.

    Some libraries turn the exception into one of their own or lose it; `asked` remembers it.
    """

    def __init__(self) -> None:
        self.asked = False
        self.says = "interrupted"

    def __call__(self, *_: object) -> None:
        if not self.asked:
            self.asked = True
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt where one was lost."""
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def saying(self, line: str) -> Iterator[None]:
        """Within the block, an interruption is told by `line`."""
        before, self.says = self.says, line
        yield
        self.says = before  # not after an error: the line is told once the block has been left


interrupts = _Interrupts()


def _version(show: bool) -> None:
    if show:
        out_console.print(f"stillwatch {__version__}", markup=False)
        raise typer.Exit(DONE)


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = respond_commands.Terminal(out_console, _settings, _Shown)
    if context.invoked_subcommand is None:
        err_console.print(context.get_help(), markup=False)
        raise typer.Exit(UNUSABLE_INPUT)


class _Shown:
    """Progress on the terminal's error stream: the stage, how much of how much, how fast, how long still.

    Nothing is shown where the error stream is no terminal: a log keeps only what has happened.
    """

    def __init__(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[so_far]}"))
        self._bar = Progress(
            *columns, TimeElapsedColumn(), console=err_console, transient=True, disable=not err_console.is_terminal
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._since = 0.0

    def __enter__(self) -> _Shown:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, stage: str, done: int, total: int | None = None) -> None:
        interrupts.check()
        now = time.monotonic()
        if stage != self._stage or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(STAGES.get(stage, stage), so_far="")
            self._stage, self._since = stage, now
        elif done:
            self._bar.update(self._task, so_far=_so_far(done, total, now - self._since, UNITS.get(stage, "exchanges")))


def _so_far(done: int, total: int | None, seconds: float, unit: str) -> str:
    rate = done / max(1e-3, seconds)
    text = f"{done:,}{f' of {total:,}' if total else ''} {unit}{f', {rate:,.0f}/s' if rate >= 1 else ''}"
    if not total or done > total:
        return text
    left = round((total - done) / rate)
    return f"{text}, {left // 60}:{left % 60:02} left"


def _settings(**given: Any) -> Any:
    from stillwatch.settings import Settings

    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        raise InputError(_fault(error, given)) from error
    except OSError as error:
        raise InputError(f"stillwatch.toml: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"stillwatch.toml: {error}") from error


def _fault(error: ValidationError, given: dict[str, Any]) -> str:
    """Which setting is wrong, why, and which of the three places it comes from."""
    fault = error.errors()[0]
    name = str(fault["loc"][0]) if fault["loc"] else "settings"
    if given.get(name) is not None:
        place = f"--{name.replace('_', '-')}"
    elif f"STILLWATCH_{name.upper()}" in {k.upper() for k in os.environ}:
        place = f"STILLWATCH_{name.upper()}"
    else:
        place = f"stillwatch.toml: {name}"
    if fault["type"] == "extra_forbidden":
        return f"{place}: no such setting; they are listed in the reference of settings"
    if fault["type"] == "string_pattern_mismatch":
        return f"{place}: {fault['input']!r} is no amount of memory; write it as 4GB or 512MB"
    return f"{place}: {fault['msg']}, not {fault['input']!r}"


@app.command()
def scan(
    *,
    traffic: Annotated[
        list[str],
        typer.Argument(metavar="TRAFFIC", help="Files, folders or globs of traffic.", show_default=False),
    ],
    accounts: Annotated[Path | None, typer.Option(help="Account data: Parquet, JSON lines or CSV.")] = None,
    models: Annotated[Path | None, typer.Option(help="Model releases: Parquet, JSON lines or CSV.")] = None,
    format: Annotated[str, typer.Option(help="auto, canonical, litellm, otel or bedrock.")] = "auto",
    join: Annotated[
        list[Path] | None, typer.Option(help="A second source whose columns are added on the request id.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="TOML file that says where columns come from.")] = None,
    engine: Annotated[str, typer.Option(help="duckdb, or spark for traffic that outgrew one machine.")] = "duckdb",
    store: Annotated[
        Path | None, typer.Option(help="Folder that keeps what was read: only new files are read, all are judged.")
    ] = None,
    verdicts: Annotated[
        Path | None, typer.Option(help="What analysts said before, from `stillwatch verdict export`.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results, published whole or not at all.")] = Path(
        "stillwatch-out"
    ),
    k: Annotated[int | None, typer.Option(help="Parties that must share a passage before its text is shown.")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="Memory of the engine before it spills, e.g. 4GB.")] = None,
    threads: Annotated[int | None, typer.Option(help="Cores to use.")] = None,
    keep_days: Annotated[
        int | None, typer.Option(help="Days of traffic that count, back from the newest exchange; by default all.")
    ] = None,
    newest: Annotated[
        int | None, typer.Option(min=1, help="Judge only so many exchanges of the store: those that came last.")
    ] = None,
    sketch_key_file: Annotated[Path | None, typer.Option(help="File with the secret key of the sketch.")] = None,
) -> None:
    """Scan traffic and name the campaigns in it.

    Exit status: 0 nothing found, 3 campaigns found, 2 nothing usable in the input, 4 the environment, 130 interrupted.
    """
    settings = _settings(
        k=k, memory_limit=memory_limit, threads=threads, keep_days=keep_days, sketch_key_file=sketch_key_file
    )

    from stillwatch.report import print_findings
    from stillwatch.scan import Request
    from stillwatch.scan import scan as find

    request = Request(
        tuple(traffic),
        out,
        format=format,
        accounts=accounts,
        models=models,
        join=tuple(join or ()),
        mapping=mapping,
        store=store,
        verdicts=verdicts,
        engine=engine,
        newest=newest,
    )
    kept = f"; files that were read to their end are in {store}" if store else ""
    with interrupts.saying(f"interrupted; nothing was published, {out} is as it was{kept}"), _Shown() as shown:
        findings = find(request, settings, shown)
    print_findings(findings, out_console)
    if findings.traffic.rejected:
        listed = "those of this scan listed" if store else "listed"
        _tell(f"records or files set aside: {findings.traffic.rejected:,}, {listed} in {out / 'rejected.jsonl'}")
    if findings.traffic.duplicates:
        _tell(f"records that repeat an exchange_id, counted once: {findings.traffic.duplicates:,}")
    out_console.print(f"Report: {out / 'report.html'}", markup=False, soft_wrap=True)
    raise typer.Exit(CAMPAIGNS_FOUND if findings.campaigns else DONE)


def _tell(line: str) -> None:
    err_console.print(line, markup=False, soft_wrap=True)


@app.command()
def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result of scan.")],
    subject: Annotated[str, typer.Argument(metavar="ID", help="An account, exchange, pool, workload or campaign.")],
) -> None:
    """Explain one id, evidence by evidence."""
    from stillwatch.explain import explain as find
    from stillwatch.report import print_explanation

    print_explanation(find(folder, subject), out_console)


@app.command()
def hunt(
    *,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result of scan.")],
    seed: Annotated[
        str,
        typer.Option(
            help="An account, key, address, passage, campaign, or any value: organisation, payment fingerprint, …",
            show_default=False,
        ),
    ],
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of asking who stands near those found.")] = 6,
    json: Annotated[Path | None, typer.Option(help="File to write all that was found into, for programs.")] = None,
    store: Annotated[Path | None, typer.Option(help="The store of the scan, whose key names values.")] = None,
    sketch_key_file: Annotated[Path | None, typer.Option(help="The key of the scan, where it had one.")] = None,
) -> None:
    """Expand from one account or indicator to what stands near it."""
    from stillwatch.hunt import hunt as find
    from stillwatch.hunt import print_hunt, write_json

    found = find(folder, seed, rounds=rounds, key_file=sketch_key_file, store=store)
    print_hunt(found, out_console)
    if json is not None:
        write_json(found, json)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write the world into.")],
    *,
    world: Annotated[
        str,
        typer.Option(help="february-2026, summer-2026, mixture or careful; look-alikes or ordinary: nobody guilty."),
    ] = "february-2026",
    exchanges: Annotated[int, typer.Option(help="Rows in all.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed: the same one gives the same world.")] = 0,
    text: Annotated[Path | None, typer.Option(help="Folder of text to draw payloads from.")] = None,
    attackers: Annotated[
        float | None, typer.Option(help="Share of accounts that attack, 0.001 to 0.5 [world mixture; default: 0.05].")
    ] = None,
    extraction: Annotated[
        float | None,
        typer.Option(help="Share of extraction in what they send, 0.05 to 1 [world mixture; default: 0.5]."),
    ] = None,
    evasions: Annotated[
        str | None, typer.Option(help="Evasions, by commas, or none [world careful; default: all].")
    ] = None,
) -> None:
    """Write a labelled world of synthetic traffic, the truth apart."""
    from stillwatch.simulate import simulate as make

    chosen = None if evasions is None else [] if evasions == "none" else [e.strip() for e in evasions.split(",")]
    with _counted("simulate") as advance:
        summary = make(
            out,
            world=world,
            exchanges=exchanges,
            seed=seed,
            text=text,
            attackers=attackers,
            extraction=extraction,
            evasions=chosen,
            progress=advance,
        )
    out_console.print(
        f"{summary.exchanges:,} exchanges of {summary.accounts:,} accounts in {out} ({summary.world}, seed {seed})",
        markup=False,
    )


@contextmanager
def _counted(stage: str) -> Iterator[Callable[[int, int], None]]:
    """Progress of one stage whose total is known."""
    with _Shown() as shown:
        shown(stage, 0)
        yield lambda done, total: shown(stage, done, total)


@app.command()
def evaluate(
    *,
    world: Annotated[Path, typer.Argument(metavar="WORLD", help="A labelled world: traffic, and truth_* files.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A result of scan of that traffic.")],
    json: Annotated[Path | None, typer.Option(help="File to write every figure into, for programs.")] = None,
    page: Annotated[Path | None, typer.Option(help="File to write a page with plots into.")] = None,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Scan as the days pass, to see how soon each is found.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="Days from one scan of --timeline to the next.")] = 1,
    newest: Annotated[
        int | None, typer.Option(min=1, help="Exchanges that each scan of --timeline judges: those that came last.")
    ] = None,
    delete_cited: Annotated[
        bool, typer.Option("--delete-cited", help="Scan without what each verdict cites, to see it fall.")
    ] = False,
) -> None:
    """Judge a scan by the truth of a labelled world."""
    if every > 1 and not timeline:
        raise InputError("--every: says how often --timeline scans; give both")
    if newest is not None and not timeline:
        raise InputError("--newest: says what --timeline judges; give both")

    from stillwatch.evaluate import evaluate as judge
    from stillwatch.evaluate import print_evaluation, write_json, write_page

    with _Shown() as shown:
        figures = judge(
            world,
            folder,
            _settings(),
            every=every if timeline else None,
            newest=newest,
            cited=delete_cited,
            progress=shown,
        )
    print_evaluation(figures, out_console)
    if json is not None:
        write_json(figures, json)
    if page is not None:
        write_page(figures, page)
        out_console.print(f"Page: {page}", markup=False, soft_wrap=True)


@app.command()
def store(
    *,
    action: Annotated[
        Literal["verify", "compact", "export"],
        typer.Argument(
            metavar="ACTION",
            help="verify: compare with the manifest; compact: merge small parts; export: write its exchanges to OUT.",
        ),
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A store that scan --store made.")],
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="Of export: a new folder, a file a day.")] = None,
) -> None:
    """Verify, compact or export a store."""
    from stillwatch.store import upkeep

    if (out is None) == (action == "export"):
        raise InputError(f"store {action}: {'give the folder to export into' if out is None else 'takes no OUT'}")
    with _counted(action) as advance:
        if out is not None:
            settings = _settings()
            limits = {"memory_limit": settings.memory_limit, "threads": settings.threads}
            said = f"{upkeep.export(folder, out, progress=advance, **limits):,} exchanges in {out}"
        elif action == "compact":
            before, after = upkeep.compact(folder, advance)
            said = f"{before:,} parts of exchanges were {after:,} when done" if before > after else "nothing to merge"
        else:
            found = upkeep.verify(folder, advance)
            for fault in found.faults:
                _tell(fault)
            if found.faults:
                raise InputError(f"{folder}: not as it was written; bring it back from a copy, or scan into a new one")
            said = (
                f"{found.exchanges:,} exchanges of {found.sources:,} sources in {found.parts:,} parts: all as written"
            )
    out_console.print(said, markup=False, soft_wrap=True)


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the world and the findings; an earlier demo there is replaced.")
    ] = Path("demo"),
    exchanges: Annotated[int, typer.Option(help="Size of the simulated world.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulated world.")] = 2026,
) -> None:
    """Simulate a world, scan it, print the findings beside the truth, write the report."""
    from stillwatch.demo import prepare, truth
    from stillwatch.report import print_findings
    from stillwatch.scan import Request
    from stillwatch.scan import scan as find
    from stillwatch.simulate import simulate as make

    world = prepare(out)
    out_console.print(f"Simulating {exchanges:,} exchanges …", markup=False)
    with _counted("simulate") as advance:
        make(world, exchanges=exchanges, seed=seed, progress=advance)
    out_console.print("Scanning …", markup=False)
    with _Shown() as shown:
        findings = find(Request((str(world),), out / "findings"), _settings(), shown)
    print_findings(findings, out_console, truth(world))
    report = (out / "findings" / "report.html").resolve()
    out_console.print(f"Report: {report}", markup=False, soft_wrap=True)
    first = findings.campaigns[0].id if findings.campaigns else "ACCOUNT"
    out_console.print(f"Next: stillwatch explain {out / 'findings'} {first}", markup=False, soft_wrap=True)


def _fail(message: str, status: int) -> int:
    line = " ".join(message.encode("utf-8", "replace").decode().split())
    with suppress(OSError, AttributeError):  # closed, or never opened: the exit status still tells
        sys.stderr.write(f"stillwatch: {line}\n")
    return status


def run() -> int:
    """Run the command; the exit status, where an error has been told in one line."""
    try:
        status = _command()
        sys.stdout.flush()
    except Exception as error:
        if not interrupts.asked:
            return _told(error)
    except KeyboardInterrupt:
        pass
    else:
        if status != INTERRUPTED:
            return status
    return _fail(interrupts.says, INTERRUPTED)


def _command() -> int:
    result = app(standalone_mode=False)
    return result if isinstance(result, int) else DONE


def _told(error: Exception) -> int:
    """Tell an error that a person can act on in one line, and give its exit status; others are raised again."""
    match error:
        case StillwatchError():
            return _fail(str(error), error.exit_status)
        case typer.TyperException():
            return _fail(error.format_message(), UNUSABLE_INPUT)
        case typer.Abort():
            return _fail(interrupts.says, INTERRUPTED)
        case MemoryError():
            return _fail("out of memory: give --memory-limit less, or close other programs", ENVIRONMENT)
        case BrokenPipeError():
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered has nobody to read it
            return DONE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
            return _fail(f"{where}{reason}", ENVIRONMENT)
    raise error


def main() -> None:
    """Entry point: one line for every error that a person can act on; STILLWATCH_DEBUG=1 shows where it came from."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupts)
    status = _command() if os.environ.get("STILLWATCH_DEBUG", "") not in ("", "0") else run()
    if interrupts.asked:
        os._exit(status)  # Python's own way out would let a second Ctrl-C change the exit status
    sys.exit(status)


if __name__ == "__main__":
    main()
