"""`stillwatch policy`, `case`, `verdict`, `appeal` and `audit`: what people do about findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from stillwatch.errors import InputError

if TYPE_CHECKING:
    from stillwatch.respond.state import State
    from stillwatch.settings import Settings

policy = typer.Typer(help="What is done about findings, by which costs and limits.", no_args_is_help=True)
case = typer.Typer(help="Questions that wait for a person.", no_args_is_help=True)
verdict = typer.Typer(help="What analysts say of findings: evidence in the next scan.", no_args_is_help=True)
appeal = typer.Typer(help="Customers' appeals against decisions.", no_args_is_help=True)
audit = typer.Typer(help="The record of every decision, verdict, policy and look at a passage.", no_args_is_help=True)
GROUPS = {"policy": policy, "case": case, "verdict": verdict, "appeal": appeal, "audit": audit}


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the command line lends to these commands: its console, its settings, its progress."""

    console: Console
    settings: Callable[[], Settings]
    progress: Callable[[], AbstractContextManager[Callable[[str, int, int | None], None]]]


Place = Annotated[
    str,
    typer.Option(
        envvar="STILLWATCH_STATE",
        help="Where decisions and cases are kept: a file, or the URL of a PostgreSQL database.",
    ),
]
Key = Annotated[
    Path | None,
    typer.Option(
        envvar="STILLWATCH_AUDIT_KEY_FILE", help="File with the key that seals the audit; else beside the state's file."
    ),
]
By = Annotated[str, typer.Option(help="Who you are: it stands in the audit.", show_default=False)]
Why = Annotated[str, typer.Option(help="Why: it stands in the audit.", show_default=False)]
Findings = Annotated[Path, typer.Argument(metavar="DIR", help="A result of scan.")]
STATE = "stillwatch.db"


@contextmanager
def _state(place: str, key: Path | None, *, there: bool = True) -> Iterator[State]:
    """The state. there: it must have been made before."""
    try:
        from stillwatch.respond.database import url_of
        from stillwatch.respond.state import State
    except ImportError as error:
        raise InputError(f"{error.name} is missing: install stillwatch[serve]") from error
    url = url_of(place)
    if there and url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise InputError(f"{place}: no state here; `stillwatch policy adopt` makes one, or give --state")
    with closing(State.open(place, key)) as state:
        yield state


def _now() -> datetime:
    return datetime.now(UTC)


def _terminal(context: typer.Context) -> Terminal:
    terminal: Terminal = context.find_root().obj
    return terminal


def _say(context: typer.Context, *lines: str) -> None:
    for line in lines:
        _terminal(context).console.print(line, markup=False, soft_wrap=True)


@policy.command("show")
def show(
    context: typer.Context,
    *,
    file: Annotated[Path | None, typer.Option(help="A policy in TOML: it is checked.")] = None,
    state: Annotated[str | None, typer.Option(help="A state: the policy in force is shown.")] = None,
    audit_key_file: Key = None,
) -> None:
    """Print a policy as TOML, every setting with its reason: the defaults, a file's, or the one in force."""
    from stillwatch.respond.policy import DEFAULTS, as_toml, read_policy

    if file is not None:
        shown = read_policy(file)
    elif state is not None:
        with _state(state, audit_key_file) as opened:
            _, shown = opened.policy()
    else:
        shown = DEFAULTS
    _say(context, as_toml(shown), "# What comes of these costs: each measure from this stated probability on.")
    for measure, least in shown.steps():
        _say(context, f"#   {measure.text}: {'never' if least is None else f'{least:.3f}'}")


@policy.command("adopt")
def adopt(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy in TOML.")],
    by: By,
    why: Why,
    enforce: Annotated[
        bool,
        typer.Option("--enforce", help="Say again that measures are to be enforced: for a policy without dry run."),
    ] = False,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Put a policy in force. One that has `dry_run = false` needs --enforce as well."""
    from stillwatch.respond.policy import read_policy

    read = read_policy(file)
    if read.dry_run == enforce:
        raise InputError(
            f"{file}: dry_run is on, and --enforce says otherwise: set dry_run = false"
            if enforce
            else f"{file}: dry_run is off: play it with `stillwatch policy replay`, then give --enforce"
        )
    with _state(state, audit_key_file, there=False) as opened, opened.changing(by, _now()) as change:
        number = change.adopt(file.read_text("utf-8"), why)
    _say(context, f"policy {number} is in force: {'measures are enforced' if enforce else 'a dry run'}")
    if enforce and not read.appeals.url:
        _say(context, "appeals.url is not set: customers are told a path of the service, which they may not reach")


@policy.command("decide")
def decide(
    context: typer.Context,
    *,
    folder: Findings,
    accounts: Annotated[Path | None, typer.Option(help="The accounts file that the scan was given.")] = None,
    store: Annotated[Path | None, typer.Option(help="The scan's store: who was seen on which address.")] = None,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Decide about the findings of a scan by the policy in force."""
    terminal = _terminal(context)
    with _state(state, audit_key_file, there=False) as opened:
        from stillwatch.respond.cycle import act_on

        applied = act_on(opened, folder, _now(), terminal.settings(), accounts=accounts, store=store)
        _, in_force = opened.policy()
    plan = applied.plan
    how = "planned (a dry run)" if in_force.dry_run else "made"
    _say(
        context, f"{len(plan.decisions):,} decisions {how}, {len(plan.ended):,} ended, {len(plan.cases):,} cases opened"
    )
    _say(context, *plan.notes)


@policy.command("replay")
def replay(
    context: typer.Context,
    *,
    traffic: Annotated[Path, typer.Argument(metavar="TRAFFIC", help="A folder of past traffic, labelled or not.")],
    file: Annotated[Path | None, typer.Option(help="The policy in TOML; else the defaults.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Days from one cycle to the next.")] = 1,
    json: Annotated[Path | None, typer.Option(help="File to write every figure into, for programs.")] = None,
) -> None:
    """Play a policy over past traffic: who would have been touched, when, with which measure, at what harm."""
    try:
        from stillwatch.respond.replay import replay as play
        from stillwatch.respond.replay import write_replay
        from stillwatch.respond.terminal import print_replay
    except ImportError as error:
        raise InputError(f"{error.name} is missing: install stillwatch[serve]") from error
    from stillwatch.respond.policy import DEFAULTS, read_policy

    terminal = _terminal(context)
    chosen = DEFAULTS if file is None else read_policy(file)
    with terminal.progress() as progress:
        replayed = play(traffic, chosen, terminal.settings(), every=every, progress=progress)
    print_replay(replayed, terminal.console)
    if json is not None:
        write_replay(replayed, json)


@case.command("list")
def list_cases(
    context: typer.Context,
    *,
    closed: Annotated[bool, typer.Option("--closed", help="Closed cases as well.")] = False,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """List the cases that wait for a person."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.terminal import print_cases

        print_cases(opened.cases(closed=closed), _terminal(context).console)


@case.command("show")
def show_case(
    context: typer.Context,
    *,
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="The case's id.")],
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Show one case, with the decisions that ever touched its account."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.terminal import print_case

        one = opened.case(case_id)
        decisions = opened.decisions(one.subject) if one.subject_kind != "campaign" else []
        said = next((a.text for a in opened.appeals() if a.case_id == case_id), None)
        cited = opened.cited(decisions[0].decision) if decisions else []
    print_case(one, decisions, said, cited, _terminal(context).console)


@case.command("close")
def close(
    context: typer.Context,
    *,
    case_id: Annotated[str, typer.Argument(metavar="CASE", help="The case's id.")],
    outcome: Annotated[
        str,
        typer.Argument(
            metavar="OUTCOME",
            help="appeal: granted or rejected; contracted: the measure; over_cap: act or leave; stolen_key: told; "
            "campaign and returned: seen.",
        ),
    ],
    by: By,
    why: Why,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Answer a case. What follows from the answer is done at once."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.answers import close_case

        close_case(opened, case_id, outcome, who=by, why=why, at=_now())
    _say(context, f"{case_id} is closed: {outcome}")


@case.command("passages")
def passages(
    context: typer.Context,
    *,
    folder: Findings,
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="A campaign of the result.")],
    by: By,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Read the passages that a campaign's accounts share. That you looked stands in the audit."""
    from stillwatch.respond.looks import passages_of

    found = passages_of(folder, campaign)
    with _state(state, audit_key_file, there=False) as opened, opened.changing(by, _now()) as change:
        for passage in found:
            change.looked(campaign, passage.id)
    for passage in found:
        _say(context, f"{passage.id}: {passage.accounts:,} accounts, {passage.exchanges:,} exchanges", passage.text, "")


@verdict.command("give")
def give(
    context: typer.Context,
    *,
    folder: Findings,
    subject: Annotated[str, typer.Argument(metavar="ID", help="A campaign, or an account that takes part in one.")],
    said: Annotated[str, typer.Argument(metavar="VERDICT", help="confirmed, dismissed or explained.")],
    by: By,
    why: Why,
    rival: Annotated[str | None, typer.Option(help="What explains it, by the name of the rival.")] = None,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Say what a campaign or an account is. A dismissal ends at once what stands against it."""
    with _state(state, audit_key_file, there=False) as opened:
        from stillwatch.respond.answers import give_verdict
        from stillwatch.respond.found import read_found

        found = read_found(folder)
        verdict_id = give_verdict(opened, found, subject, said, who=by, why=why, at=_now(), rival=rival)
    _say(context, f"{verdict_id}: {subject} {said}")


@verdict.command("list")
def list_verdicts(context: typer.Context, *, state: Place = STATE, audit_key_file: Key = None) -> None:
    """List all verdicts."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.terminal import print_verdicts

        print_verdicts(opened.verdicts(), _terminal(context).console)


@verdict.command("export")
def export(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Parquet file to write, for `scan --verdicts`.")],
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Write the verdicts for the next scan."""
    with _state(state, audit_key_file) as opened:
        _say(context, f"{opened.export_verdicts(file):,} verdicts in {file}")


@appeal.command("make")
def make(
    context: typer.Context,
    *,
    decision: Annotated[str, typer.Argument(metavar="DECISION", help="The id of a decision that stands.")],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the customer says.")],
    by: By,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Take down a customer's appeal: a case for a person, and a milder measure until then, as the policy says."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.answers import appeal as hear

        heard = hear(opened, decision, text, who=by, at=_now())
    stands = "nothing stands" if heard.stands is None else f"{heard.stands.measure.text} stands"
    _say(context, f"{heard.appeal_id}, case {heard.case_id}: {stands} until a person has looked at it")


@appeal.command("list")
def list_appeals(context: typer.Context, *, state: Place = STATE, audit_key_file: Key = None) -> None:
    """List all appeals."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.terminal import print_appeals

        print_appeals(opened.appeals(), _terminal(context).console)


@audit.command("verify")
def verify(
    context: typer.Context,
    *,
    head: Annotated[
        str | None, typer.Option(help="A head of the chain that was kept elsewhere: it must be in the chain.")
    ] = None,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Check the whole chain, and the tables against it; point at the first entry that was tampered with."""
    with _state(state, audit_key_file) as opened:
        from stillwatch.respond.audit import Head

        entries, fault = opened.verify(None if head is None else Head.of(head))
        sealed = "sealed" if opened.sealed else "not sealed, since there is no key"
    if fault is not None:
        where = f"entry {fault.no:,}" if fault.no else "beside the entries"
        raise InputError(f"{state if '@' not in state else 'the state'}: {where}: {fault.what}; {entries:,} are whole")
    _say(context, f"{entries:,} entries: all as written, {sealed}")


@audit.command("head")
def head(context: typer.Context, *, state: Place = STATE, audit_key_file: Key = None) -> None:
    """Print where the chain ends, to be kept elsewhere: what is cut off its end is seen by that alone."""
    with _state(state, audit_key_file) as opened:
        _say(context, str(opened.head()))


@audit.command("list")
def entries(
    context: typer.Context,
    *,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    state: Place = STATE,
    audit_key_file: Key = None,
) -> None:
    """Print the entries, one JSON object a line."""
    import json

    with _state(state, audit_key_file) as opened:
        for entry in opened.entries(after):
            told: dict[str, Any] = {"no": entry.no, "time": entry.time.isoformat(), "actor": entry.actor}
            told |= {"action": entry.action, "subject": entry.subject, "body": json.loads(entry.body)}
            _say(context, json.dumps(told, ensure_ascii=False))
