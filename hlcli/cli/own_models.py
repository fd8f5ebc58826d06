"""`hl models add | export | import | default | show`: the user's own models."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from hlcli.cli.console import printable, progress_bar, say, warn
from hlcli.errors import UsageError

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of a model, as in `hl models list`.")
]


def show_command(
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print the card as JSON.")] = False,
) -> None:
    """Print the card of a model: what it learned from, how, and what was measured."""
    from hlcli.model.exchange import card_of
    from hlcli.zoo.card_text import card_markdown
    from hlcli.zoo.manifest import find_model, zoo_dir

    manifest = find_model(name)
    page = manifest.folder / f"{name}.md"
    if as_json:
        typer.echo(card_of(manifest).to_json(), nl=False)
    elif manifest.folder == zoo_dir() and page.is_file():
        typer.echo(page.read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(card_markdown(card_of(manifest)), nl=False)


def add_command(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Output folder of `hl train`, or its model.safetensors."
        ),
    ],
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="What to call it; must be free.")
    ],
    description: Annotated[
        str, typer.Option("--description", metavar="TEXT", help="One sentence for the card.")
    ] = "Trained on my own footage.",
) -> None:
    """Add what `hl train` wrote to your models, so that `--model NAME` finds it."""
    from hlcli.training.register import register_run

    # The library reads no clock.
    today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    manifest = register_run(run, name=name, created=today, description=description)
    say(f"{name} is one of your models now: {printable(str(manifest.folder))}")


def export_command(
    name: Name,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="The file to write, *.hlmodel."),
    ],
) -> None:
    """Write a detector with its card to one file, for another machine."""
    from hlcli.model.exchange import export_model

    with progress_bar(quiet=False) as progress:
        export_model(name, output, progress=progress)
    say(f"{name} is in {output}")


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `hl models export` wrote, *.hlmodel.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Give it another name.")
    ] = None,
) -> None:
    """Add a detector from a file to your models, after checking every part of it."""
    from hlcli.model.exchange import import_model
    from hlcli.model.inspection import missing_encoders

    manifest = import_model(file, name=name)
    say(f"{manifest.name} is one of your models now: {printable(str(manifest.folder))}")
    for problem in missing_encoders(manifest):
        warn(f"{manifest.name} cannot score yet: {problem}")


def default_command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Detector to take where --model names none."),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Go back to the one that comes with hl.")
    ] = False,
) -> None:
    """Choose the detector that is taken without --model; alone, print which one that is."""
    from hlcli.zoo.chosen import reset_choice
    from hlcli.zoo.manifest import default_model_name
    from hlcli.zoo.own import make_default

    if name is not None and reset:
        raise UsageError("NAME and --reset exclude each other", hint="leave one of them out")
    if reset:
        reset_choice()
    elif name is not None:
        make_default(name)
    else:
        typer.echo(default_model_name())
        return
    say(f"{default_model_name()} is taken from now on where --model names no other")
