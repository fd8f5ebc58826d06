"""`hl models`: which models there are, where their weights are, and whether they are right."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hlcli.cli.console import printable, say, show_error, stderr_console, stdout_console
from hlcli.cli.help import HlCommand, HlGroup
from hlcli.cli.own_models import (
    Name,
    add_command,
    default_command,
    export_command,
    import_command,
    show_command,
)
from hlcli.errors import CheckpointError, HlError, size_text
from hlcli.progress import Progress, silent

if TYPE_CHECKING:
    from hlcli.zoo.manifest import ModelManifest

app = typer.Typer(
    cls=HlGroup,
    help="List, show, fetch, check and remove models; add, move and choose your own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list", cls=HlCommand)
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print every field as JSON.")] = False,
) -> None:
    """List the models: detectors first, then the encoders they need."""
    from hlcli.zoo.manifest import default_model_name, list_models

    # The list helps to put them right, so it comes first.
    troubles: list[HlError] = []
    manifests = list_models(on_bad=troubles.append)
    default = ""
    try:
        default = default_model_name()
    except CheckpointError as error:
        troubles.append(error)
    if as_json:
        rows = [_json_row(manifest, default) for manifest in manifests]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_table(manifests, default)
    _fail_with(troubles)


app.command("show", cls=HlCommand)(show_command)


@app.command("pull", cls=HlCommand)
def pull_command(name: Name) -> None:
    """Download the weights of a model, or replace damaged ones; a broken download goes on."""
    from hlcli.zoo.manifest import find_model
    from hlcli.zoo.weights import pull

    manifest = find_model(name)
    with _download_bar() as progress:
        path = pull(manifest, convert=_convert, progress=progress)
    if manifest.is_bundled:
        say(f"{manifest.name} comes with hl, nothing to download: {printable(str(path))}")
    else:
        say(f"{manifest.name} is here and verified: {printable(str(path))}")


@app.command("convert", cls=HlCommand)
def convert_command(
    name: Name,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The published package or file, or the weights out of it."
        ),
    ],
) -> None:
    """Make the weights of an encoder from a published package or file, which hl does not ship."""
    from hlcli.features.conversion import convert_weights
    from hlcli.zoo.manifest import find_model

    path = convert_weights(find_model(name), file)
    say(f"{name} is here and verified: {printable(str(path))}")


@app.command("verify", cls=HlCommand)
def verify_command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of a model; all that are here when left out."),
    ] = None,
) -> None:
    """Read the weights whole, compare them with their manifest, and replay the golden output."""
    from hlcli.cli.replay import replay
    from hlcli.zoo.manifest import find_model, list_models
    from hlcli.zoo.weights import local_path

    if name is not None:
        _verify_one(find_model(name), replay)
        return
    failed: list[HlError] = []
    for manifest in list_models(include_hidden=True, on_bad=failed.append):
        if manifest.file is None and not local_path(manifest).is_file():
            continue
        try:
            _verify_one(manifest, replay)
        except HlError as error:
            failed.append(error)
    _fail_with(failed)


@app.command("path", cls=HlCommand)
def path_command(name: Name) -> None:
    """Print where the verified weights of a model are, downloading them if need be."""
    from hlcli.zoo.manifest import find_model
    from hlcli.zoo.weights import weights_path

    with _download_bar() as progress:
        typer.echo(printable(str(weights_path(find_model(name), progress=progress))))


@app.command("remove", cls=HlCommand)
def remove_command(name: Name) -> None:
    """Delete one of your models, or the downloaded or converted weights of another."""
    from hlcli.zoo import own
    from hlcli.zoo.manifest import default_model_name, find_model
    from hlcli.zoo.weights import remove

    # By its name alone: a damaged one must go away too.
    if removed := own.remove(name):
        size = size_text(removed.size_bytes)
        say(f"removed {name}, {size} in {printable(str(removed.path))}")
        if removed.was_default:
            say(f"{default_model_name()} is taken from now on where --model names no other")
        return
    manifest = find_model(name)
    if remove(manifest):
        say(f"removed {manifest.name}")
    else:
        say(f"{manifest.name} is not here, nothing to remove")


app.command("add", cls=HlCommand)(add_command)
app.command("export", cls=HlCommand)(export_command)
app.command("import", cls=HlCommand)(import_command)
app.command("default", cls=HlCommand)(default_command)


def _fail_with(errors: Sequence[HlError]) -> None:
    """Say what could not be used, and end with the code of the first."""
    for error in errors:
        show_error(error)
    if errors:
        raise typer.Exit(errors[0].exit_code)


def _print_table(manifests: list[ModelManifest], default: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from hlcli.zoo.weights import location

    table = Table(box=None, header_style="bold")
    for title in ("", "name", "kind", "size", "where", "licence"):
        table.add_column(
            title,
            justify="right" if title == "size" else "left",
            overflow="fold",
            # What is typed after --model, and short beside the licence.
            no_wrap=title in ("name", "size"),
        )
    for item in manifests:
        mark = "*" if item.name == default else ""
        where = location(item) + (f", from {item.parent}" if item.parent else "")
        # A licence from elsewhere may look like Rich's colours.
        licence = escape(printable(item.licence))
        table.add_row(mark, item.name, item.kind, size_text(item.size_bytes), where, licence)
    stdout_console().print(table)
    if default:
        stdout_console().print("* taken when no --model is given")


def _json_row(manifest: ModelManifest, default: str) -> dict[str, Any]:
    from hlcli.zoo.weights import local_path, location

    row = {
        field.name: getattr(manifest, field.name)
        for field in dataclasses.fields(manifest)
        if field.name != "folder"
    }
    return row | {
        "default": manifest.name == default,
        "where": location(manifest),
        "path": printable(str(local_path(manifest))),
    }


def _convert(manifest: ModelManifest, archive: Path) -> Path:
    # Torch takes a second to import: only for what is not taken as it is.
    from hlcli.features.conversion import convert_weights

    return convert_weights(manifest, archive)


def _verify_one(manifest: ModelManifest, replay: Any) -> None:
    from hlcli.zoo.weights import local_path, verify

    verify(manifest, replay)
    size = size_text(local_path(manifest).stat().st_size)
    proof = "sha256 and golden output" if manifest.golden else "sha256"
    typer.echo(f"{manifest.name}: ok ({proof}, {size})")


@contextlib.contextmanager
def _download_bar() -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Bar(*columns, TransferSpeedColumn(), console=stderr_console(), transient=True) as bar:
        task = bar.add_task("", visible=False)

        def report(stage: str, done: float, total: float) -> None:
            bar.update(task, description=stage, completed=done, total=total or None, visible=True)

        yield report
