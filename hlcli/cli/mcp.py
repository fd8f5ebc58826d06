"""`hl mcp`: the tools of hl for agents, over stdin and stdout."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from hlcli.cli import options
from hlcli.errors import MediaNotFoundError, UsageError


def mcp(
    root: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            metavar="FOLDER",
            help="Folder with everything below it that the agent may use. Repeatable.  "
            "[default: the current folder]",
            show_default=False,
        ),
    ] = None,
    device: options.Device = "auto",
) -> None:
    """Offer score, moments, export, check, render and learn to an agent (Model Context Protocol).

    It speaks on stdin and stdout, and is started by the agent's program. Only files below --root
    are read or written.

    Examples:
        hl mcp --root ~/footage
    """
    if importlib.util.find_spec("mcp") is None:
        raise UsageError("the extra for agents is not installed", hint='pip install "hlcli[mcp]"')
    roots = [path.expanduser() for path in root or [Path.cwd()]]
    for path in roots:
        if not path.is_dir():
            raise MediaNotFoundError(
                f"--root: there is no folder {path}", hint="name an existing folder"
            )
    from hlcli.serve.agents import make_server

    make_server(roots, device=device).run("stdio")
