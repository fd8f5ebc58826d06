"""A model card as Markdown, for people."""

from __future__ import annotations

from collections.abc import Sequence

from hlcli.zoo.card import FootageFile, ModelCard, TrainingSource

_WAYS = {
    "training": "trained from the beginning",
    "footage": "unlabelled footage",
    "cut": "a finished cut",
    "labels": "marked spans",
}


def card_markdown(card: ModelCard) -> str:
    """Return the card as a page; equal cards give equal pages.

    Example:
        >>> card = ModelCard(
        ...     name="weddings", description="Mine.", created="2025-11-23", hlcli_version="0.1.0"
        ... )
        >>> print(card_markdown(card), end="")
        # weddings
        <BLANKLINE>
        Mine.
        <BLANKLINE>
        * made: 2025-11-23, hl 0.1.0
    """
    facts = [f"* made: {card.created or 'date unknown'}, hl {card.hlcli_version}"]
    if card.parent is not None:
        parent = card.parent
        facts.append(
            f"* tuned from: {parent.name}, version {parent.version}, sha256 {parent.sha256}"
        )
    parts = [f"# {_plain(card.name)}", _plain(card.description), _plain("\n".join(facts))]
    if card.warnings:
        parts += ["## Know this", "\n".join(f"* {_plain(warning)}" for warning in card.warnings)]
    if card.figures:
        rows = [
            (
                figure.name,
                "-" if figure.before is None else _number(figure.before),
                _number(figure.after),
                f"{figure.num_spans} in {_files(figure.num_files)}",
                "yes" if figure.held_out else "no: it learned from them",
            )
            for figure in card.figures
        ]
        head = ("figure", "before", "after", "measured on spans", "held out")
        parts += ["## Measured", _table(head, rows)]
    if card.lessons:
        parts += [
            "## How it learned",
            "\n".join(map(_training_source, card.lessons)),
        ]
    if card.losses:
        losses = [
            (loss.name, _number(loss.first), _number(loss.last), str(loss.num_steps))
            for loss in card.losses
        ]
        parts += ["## Losses", _table(("loss", "first", "last", "steps"), losses)]
    if card.settings:
        settings = [(key, str(value)) for key, value in card.settings.items()]
        parts += ["## Settings", _table(("setting", "value"), settings)]
    if card.footage:
        parts += ["## Footage", _footage(card.footage)]
    return "\n\n".join(parts) + "\n"


def _training_source(lesson: TrainingSource) -> str:
    words = _WAYS[lesson.way]
    if lesson.file is not None:
        words += f" ({lesson.file})"
    if lesson.num_kept or lesson.num_passed or lesson.num_unmatched:
        words += f": {lesson.num_kept} spans kept, {lesson.num_passed} passed over"
    if lesson.num_unmatched:
        words += f", {lesson.num_unmatched} not found in the footage"
    return f"* {_plain(words)}"


def _footage(files: Sequence[FootageFile]) -> str:
    minutes = sum(file.seconds for file in files) / 60
    rows = [(file.file, f"{file.seconds:.1f}", file.sha256_head) for file in files]
    return f"{_files(len(files))}, {minutes:.1f} minutes\n\n" + _table(
        ("file", "seconds", "sha256 of size, first and last MiB"), rows
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _plain(text: str) -> str:
    """Take from a text what Markdown would read as a table, a link or a tag."""
    for sign in "\\|[<`":
        text = text.replace(sign, f"\\{sign}")
    return text
