"""What is written is executed: commands, generated pages, interfaces, examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import hlcli
from hlcli import errors
from hlcli.cli import app
from hlcli.timeline.formats import FORMATS
from hlcli.training.recipe import read_recipe
from hlcli.workflows import requests

ROOT = Path(__file__).resolve().parents[1]
DEMO = "docs/demo"
PAGES = [
    ROOT / "README.md",
    *sorted(set((ROOT / "docs/guides").glob("*.md")) - {ROOT / "docs/guides/python.md"}),
    *sorted((ROOT / "docs/editors").glob("*.md")),
]
GUIDE = ROOT / "docs/guides/first-highlights.md"

# Words of the shell that may stand before a command.
_BEFORE_A_COMMAND = {"if", "then", "else", "do", "while", "!", "{", "time"}


def blocks(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in these languages."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [text for language, text in found if language in languages]


def shell_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of every command in a page's shell blocks, without pipes and variables."""
    for block in blocks(page, "sh", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;<>()")
            lexer.wordchars += "*?[]{}:@,+%^!$"
            words: list[str] = []
            for word in [*lexer, ";"]:
                if not set(word) <= set("|&;<>()"):
                    words.append(word)
                    continue
                while words and (words[0] in _BEFORE_A_COMMAND or re.match(r"\w+=", words[0])):
                    del words[0]
                if words:
                    yield words
                words = []


def hl_commands(page: Path) -> list[list[str]]:
    """Return the arguments of every `hl` command of a page."""
    return [words[1:] for words in shell_commands(page) if words[0].split("/")[-1] == "hl"]


def parse(arguments: list[str]) -> Any:
    """Parse a command line with the real options; returns the context of its last command."""
    command: Any = typer.main.get_command(app)
    name, context = "hl", None
    while getattr(command, "commands", None) and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    if arguments == ["--version"]:
        return context
    return command.make_context(name, list(arguments))


def test_shell_commands_are_found_in_pages(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nif HL_OFFLINE=1 hl score 'a b.mp4' | jq '.[]'; then hl doctor; fi  # hl words\n"
        "$ .venv/bin/hl export x.json \\\n  -o y.otio\n```\n```text\nhl nothing\n```\n",
        encoding="utf-8",
    )
    assert hl_commands(page) == [
        ["score", "a b.mp4"],
        ["doctor"],
        ["export", "x.json", "-o", "y.otio"],
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_documented_command_parses(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    commands = hl_commands(page)
    assert commands, "a page without a command is not in the right list"
    for arguments in commands:
        try:
            context = parse(arguments)
        except Exception as error:
            raise AssertionError(f"hl {shlex.join(arguments)}: {error}") from error
        given = context.params if context else {}
        if arguments[0] in ("score", "export"):
            selection = inspect.signature(requests.selection_of).parameters
            requests.selection_of(**{one: given[one] for one in selection if one in given})
            for output in given["output"] or []:
                assert output.endswith((*FORMATS, ".mp4", "/")), output
        if arguments[0] == "train":
            read_recipe(given["recipe"], given["overrides"] or [])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_script_that_is_named_exists(page: Path) -> None:
    for words in shell_commands(page):
        if words[0].startswith("scripts/"):
            assert os.access(ROOT / words[0], os.X_OK), words[0]


def test_commands_on_the_demo_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run them in the order of the pages, in a folder that has nothing but the demo video."""
    shutil.copytree(ROOT / DEMO, tmp_path / DEMO)
    shutil.copytree(ROOT / "model_zoo/recipes", tmp_path / "model_zoo/recipes")
    monkeypatch.chdir(tmp_path)
    shown = ""
    done: set[tuple[str, ...]] = set()
    made: set[str] = set()
    for page in PAGES:
        for arguments in hl_commands(page):
            outputs = {i + 1 for i, word in enumerate(arguments) if word in ("-o", "--output")}
            inputs = [word for i, word in enumerate(arguments) if i not in outputs]
            is_possible = any(DEMO in word or word in made for word in inputs)
            if tuple(arguments) in done or arguments[0] == "eval" or not is_possible:
                continue
            done.add(tuple(arguments))
            # A film of full size takes two minutes of the processor and shows nothing more.
            smaller = ["180p" if word == "1080p" else word for word in arguments]
            result = CliRunner().invoke(app, smaller)
            assert result.exit_code == 0, f"hl {shlex.join(arguments)}: {result.output}"
            given = parse(arguments).params
            if arguments[0] in ("score", "export"):
                for output in given["output"] or []:
                    assert Path(output).stat().st_size > 0
                    made.add(output)
            if arguments[0] == "train":
                made.add(read_recipe(given["recipe"], given["overrides"] or []).output)
            if arguments[:2] == ["models", "add"]:
                made.add(given["name"])
            if arguments[:2] == ["models", "export"]:
                made.add(str(given["output"]))
            if arguments == ["score", f"{DEMO}/big-buck-bunny-excerpt.mp4"]:
                shown = result.stdout
    assert len(done) >= 12
    assert "mine" in made
    # The table in the guide is an example; its columns are those of the program.
    (table,) = blocks(GUIDE, "text")
    assert table.splitlines()[0].split() in [line.split() for line in shown.splitlines()]
    described = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", GUIDE.read_text(encoding="utf-8"), re.M)
    assert re.findall("`([^`]+)`", " ".join(described)) == table.splitlines()[0].split()


def test_reference_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/make_reference.py"), "--check"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "40"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_error_and_its_exit_code_is_documented() -> None:
    text = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    documented = {
        name: int(code)
        for code, names in re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|", text, re.M)
        for name in re.findall(r"`(\w+)`", names)
    }
    defined = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.HlError)
    }
    assert documented == defined
    assert re.search(r"^\| 130 \|", text, re.M)


def test_every_variable_of_ours_is_documented() -> None:
    text = (ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(HL_\w+)`", text))
    read = set()
    for folder in ("hlcli", "scripts", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", "") and path.is_file():
                source = path.read_text(encoding="utf-8")
                read |= set(re.findall(r"environ(?:\.get\(|\[)\"(HL_\w+)\"", source))
                read |= set(re.findall(r"\$\{?(HL_\w+)", source))
    assert documented == read


def test_no_color_means_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        return CliRunner().invoke(app, ["score", "missing.mp4"], color=True).output

    assert "\x1b[" not in shown()
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[31m" in shown()


def test_examples_in_docstrings_work() -> None:
    results = doctest.TestResults(0, 0)
    for module in pkgutil.walk_packages(hlcli.__path__, "hlcli."):
        if module.name.endswith("__main__"):
            continue
        one = doctest.testmod(importlib.import_module(module.name))
        results = doctest.TestResults(results[0] + one[0], results[1] + one[1])
    assert results.failed == 0
    assert results.attempted >= 10
