"""`stillwatch serve`: the service, its access keys, its backups."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from stillwatch.errors import InputError

if TYPE_CHECKING:
    from stillwatch.serve.access.roles import Role
    from stillwatch.serve.settings import ServeSettings

console = Console(highlight=False)

app = typer.Typer(
    help="Run the service: take traffic in, judge it in cycles, answer gateways.", invoke_without_command=True
)
keys = typer.Typer(help="Access keys of programs.", no_args_is_help=True)
app.add_typer(keys, name="keys")

Folder = Annotated[Path | None, typer.Option(help="Folder of the service.")]


def _settings(**given: object) -> ServeSettings:
    from stillwatch.serve.settings import load

    return load(**given)


@app.callback()
def serve(
    context: typer.Context,
    *,
    folder: Folder = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Run the service: take traffic in, judge it in cycles, answer gateways.

    Settings are those of the table [serve] in stillwatch.toml and of STILLWATCH_SERVE_* in the environment.
    """
    if context.invoked_subcommand is not None:
        if any(given is not None for given in (folder, host, port)):
            raise InputError(f"stillwatch serve {context.invoked_subcommand}: options stand after the command's name")
        return
    settings = _settings(folder=folder, host=host, port=port)
    from stillwatch.serve.running import serve as run

    # The server stops in its own order; the command line's way, an exception, would cut requests off.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        run(settings, context.obj.settings())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _roles(names: list[str]) -> frozenset[Role]:
    from stillwatch.serve.access.roles import Role

    try:
        return frozenset(Role(name) for name in names)
    except ValueError as error:
        raise InputError(f"--role: takes {', '.join(Role)}, not {names}") from error


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for, such as the gateway's name.")],
    *,
    role: Annotated[list[str], typer.Option(help="ingest, decide, analyst or admin.")],
    scope: Annotated[str, typer.Option(help="Prefix of the accounts that it may speak of; by default all.")] = "",
    days: Annotated[int | None, typer.Option(min=1, max=3_650, help="Days until it expires; by default never.")] = None,
    folder: Folder = None,
) -> None:
    """Make a key and print it: it is shown this once, and kept as a digest."""
    from stillwatch.serve.access.keys import KeyFile, new

    token, kept = new(name, _roles(role), scope, timedelta(days=days) if days else None)
    KeyFile(_settings(folder=folder).keys_file).add(kept)
    print(token)  # bare, so that a script can take it


@keys.command("list")
def listed(*, folder: Folder = None) -> None:
    """Show the keys: ids, roles, scopes and times, never a key."""
    from stillwatch.serve.access.keys import KeyFile

    table = Table("id", "name", "roles", "scope", "created", "works until")
    for key in KeyFile(_settings(folder=folder).keys_file).read():
        until = "revoked" if key.revoked else f"{key.expires:%Y-%m-%d %H:%M}" if key.expires else "revoked by hand"
        roles = ", ".join(sorted(key.roles))
        table.add_row(key.id, key.name, roles, key.scope or "all", f"{key.created:%Y-%m-%d %H:%M}", until)
    console.print(table)


@keys.command("revoke")
def revoke(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
    *,
    folder: Folder = None,
) -> None:
    """End a key; a running service follows within `refresh_seconds`."""
    from stillwatch.serve.access.keys import KeyFile

    key = KeyFile(_settings(folder=folder).keys_file).end(ident)
    console.print(f"{key.id} ({key.name}) opens nothing any more", markup=False)


@keys.command("rotate")
def rotate(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
    *,
    hours: Annotated[int, typer.Option(min=0, max=720, help="Hours for which the old one still works.")] = 24,
    folder: Folder = None,
) -> None:
    """Make a key with the name, roles and scope of another, print it, and let the other expire."""
    from stillwatch.serve.access.keys import KeyFile, new

    file = KeyFile(_settings(folder=folder).keys_file)
    now = datetime.now(UTC).replace(microsecond=0)
    old = file.end(ident, now + timedelta(hours=hours))
    token, kept = new(old.name, old.roles, old.scope, old.expires - now if old.expires else None)
    file.add(kept)
    print(token)


@app.command("backup")
def backup(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder for state, store and spool.")],
    *,
    keys: Annotated[Path, typer.Option(help="A new folder for every key, to be kept apart from OUT.")],
    folder: Folder = None,
) -> None:
    """Copy a service, running or not: state, store and spool, and its keys apart."""
    from stillwatch.serve.backup import backup as copy

    told = copy(_settings(folder=folder), out, keys, context.obj.settings().sketch_key_file)
    console.print(told, markup=False, soft_wrap=True)


@app.command("restore")
def restore(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A folder that backup made.")],
    *,
    keys: Annotated[Path, typer.Option(help="The folder of keys that was made with it.")],
    folder: Folder = None,
) -> None:
    """Bring a service back from a backup, into an empty folder, and verify its audit record."""
    from stillwatch.serve.backup import restore as bring_back

    told = bring_back(_settings(folder=folder), source, keys, context.obj.settings().sketch_key_file)
    console.print(told, markup=False, soft_wrap=True)
