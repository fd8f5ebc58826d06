"""`hl check`: what is known to make an editor refuse or misplace a timeline."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlcli.cli.console import say, show_error, stdout_console
from hlcli.errors import CheckError, HlError

if TYPE_CHECKING:
    from rich.table import Table

    from hlcli.timeline.check import Violation


def check(
    timelines: Annotated[
        list[str],
        typer.Argument(
            help="Timelines of any format that hl reads.", metavar="TIMELINE", show_default=False
        ),
    ],
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="PROGRAM",
            help="The program: resolve, premiere, finalcut, avid, shotcut or kdenlive; if not "
            "given, the one that hl wrote the file for, or else each that reads such a file.",
        ),
    ] = None,
    no_media: Annotated[
        bool,
        typer.Option("--no-media", help="The media is on another machine: do not look at it."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words but errors.")] = False,
) -> None:
    """Check timelines against what a program is known to refuse or misplace.

    An error is something that the program is known to refuse or to put in the wrong place; a
    warning something that it may, or that gets lost. The exit code is 8 when there are errors.

    Examples:
        hl check highlights.otio

        hl check cut.xml --for premiere --json
    """
    from hlcli.timeline.check import PROGRAMS, check_program, check_timeline, programs_of

    wanted = None if for_ is None else [check_program(for_)]
    problems: dict[tuple[Path, str], list[Violation]] = {}
    first_error: HlError | None = None
    for path in (Path(text).expanduser() for text in timelines):
        try:
            for program in wanted or programs_of(path):
                problems[path, program] = check_timeline(
                    path, target=program, look_at_media=not no_media
                )
        except HlError as error:
            show_error(error)
            first_error = first_error or error
    for program in PROGRAMS:
        _add_taken_names(problems, program)
    if as_json:
        value = [
            {
                "timeline": str(path),
                "for": program,
                "findings": [asdict(problem) for problem in found],
            }
            for (path, program), found in problems.items()
        ]
        typer.echo(json.dumps(value, indent=2))
    else:
        for (path, program), found in problems.items():
            if found:
                stdout_console().print(_table(f"{path}, for {PROGRAMS[program]}", found))
            else:
                say(f"{path}: nothing that {PROGRAMS[program]} is known to mind", quiet=quiet)
    for program, title in PROGRAMS.items():
        count = sum(
            problem.severity == "error"
            for (_, one), found in problems.items()
            for problem in found
            if one == program
        )
        if count:
            refused = CheckError(
                f"{title} would refuse or misplace this: {count} "
                f"{'error' if count == 1 else 'errors'}",
                hint="docs/reference/check.md says where each rule is from",
            )
            show_error(refused)
            first_error = first_error or refused
    if first_error is not None:
        raise typer.Exit(first_error.exit_code)


def _add_taken_names(problems: dict[tuple[Path, str], list[Violation]], target: str) -> None:
    """Find timelines of one name among several files for one program."""
    from hlcli.timeline.check.names import taken_names

    paths = [path for path, program in problems if program == target]
    for path, problem in taken_names(paths, target):
        problems[path, target].append(problem)


def _table(name: str, found: list[Violation]) -> Table:
    from rich.table import Table

    table = Table(title=name, title_justify="left", box=None, header_style="bold")
    for column in ("", "rule", "where", "what", "hint"):
        table.add_column(column, overflow="fold", no_wrap=not column)
    for problem in found:
        style = "red" if problem.severity == "error" else "yellow"
        table.add_row(
            f"[{style}]{problem.severity}[/]",
            problem.rule,
            *(_plain(text) for text in (problem.where, problem.what, problem.hint)),
        )
    return table


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
