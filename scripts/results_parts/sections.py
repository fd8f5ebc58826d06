"""The sections of the page that are no ablation: curves, cost, examples, failures."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from hlcli.atomic import write_bytes
from results_parts.cost import HOUR_SECONDS, stored_cost
from results_parts.curves import curves_path
from results_parts.examples import FREE_KIND, clock, examples_path, figure_path
from results_parts.failures import failures_path
from results_parts.lines import Measured
from results_parts.measure import RAW
from results_parts.settings import Settings, read_piece
from results_parts.tables import SHARES, Line, mean_of


def curves_section(settings: Settings, measured: Measured, images: Path) -> list[str]:
    """The figure of the learning curves."""
    lines = ["## Learning curves", ""]
    if not _publish(curves_path(settings), images / "results-curves.png"):
        return [*lines, "Not drawn yet."]
    means, spread = "", ", of one seed"
    if settings.seeds > 1:
        means, spread = "the seeds and over ", "; bars are one standard deviation over the seeds"
    return [
        *lines,
        "![Losses by step for both bases, and dev AP by the length of training]"
        "(../images/results-curves.png)",
        "",
        f"Left and middle: each loss before its weight, means over {means}up to 50 stretches of "
        f"the run. Right: each point is a training of its own with that many steps{spread}.",
    ]


def cost_section(settings: Settings, measured: Measured, images: Path) -> list[str]:
    """Parameters, training and scoring."""
    lines = ["## Cost", ""]
    if (piece := stored_cost(settings)) is None:
        lines += ["Scoring was not measured yet.", ""]
    else:
        lines += [
            f"Scoring one hour ({HOUR_SECONDS} clips) from stored features, CPU seconds of one "
            f"core. {' '.join(piece['machine'])}",
            "",
            "| model | file, MB | trained numbers | of these for the picture | picture, s per hour "
            "| picture and sound, s per hour |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            *(_cost_line(model) for model in piece["models"]),
            "",
        ]
    for base in ("recipe", "abstract"):
        line = measured.base_line(base, RAW)
        seconds = [p["train_cpu_seconds"] for p in line.pieces] if line is not None else []
        if timed := [one for one in seconds if one is not None]:
            steps = line.pieces[0]["recipe"]["training"]["steps"] if line is not None else 0
            lines.append(
                f"* Training the base `{base}`, {steps} steps from stored features: "
                f"{statistics.mean(timed):.0f} CPU seconds of one core"
            )
    return [
        *lines,
        "* Decoding and the encoders take far longer than any detector: [speed.md](speed.md)",
    ]


def _cost_line(model: dict[str, Any]) -> str:
    parameters = model["parameters"]
    seconds = model["seconds_per_hour"]
    cells = [
        f"`{model['name']}`",
        f"{model['bytes'] / 1e6:.1f}",
        f"{parameters['all']:,}" if parameters else "none, closed form",
        f"{parameters['picture']:,}" if parameters else "",
        f"{seconds['v']:.2f}",
        f"{seconds['va']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def examples_section(settings: Settings, measured: Measured, images: Path) -> list[str]:
    """Right and wrong moments."""
    lines = ["## Right and wrong moments", ""]
    if (piece := read_piece(examples_path(settings))) is None:
        return [*lines, "Not scored yet."]
    lines += [
        "The best moments of the shipped models on real files, without handles. A moment is right "
        "if at least half of it is highlight. Nothing is picked: it is the first composite of each "
        "kind of the part dev, whose clips the shipped models have seen in training, without "
        "labels.",
        "",
    ]
    if _publish(figure_path(settings, is_free=True), images / "results-examples.png"):
        lines += [
            "![Stills of the best moments of both models, framed green where right and red where "
            "wrong](../images/results-examples.png)",
            "",
            "The demo video with two shots of another film cut in, which count as the highlights. "
            "Big Buck Bunny, (c) 2008 Blender Foundation, and Sintel, (c) Blender Foundation, both "
            "CC BY 3.0.",
            "",
        ]
    lines += [
        "The clips of the composites are for research and may not be passed on, so their moments "
        "are told in words; `scripts/results --only examples` draws them for those who have them.",
        "",
        "| model | kind | highlights, % | moment | score | shows, at its best second | |",
        "| --- | --- | ---: | --- | ---: | --- | --- |",
    ]
    for video in piece["videos"]:
        if video["kind"] == FREE_KIND:
            continue
        for moment in video["moments"]:
            lines.append(
                f"| `{video['model']}` | {video['kind']} | {100 * video['share']:.0f} "
                f"| {clock(moment['start'])} to {clock(moment['end'])} | {moment['score']:.2f} "
                f"| {moment['what']} | {moment['verdict']} |"
            )
    return lines


def failures_section(settings: Settings, measured: Measured, images: Path) -> list[str]:
    """What the models do where there is nothing to find."""
    lines = ["## Where it fails", "", *_rule_lines(measured), ""]
    if (piece := read_piece(failures_path(settings))) is None:
        return [*lines, "Uniform pace and talk: not measured yet."]
    lines += [
        "**Uniform pace, and talk.** The shipped models on stored features, picture and sound: "
        "clips of a single label joined to one video, in which nothing is a highlight; and single "
        "clips of the part dev in which somebody talks (mean probability of speech at least "
        f"{piece['least_speech']}). For comparison, composites that do have a highlight (`rare`, "
        f"mean of {piece['num_composites']}). Scores lie in [0, 1]. A best score as high as that "
        "of a composite with a highlight means that the score does not tell that there was nothing "
        "to find.",
        "",
        "| video | seconds | model | best score | clips above 0.5, % |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    for one in piece["videos"]:
        lines.append(
            f"| {one['video']} | {one['seconds']:.0f} | `{one['model']}` | {one['best']:.2f} "
            f"| {100 * one['above_half']:.0f} |"
        )
    return lines


def _rule_lines(measured: Measured) -> list[str]:
    """AP where highlights are few and where they are the rule, beside a random ranking."""
    lines = [
        "**Where the highlight is the rule.** AP x 100 on `action` with more and more highlights; "
        "a random ranking gets about their share, so what counts is the distance to it.",
        "",
        "| row | 10 % | 20 % | 35 % | 50 % |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for base in ("recipe", "abstract", "subspace"):
        for reading, sides in (("v", "picture"), ("va", "picture and sound")):
            if (line := measured.base_line(base, reading)) is not None:
                lines.append(f"| `{base}`, base, {sides} {_by_share(line)}")
    for line in measured.baselines:
        if line.row.name == "random":
            lines.append(f"| {line.row.name} {_by_share(line)}")
    return lines


def _by_share(line: Line) -> str:
    return "".join(f"| {mean_of(line.row, (kind,)):.1f} " for kind in SHARES) + "|"


def _publish(figure: Path, target: Path) -> bool:
    """Copy a figure beside those of the other pages; False where it was not drawn."""
    if not figure.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, figure.read_bytes())
    return True
