"""`hl doctor`: what this machine has, and what stands in the way of scoring."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import Annotated

import typer

from hlcli.cli.console import printable, stdout_columns

_COLOURS = {"ok": "green", "none": "bright_black", "warning": "yellow", "problem": "red"}
_INDENT = 9


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Show what this machine has and what stands in the way of scoring.

    The exit code is 1 when scoring cannot work.
    """
    from hlcli.cli.diagnosis import examine

    findings = []
    for item in examine():
        findings.append(item)
        if not as_json:
            typer.secho(f"{item.status:<{_INDENT}}", fg=_COLOURS[item.status], nl=False)
            typer.echo(_indented(f"{item.subject}: {item.detail}"))
            if item.hint:
                typer.echo(" " * _INDENT + _indented(f"hint: {item.hint}"))
    num_problems = sum(item.status == "problem" for item in findings)
    if as_json:
        report = {
            "can_score": num_problems == 0,
            "findings": [dataclasses.asdict(item) for item in findings],
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
    elif num_problems:
        typer.echo(f"{num_problems} problem{'s' * (num_problems > 1)}: scoring cannot work")
    else:
        typer.echo("scoring works here as far as can be seen")
    if num_problems:
        raise typer.Exit(1)


def _indented(text: str) -> str:
    """Break a line so that it fits beside its status, paths in one piece."""
    columns = stdout_columns()
    if columns is None:
        return printable(text)
    lines = textwrap.wrap(
        printable(text),
        max(20, columns - _INDENT),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"\n{'':<{_INDENT}}".join(lines)
