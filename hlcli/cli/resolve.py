"""`hl resolve`: does what the scripts in DaVinci Resolve's free edition may not do themselves."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from hlcli.cli.console import say
from hlcli.errors import UsageError

_LOOK_SECONDS = 0.25


def resolve(
    prefs: Annotated[
        list[Path] | None,
        typer.Option(
            "--prefs",
            metavar="FILE",
            help="A Fusion.prefs to look at beside those of the usual folders. Repeatable.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words but errors.")] = False,
) -> None:
    """Work for the scripts of DaVinci Resolve's free edition from 21.1 on.

    There, scripts may neither open files nor start programs. Leave this open in a terminal while
    you use Workspace > Scripts > hl Highlights; what the scripts say appears here. Resolve Studio
    and older versions do not need it. Ctrl-C ends it and the jobs it runs.

    Examples:
        hl plugins install resolve

        hl resolve
    """
    from hlcli.cli.resolve_companion import Companion
    from hlcli.lock import exclusive_lock
    from hlcli.plugins.mailbox import mailbox_dir, prefs_files
    from hlcli.plugins.system import System

    system = System.current()
    folder = mailbox_dir(system)

    def find_prefs() -> list[Path]:
        return [*prefs_files(system), *(prefs or ())]

    def refuse() -> None:
        raise UsageError(
            "hl resolve is running already", hint="use that one, or stop it with Ctrl-C first"
        )

    hint = "hl resolve needs it to talk with Resolve"
    companion = Companion(
        folder,
        find_prefs=find_prefs,
        command=(sys.executable, "-m", "hlcli"),
        say=lambda line: say(line, quiet=quiet),
        documents=system.home / "hl cuts",
    )
    with exclusive_lock(folder / "companion.lock", on_wait=refuse, hint=hint), companion:
        say("ready: choose Workspace > Scripts > hl Highlights in Resolve", quiet=quiet)
        if not find_prefs():
            say("no Fusion.prefs yet: Resolve makes it when it is started", quiet=quiet)
        say("Ctrl-C stops", quiet=quiet)
        while True:
            time.sleep(_LOOK_SECONDS)
            companion.step()
