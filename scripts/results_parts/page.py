"""Writes the page from what was measured; what is missing is named as missing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hlcli.atomic import write_text
from hlcli.evaluation.composite_plan import HEADLINE_KINDS
from hlcli.evaluation.report import NOT_TRIVIAL
from hlcli.training.recipe import LOSS_NAMES, RaslRecipe
from results_parts.ablations import Say
from results_parts.lines import LOOKS, Measured, read_measured
from results_parts.measure import RAW
from results_parts.rows import ablation_rows
from results_parts.sections import (
    cost_section,
    curves_section,
    examples_section,
    failures_section,
)
from results_parts.settings import Settings
from results_parts.tables import Line, best_trivial, difference, interval, table

NOTES = ("<!-- notes: written by hand, kept by scripts/results -->", "<!-- end of the notes -->")
"""Between these two lines of the page stands what people wrote about it."""

READINGS = {
    RAW: "picture alone, the activation by itself",
    "v": "picture alone, the fusion of the base",
    "va": "picture and sound, the fusion of the base",
}
BASES = {
    "recipe": (
        "Around the shipped recipe",
        "Base: `{recipe}` as it is, trained on the part train. Each row changes one thing.",
    ),
    "abstract": (
        "Around the network of the abstract",
        "Base: the same recipe with only what the paper's abstract names, as we reconstructed it: "
        "activation `edev`, whose sign is fixed, all losses at their default weights, nothing "
        "planted. Switches of the network (depth, width, losses) show their effect here even where "
        "the shipped recipe scores with a part of its own.",
    ),
}


def write_page(settings: Settings, page: Path, say: Say) -> None:
    """Write the page, and copy its figures beside those of the other pages.

    Raises:
        OutputError: The page cannot be written.
    """
    measured = read_measured(settings)
    lines = [
        "# Results",
        "",
        f"Written by `{_command(settings)}`; do not edit what stands outside the notes. "
        "No figure of the paper is quoted, since none was available to us: what is ablated is a "
        "reconstruction from its abstract with our own equations.",
        "",
        *_how_to_read(settings, measured),
        "",
        *_notes(page),
        "",
        "## The bounds",
        "",
        *_bounds(measured),
    ]
    for base, (title, text) in BASES.items():
        lines += ["", f"## {title}", "", text.format(recipe=_shown(settings.recipe))]
        lines += _base_settings(settings, base)
        lines += _tables(measured, base)
    lines += ["", *_missing(measured)]
    images = page.parent.parent / "images"
    for section in (curves_section, cost_section, examples_section, failures_section):
        lines += ["", *section(settings, measured, images)]
    lines += ["", *_cards()]
    write_text(page, "\n".join(lines).replace("\n\n\n", "\n\n") + "\n")
    say(f"{page.name}: {measured.num_lines} rows in its tables, {len(measured.missing)} missing")


def _base_settings(settings: Settings, base: str) -> list[str]:
    """The settings of a base that readers ask for first."""
    recipe = next(row.recipe for row in ablation_rows(settings) if row.base == base)
    assert isinstance(recipe, RaslRecipe)
    weights = {name: getattr(recipe.objective, name) for name in LOSS_NAMES}
    losses = ", ".join(f"{name} {weight:g}" for name, weight in weights.items() if weight)
    return [
        f"Activation `{recipe.model.activation}`, {recipe.model.input_dim} input directions, "
        f"width {recipe.model.width}, {recipe.model.num_layers} layers, "
        f"{recipe.training.steps} steps; losses by weight: {losses}.",
    ]


def _command(settings: Settings) -> str:
    parts = ["scripts/results", "--data", "clips/", "--seeds", str(settings.seeds)]
    if settings.videos_per_kind != 40:
        parts += ["--videos-per-kind", str(settings.videos_per_kind)]
    for change in settings.overrides:
        parts += ["--set", change]
    return shlex.join(parts)


def _how_to_read(settings: Settings, measured: Measured) -> list[str]:
    return [
        "## How to read",
        "",
        f"* Average precision (AP) x 100 on feature-level composites of the part dev, "
        f"{settings.videos_per_kind} a kind; trained on the part train, no labels. "
        "**For choosing, not for promising**: figures on real files of unseen groups are in "
        "[detector.md](detector.md), the protocol in [`hl eval`](../reference/eval.md).",
        f"* *mean of 4*: {', '.join(HEADLINE_KINDS)}. *Mean of shares*: `action` with 10, 20, 35 "
        "and 50 % highlights. *sd*: standard deviation of the mean of 4 over the seeds; the seed "
        "sets the first weights, the sequences and dropout.",
        "* *minus `subspace`*: mean of 4 minus that of the closed form, fitted on the same clips "
        "and read with the same senses; in brackets 95 % by paired bootstrap over the composites. "
        "Composites share source clips, so the true uncertainty is larger.",
        "* Many rows are compared, so a row that leads by a point or two leads by chance.",
        f"* Machine: {measured.machine}",
    ]


def _notes(page: Path) -> list[str]:
    """What people wrote into the page stays."""
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    found = re.search(f"{re.escape(NOTES[0])}\n(.*?){re.escape(NOTES[1])}", old, re.S)
    return [NOTES[0], *(found[1].splitlines() if found else []), NOTES[1]]


def _bounds(measured: Measured) -> list[str]:
    """The closed form and every baseline, on the same composites."""
    if not measured.baselines:
        return ["Not measured yet."]
    groups = [
        (f"`subspace` ({looks}), {group}", lines)
        for looks in ("v", "va")
        for group, lines in measured.groups.get(("subspace", looks), {}).items()
    ]
    for line in measured.baselines:
        what = "bound" if line.row.name in NOT_TRIVIAL else "trivial"
        groups.append((f"{what} ({line.row.looks})", [line]))
    return table(groups, base=None, closed=None)


def _tables(measured: Measured, base: str) -> list[str]:
    lines: list[str] = []
    for reading, title in READINGS.items():
        groups = measured.groups.get((base, reading), {})
        lines += ["", f"### {title[0].upper()}{title[1:]} ({base})", ""]
        line = measured.base_line(base, reading)
        if line is None:
            lines += ["The base was not measured yet."]
            continue
        if reading == "v" and _equal(groups, measured.groups[base, RAW]):
            lines += ["The fusion of the base is the activation by itself: the figures are above."]
            continue
        closed = measured.base_line("subspace", LOOKS[reading])
        lines += table(list(groups.items()), base=line, closed=closed)
        lines += ["", *_summary(line, closed, measured.baselines)]
    return lines


def _equal(some: dict[str, list[Line]], others: dict[str, list[Line]]) -> bool:
    def values(groups: dict[str, list[Line]]) -> list[object]:
        return [line.row.values for lines in groups.values() for line in lines]

    return values(some) == values(others)


def _summary(base: Line, closed: Line | None, baselines: Sequence[Line]) -> list[str]:
    lines = []
    trivial = best_trivial(base, baselines)
    for name, other in (("subspace", closed), (trivial.name if trivial else "", trivial)):
        if other is None:
            lines.append(f"* `{name}` was not measured yet.")
            continue
        found = difference(base, other)
        kind = (
            "the closed form" if other is closed else "the best trivial row that looks at no more"
        )
        verdict = "ahead" if found.low > 0 else "behind" if found.high < 0 else "open"
        lines.append(f"* Base minus `{name}`, {kind}: {interval(found)}, {verdict}")
    return lines


def _missing(measured: Measured) -> list[str]:
    lines = ["## Rows that are missing", ""]
    if not measured.missing:
        return [*lines, "None."]
    names: dict[tuple[str, str], list[str]] = {}
    for row, why in measured.missing:
        group, _, name = row.rpartition("/")
        names.setdefault((group, why), []).append(name)
    return [
        *lines,
        *(
            f"* `{group or ', '.join(some)}`: {', '.join(some) + ': ' if group else ''}{why}"
            for (group, why), some in names.items()
        ),
    ]


def _cards() -> list[str]:
    return [
        "## Model cards",
        "",
        "What the models were trained on, the limits of its licence and where they fail: "
        "[rasl](../../model_zoo/rasl.md) and [subspace](../../model_zoo/subspace.md).",
    ]


def _shown(path: Path) -> str:
    return "/".join(path.parts[-3:]) if "model_zoo" in path.parts else path.name
