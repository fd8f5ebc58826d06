"""Write the reference pages that follow from the code, so that neither goes stale.

    scripts/docs            writes docs/reference/cli.md, recipe.md, the tables of formats.md and
                            the map in docs/concepts/architecture.md
    scripts/docs --check    writes nothing; exit code 1 when a page differs

The commands are read from the Typer app, the settings of a recipe from the dataclasses and the
text under their fields. No terminal width and no version of Typer changes the result.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import enum
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from hlcli import toml
from hlcli.atomic import write_text
from hlcli.cli import app
from hlcli.model.config import FusionConfig, RaslConfig, SubspaceConfig
from hlcli.timeline.formats import FORMATS, TARGETS, suffixes_for
from hlcli.training.recipe import (
    DataConfig,
    ObjectiveConfig,
    RaslRecipe,
    SubspaceRecipe,
    TrainingConfig,
)

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTE = "<!-- Written by scripts/docs; changes by hand are lost. -->"


def cli_page() -> str:
    """Every command with its arguments and options."""
    root = typer.main.get_command(app)
    lines = ["# Commands", "", NOTE, ""]
    for path, command in _commands(root, ("hl",)):
        depth = min(len(path) + 1, 4)
        lines += [f"{'#' * depth} `{' '.join(path)}`", ""]
        lines += [*_help_lines(command.help or ""), ""]
        lines += ["```", _usage(path, command), "```", ""]
        lines += _parameters(command)
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        if not inner.hidden:
            yield from _commands(inner, (*path, name))


def _help_lines(text: str) -> list[str]:
    """Markdown of a command's help; its examples become a block that can be copied."""
    before, found, after = inspect.cleandoc(text).partition("Examples:\n")
    lines = [_escaped(line) for line in before.strip().splitlines()]
    if not found:
        return lines
    examples = [line.strip() for line in after.splitlines() if line.strip()]
    return [*lines, "", "```sh", *examples, "```"]


def _usage(path: tuple[str, ...], command: Any) -> str:
    words = [*path, "[OPTIONS]"]
    if getattr(command, "commands", None):
        return " ".join([*words, "COMMAND ..."])
    for argument in _of_kind(command, "argument"):
        name = _argument_name(argument)
        words.append(name if argument.required else f"[{name}]")
    return " ".join(words)


def _parameters(command: Any) -> list[str]:
    lines: list[str] = []
    arguments, options = _of_kind(command, "argument"), _of_kind(command, "option")
    inner = [one for one in getattr(command, "commands", {}).values() if not one.hidden]
    if arguments:
        lines += ["| Argument | |", "| --- | --- |"]
        lines += [
            f"| `{_cell(_argument_name(argument))}` | {_cell(argument.help or '')} |"
            for argument in arguments
        ]
        lines.append("")
    if options:
        lines += ["| Option | Default | |", "| --- | --- | --- |"]
        for option in options:
            names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
            value = "" if option.is_flag else f" `{_cell(_value(option))}`"
            chosen = getattr(option.default, "value", option.default)
            default = "" if option.is_flag or chosen in (None, []) else f"`{chosen}`"
            lines.append(f"| {names}{value} | {default} | {_cell(_escaped(option.help or ''))} |")
        lines.append("")
    if inner:
        lines += ["| Command | |", "| --- | --- |"]
        for one in inner:
            first = inspect.cleandoc(one.help or "").partition("\n\n")[0].replace("\n", " ")
            lines.append(f"| `{one.name}` | {_cell(_escaped(first))} |")
        lines.append("")
    return lines


def _of_kind(command: Any, kind: str) -> list[Any]:
    # Completion is the shell's business and --help is the same everywhere.
    left_out = {"help", "install_completion", "show_completion"}
    return [
        param
        for param in command.params
        if param.param_type_name == kind
        and param.name not in left_out
        and not getattr(param, "hidden", False)
    ]


def _value(option: Any) -> str:
    """What an option takes: its own words, or the choices."""
    if isinstance(option.default, enum.Enum):
        return "|".join(str(choice.value) for choice in type(option.default))
    return str(option.metavar or option.name.upper())


def _argument_name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def recipe_page() -> str:
    """Every setting of a training recipe."""
    rasl, subspace = RaslRecipe(), SubspaceRecipe()
    lines = [
        "# Training recipes",
        "",
        NOTE,
        "",
        "A recipe is a TOML file. A setting left out has the default given here; an unknown key",
        "is an error that names the nearest known one. `--set KEY=VALUE` changes one setting, with",
        "dots between table and key: `--set training.steps=100`. The recipe with every setting",
        "spelled out is saved beside the model. Two that work are in",
        "[model_zoo/recipes](../../model_zoo/recipes).",
        "",
        'Every recipe starts with `kind = "rasl"` or `kind = "subspace"`; '
        "[detectors](../concepts/detectors.md)",
        "says what they are. T is the number of clips, and a clip is one second long.",
        "",
    ]
    parts: list[tuple[str, type, Any]] = [
        ("Top of a `rasl` recipe", RaslRecipe, rasl),
        ("Top of a `subspace` recipe", SubspaceRecipe, subspace),
        ("`[data]`, both kinds", DataConfig, rasl.data),
        ("`[model]` of `rasl`", RaslConfig, rasl.model),
        ("`[model]` of `subspace`", SubspaceConfig, subspace.model),
        ("`[model.fusion]`, both kinds", FusionConfig, None),
        ("`[objective]`, `rasl` only", ObjectiveConfig, rasl.objective),
        ("`[training]`, `rasl` only", TrainingConfig, rasl.training),
    ]
    for title, kind, defaults in parts:
        lines += [f"## {title}", "", inspect.cleandoc(kind.__doc__ or ""), ""]
        lines += ["| Setting | Default | |", "| --- | --- | --- |"]
        texts = field_texts(kind)
        for field in dataclasses.fields(kind):
            if field.name in ("data", "model", "objective", "training", "fusion"):
                continue
            values = [defaults] if defaults else [subspace.model.fusion, rasl.model.fusion]
            lines.append(
                f"| `{field.name}` | {_defaults(field.name, values)} | {_cell(texts[field.name])} |"
            )
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def field_texts(kind: type) -> dict[str, str]:
    """The text under each field of a dataclass, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    texts = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            texts[field.target.id] = " ".join(str(below.value.value).split())
    return texts


def _defaults(name: str, holders: list[Any]) -> str:
    shown = [_toml(getattr(holder, name)) for holder in holders]
    if len(set(shown)) == 1:
        return f"`{shown[0]}`"
    return "; ".join(
        f"{kind} `{value}`" for kind, value in zip(("subspace", "rasl"), shown, strict=True)
    )


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    # "<" would start a tag; nothing else in our help texts means something in Markdown.
    return re.sub(r"<(?=\w)", "\\<", text)


def formats_page() -> str:
    """The page on formats, with the tables of what there is."""
    text = (DOCS / "reference/formats.md").read_text(encoding="utf-8")
    before, start, rest = text.partition("<!-- formats -->\n")
    _, end, after = rest.partition("<!-- /formats -->")
    lines = [NOTE, "", "| `-o` | format | `--for` | opens in |", "| --- | --- | --- | --- |"]
    for one in FORMATS.values():
        # Of documents, and of formats with one way to write them, --for says nothing.
        several = one.kind == "timeline" and one.targets != ("generic",)
        targets = ", ".join(f"`{name}`" for name in one.targets) if several else ""
        reader = f"`{one.opens_in}`" if one.opens_in.startswith("ffmpeg ") else one.opens_in
        lines.append(f"| `{one.suffix}` | {one.title} | {targets} | {reader} |")
    lines += [
        "",
        "| `--for` | program | a folder gets | `-o` can be |",
        "| --- | --- | --- | --- |",
    ]
    for target in TARGETS.values():
        suffixes = ", ".join(f"`{suffix}`" for suffix in suffixes_for(target))
        lines.append(f"| `{target.name}` | {target.title} | `NAME{target.suffix}` | {suffixes} |")
    return before + start + "\n".join(lines) + "\n" + end + after


def architecture_page() -> str:
    """The page on the architecture, with the map that the import contract is."""
    text = (DOCS / "concepts/architecture.md").read_text(encoding="utf-8")
    before, start, rest = text.partition("<!-- map -->\n")
    _, end, after = rest.partition("<!-- /map -->")
    project = toml.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    floors = [
        floor.split(" | ") for floor in project["tool"]["importlinter"]["contracts"][0]["layers"]
    ]
    lines = [
        NOTE,
        "",
        "A room may use what lies below it; rooms of one line know nothing of each other "
        "(`lint-imports` checks it).",
        "",
        "```",
        *("".join(f"{room:<14}" for room in floor).rstrip() for floor in floors),
        "```",
        "",
        "| room | |",
        "| --- | --- |",
    ]
    for room in (room for floor in floors for room in floor):
        module = importlib.import_module(f"hlcli.{room}")
        says = (module.__doc__ or "").strip().splitlines()[0].rstrip(":.,")
        lines.append(f"| `{room}` | {_cell(says)} |")
    return before + start + "\n".join(lines) + "\n" + end + after


PAGES = {
    "reference/cli.md": cli_page,
    "reference/recipe.md": recipe_page,
    "reference/formats.md": formats_page,
    "concepts/architecture.md": architecture_page,
}
"""File under docs, and what writes it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args().check
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            write_text(path, text)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run scripts/docs")


if __name__ == "__main__":
    main()
