"""The command line: scan, explain, simulate, demo."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stillwatch import __version__
from stillwatch.errors import (
    CAMPAIGNS_FOUND,
    DONE,
    ENVIRONMENT,
    INTERRUPTED,
    InputError,
    StillwatchError,
)

app = typer.Typer(
    name="stillwatch",
    help="Find, prove and explain distillation campaigns in a language-model API's own traffic logs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out_console = Console(highlight=False)
err_console = Console(stderr=True, highlight=False)

STAGES = {
    "enrich": "Reading and sketching",
    "store": "Counting",
    "workloads": "Finding recurring jobs",
    "passages": "Reading shared passages",
    "evidence": "Weighing evidence",
    "write": "Writing results",
}


def _version(show: bool) -> None:
    if show:
        print(f"stillwatch {__version__}")
        raise typer.Exit(DONE)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


class _Shown:
    """Progress on the terminal's error stream: the stage, how many exchanges, how fast, how long."""

    def __init__(self) -> None:
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            console=err_console,
            transient=True,
            disable=not err_console.is_terminal,
        )
        self._task: Any = None
        self._stage = ""
        self._since = time.monotonic()

    def __enter__(self) -> _Shown:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, stage: str, done: int) -> None:
        if stage != self._stage:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(STAGES.get(stage, stage), done="")
            self._stage, self._since = stage, time.monotonic()
        if done:
            rate = done / max(1e-3, time.monotonic() - self._since)
            self._bar.update(self._task, done=f"{done:,} exchanges, {rate:,.0f}/s")


def _settings(**given: Any) -> Any:
    from stillwatch.settings import Settings

    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"])) or "settings"
        raise InputError(f"setting {name}: {fault['msg']}") from error
    except ValueError as error:
        raise InputError(f"stillwatch.toml: {error}") from error


Targets = Annotated[
    list[str], typer.Argument(metavar="TRAFFIC...", help="Files, folders or globs of traffic.", show_default=False)
]


@app.command()
def scan(
    traffic: Targets,
    accounts: Annotated[Path | None, typer.Option(help="Account data: Parquet, JSON lines or CSV.")] = None,
    models: Annotated[Path | None, typer.Option(help="Model releases: Parquet, JSON lines or CSV.")] = None,
    format: Annotated[str, typer.Option(help="auto, canonical, litellm, otel or bedrock.")] = "auto",
    join: Annotated[
        list[Path] | None, typer.Option(help="A second source whose columns are added on the request id.")
    ] = None,
    mapping: Annotated[Path | None, typer.Option(help="TOML file that says where columns come from.")] = None,
    engine: Annotated[str, typer.Option(help="duckdb; spark is not built yet.")] = "duckdb",
    store: Annotated[Path | None, typer.Option(help="Keep rollups between scans; not built yet.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results, published whole or not at all.")] = Path(
        "stillwatch-out"
    ),
    k: Annotated[int | None, typer.Option(help="Parties that must share a passage before its text is shown.")] = None,
    memory_limit: Annotated[str | None, typer.Option(help="Memory of the engine before it spills, e.g. 4GB.")] = None,
    threads: Annotated[int | None, typer.Option(help="Cores to use.")] = None,
    sketch_key_file: Annotated[Path | None, typer.Option(help="File with the secret key of the sketch.")] = None,
) -> None:
    """Scan traffic and name the campaigns in it.

    Exit status: 0 nothing found, 3 campaigns found, 2 nothing usable in the input, 4 the environment, 130 interrupted.
    """
    from stillwatch.report import print_findings
    from stillwatch.scan import Request
    from stillwatch.scan import scan as run

    if engine != "duckdb":
        raise InputError(f"--engine {engine}: only duckdb is built; leave --engine out")
    if store is not None:
        raise InputError("--store: keeping a store between scans is not built yet; leave it out to scan at once")
    settings = _settings(k=k, memory_limit=memory_limit, threads=threads, sketch_key_file=sketch_key_file)
    request = Request(tuple(traffic), out, format, accounts, models, tuple(join or ()), mapping)
    with _Shown() as shown:
        findings = run(request, settings, shown)
    print_findings(findings, out_console)
    for warning in findings.notes:
        err_console.print(f"note: {warning}", markup=False, style="dim")
    if findings.traffic.rejected:
        err_console.print(
            f"{findings.traffic.rejected:,} records or files were set aside: {out / 'rejected.jsonl'}", markup=False
        )
    out_console.print(f"Report: {out / 'report.html'}", markup=False)
    raise typer.Exit(CAMPAIGNS_FOUND if findings.campaigns else DONE)


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
def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write the world into.")],
    world: Annotated[
        str, typer.Option(help="february-2026, or ordinary: the same traffic without campaigns.")
    ] = "february-2026",
    exchanges: Annotated[int, typer.Option(help="Rows in all, half of them background.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed: the same one gives the same world.")] = 0,
    text: Annotated[Path | None, typer.Option(help="Folder of text to draw payloads from.")] = None,
) -> None:
    """Write a labelled world of synthetic traffic, the truth apart."""
    from stillwatch.simulate import simulate as make

    with _bar("Simulating", exchanges) as advance:
        summary = make(out, world=world, exchanges=exchanges, seed=seed, text=text, progress=advance)
    out_console.print(
        f"{summary.exchanges:,} exchanges of {summary.accounts:,} accounts in {out} ({summary.world}, seed {seed})",
        markup=False,
    )


class _bar:
    """A bar on the error stream for a count that is known beforehand."""

    def __init__(self, title: str, total: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err_console,
            transient=True,
            disable=not err_console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total)

    def __enter__(self) -> Callable[[int, int], None]:
        self._bar.start()
        return lambda done, total: self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


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
    from stillwatch.scan import scan as run
    from stillwatch.simulate import simulate as make

    world = prepare(out)
    out_console.print(f"Simulating {exchanges:,} exchanges …", markup=False)
    with _bar("Simulating", exchanges) as advance:
        make(world, exchanges=exchanges, seed=seed, progress=advance)
    out_console.print("Scanning …", markup=False)
    with _Shown() as shown:
        findings = run(Request((str(world),), out / "findings"), _settings(), shown)
    print_findings(findings, out_console, truth(world))
    report = (out / "findings" / "report.html").resolve()
    out_console.print(f"Report: {report}", markup=False, soft_wrap=True)
    first = findings.campaigns[0].id if findings.campaigns else "ACCOUNT"
    out_console.print(f"Next: stillwatch explain {out / 'findings'} {first}", markup=False, soft_wrap=True)


def _fail(message: str, status: int) -> int:
    line = " ".join(message.split())
    sys.stderr.write(f"stillwatch: {line}\n")
    return status


def _guarded() -> int:
    try:
        result = app(standalone_mode=False)
        return result if isinstance(result, int) else DONE
    except StillwatchError as error:
        return _fail(str(error), error.exit_status)
    except typer._click.exceptions.ClickException as error:
        return _fail(error.format_message(), InputError.exit_status)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; nothing was published", INTERRUPTED)
    except MemoryError:
        return _fail("out of memory: give --memory-limit less, or close other programs", ENVIRONMENT)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return DONE
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        return _fail(f"{where}{reason}", ENVIRONMENT)


def main() -> None:
    """Entry point: one line for every error that a person can act on; STILLWATCH_DEBUG=1 shows where it came from."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.environ.get("STILLWATCH_DEBUG"):
        app()
    sys.exit(_guarded())


if __name__ == "__main__":
    main()
