"""The command line in this process."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from hlcli.cli import app


def hl(*arguments: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run(*arguments: object) -> tuple[int, str, str]:
    """Run a command; returns exit code, stdout, stderr."""
    result = hl(*arguments)
    return result.exit_code, result.stdout, result.stderr
