"""What `hl --help` and the tables show, in windows of several widths."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from hlcli import errors
from hlcli.cli import app
from hlcli.cli.help import EXIT_CODES
from hlcli.zoo.manifest import known_names


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_every_exit_code_is_listed() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {str(kind.exit_code) for kind in kinds if issubclass(kind, errors.HlError)}
    assert {code for code, _ in EXIT_CODES} == codes | {"0", "130"}
    listed = re.findall(r"^  (\d+) +\S", shown("--help").partition("Exit codes:")[2], re.M)
    assert listed == [code for code, _ in EXIT_CODES]


@pytest.mark.parametrize("command", [(), ("models",), ("plugins",)])
def test_no_summary_is_cut_off(command: tuple[str, ...]) -> None:
    text = shown(*command, "--help")
    commands = text.partition("\nCommands:\n")[2].partition("\nExit codes")[0]
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize("columns", [60, 100])
@pytest.mark.parametrize(
    "arguments", [("models", "list"), ("export", "--list-formats"), ("plugins", "list")]
)
def test_tables_fit_the_columns_that_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, columns: int, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    narrow = shown(*arguments)
    assert max(map(len, narrow.splitlines())) <= columns
    assert "\u2026" not in narrow
    if arguments == ("models", "list"):
        assert set(known_names()) <= set(narrow.split())
    # In a pipe without COLUMNS each row is one line.
    monkeypatch.delenv("COLUMNS")
    assert len(shown(*arguments).splitlines()) <= len(narrow.splitlines())
