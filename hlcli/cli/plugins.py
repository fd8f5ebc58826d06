"""`hl plugins`: put the plugins into the programs that edit, compare them, take them out."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli.console import printable, say, stdout_console
from hlcli.cli.help import HlCommand, HlGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hlcli.plugins.install import InstallPlan, Step
    from hlcli.plugins.remove import Removal, RemovalPlan

app = typer.Typer(
    cls=HlGroup,
    help="Install, list and remove the plugins for editing programs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="resolve, premiere or blender; `hl plugins list`.")
]
AllUsers = Annotated[
    bool, typer.Option("--all-users", help="In the folders for all users of this machine.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only print what would happen; change nothing.")
]


@app.command("install", cls=HlCommand)
def install_command(
    name: Name,
    all_users: AllUsers = False,
    dry_run: DryRun = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the program is not found.")
    ] = False,
) -> None:
    """Put a plugin where its program looks, with the path of this hl in it.

    A file that is in the way is kept as NAME.backup-1; a second install changes nothing.

    Examples:
      hl plugins install resolve
      hl plugins install blender --dry-run
    """
    from hlcli.plugins.install import install, plan_install
    from hlcli.plugins.manifest import find_plugin
    from hlcli.plugins.system import System, program_path

    plugin = find_plugin(name)
    plan = plan_install(
        plugin, System.current(), program=program_path(), all_users=all_users, force=force
    )
    if dry_run:
        for step in plan.steps:
            typer.echo(printable(_step_words(step)))
        return
    install(plan)
    for step in plan.steps:
        say(_step_words(step))
    if plan.changes_nothing:
        say(f"{plugin.title}: all is installed already, nothing was changed")
    _say_by_hand(plan)
    say(f"in {plugin.title}: {plugin.next_step}")


@app.command("list", cls=HlCommand)
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print every field as JSON.")] = False,
) -> None:
    """List the plugins: what is installed, where, and whether it matches this hl."""
    from rich.table import Table

    from hlcli.plugins.manifest import list_plugins
    from hlcli.plugins.state import state_of
    from hlcli.plugins.system import System, program_path

    program, system = program_path(), System.current()
    states = [state_of(plugin, system, program=program) for plugin in list_plugins()]
    if as_json:
        rows = [
            {
                "name": state.plugin.name,
                "title": state.plugin.title,
                "state": state.words,
                "is_current": state.is_current,
                "files": [
                    {**dataclasses.asdict(file), "state": found} for file, found in state.files
                ],
                "new_places": list(state.new_places),
            }
            for state in states
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table(box=None)
    for title in ("name", "program", "state", "files"):
        table.add_column(title, overflow="fold", no_wrap=title == "name")
    for state in states:
        files = "\n".join(f"{found} {file.path}" for file, found in state.files)
        table.add_row(state.plugin.name, state.plugin.title, printable(state.words), _lines(files))
    stdout_console().print(table)


@app.command("remove", cls=HlCommand)
def remove_command(
    name: Name,
    all_users: Annotated[
        bool, typer.Option("--all-users", help="What was installed for all users.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Take a plugin out: only what hl installed; what it replaced comes back.

    A file that was changed since is kept.
    """
    from hlcli.plugins.manifest import find_plugin
    from hlcli.plugins.remove import plan_removal, remove
    from hlcli.plugins.system import System

    plugin = find_plugin(name)
    plan = plan_removal(plugin, System.current(), all_users=all_users)
    if dry_run:
        for step in plan.steps:
            typer.echo(printable(_removal_words(step)))
        return
    remove(plan)
    for step in plan.steps:
        say(_removal_words(step))
    _say_what_is_left(plan, plugin.title)


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))


def _step_words(step: Step) -> str:
    at = f"{step.path} ({step.edition})"
    if step.action == "replace":
        return f"replace  {at}; what is there now is kept as {step.backup}"
    if step.action == "run":
        return f"run      {_command_words(step.command)}"
    words = {"write": "write", "update": "update", "keep": "as it is", "drop": "delete"}
    return f"{words[step.action]:<8} {at}"


def _removal_words(step: Removal) -> str:
    if step.fate == "run":
        return f"run      {_command_words(step.command)}"
    if step.fate == "restore":
        return f"restore  {step.path} from {step.backup}"
    if step.fate == "changed":
        left = f"; what was there before hl is {step.backup}" if step.backup else ""
        return f"keep     {step.path}: it was changed after hl wrote it{left}"
    return f"{'delete' if step.fate == 'delete' else 'gone':<8} {step.path}"


def _command_words(command: Sequence[str]) -> str:
    if sys.platform == "win32":
        return subprocess.list2cmdline(command)
    return shlex.join(command)


def _say_by_hand(plan: InstallPlan) -> None:
    if plan.by_hand is not None:
        say(f"Adobe's installer was not found: double-click {plan.by_hand}")


def _say_what_is_left(plan: RemovalPlan, title: str) -> None:
    if not plan.steps:
        say(f"{title}: nothing is installed there, nothing was changed")
    elif plan.by_hand is not None:
        say(f'if it was installed: remove "{plan.by_hand}" in Creative Cloud, Manage plugins')
    if plan.kept:
        others = "this user" if plan.kept[0].all_users is False else "all users (--all-users)"
        say(f"{title}: what is installed for {others} stays")
