"""The learning curves: losses of both bases by step, and dev AP by the length of training."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np

from results_parts.ablations import Say
from results_parts.figures import COLOURS, INK, plain_axes, pyplot, save
from results_parts.lines import Measured, read_measured
from results_parts.measure import RAW
from results_parts.rows import STEPS_GROUP
from results_parts.settings import Settings
from results_parts.tables import Line, best_trivial

PANELS = {"recipe": "Losses, shipped recipe", "abstract": "Losses, network of the abstract"}


def curves_path(settings: Settings) -> Path:
    """File of the figure in the work folder."""
    return settings.work / "curves.png"


def draw_curves(settings: Settings, say: Say) -> None:
    """Draw what is there of the curves; nothing is measured, so it is always done anew.

    Raises:
        UsageError: Matplotlib is not installed.
    """
    measured = read_measured(settings)
    bases = {base: line for base in PANELS if (line := measured.base_line(base, RAW)) is not None}
    if not bases:
        say("curves: no base was measured yet, so nothing is drawn")
        return
    figure, panels = pyplot().subplots(1, 3, figsize=(11, 4.2), layout="constrained")
    for axes, (base, title) in zip(panels, PANELS.items(), strict=False):
        plain_axes(axes, title=title, x="optimiser step", y="loss, unweighted")
        if base in bases:
            _draw_losses(axes, bases[base])
    _draw_precision(panels[2], measured)
    save(figure, curves_path(settings))
    say(f"curves: drawn from {', '.join(bases)}")


def _draw_losses(axes: Any, line: Line) -> None:
    curves = [piece["losses"] for piece in line.pieces]
    names = [name for name in curves[0] if name not in ("step", "total")]
    for name, colour in zip(names, COLOURS, strict=False):
        mean = np.mean([curve[name] for curve in curves], axis=0)
        axes.plot(curves[0]["step"], mean, color=colour, label=name, linewidth=1.4)
    axes.set_yscale("log")
    _legend(axes)


def _draw_precision(axes: Any, measured: Measured) -> None:
    plain_axes(
        axes,
        title="Dev AP against training",
        x="optimiser steps in all",
        y="AP x 100, mean of 4 kinds",
    )
    named = ((RAW, "activation, picture"), ("va", "fusion, picture and sound"))
    for (reading, label), colour in zip(named, COLOURS, strict=False):
        lines = list(measured.groups.get(("recipe", reading), {}).get(STEPS_GROUP, []))
        base = measured.base_line("recipe", reading)
        lines = lines or ([base] if base is not None else [])
        if not lines:
            continue
        steps = [line.pieces[0]["recipe"]["training"]["steps"] for line in lines]
        means = [statistics.mean(line.headlines) for line in lines]
        spread = [statistics.stdev(h) if len(h := line.headlines) > 1 else 0 for line in lines]
        axes.errorbar(steps, means, yerr=spread, color=colour, label=label, marker="o", capsize=3)
    closed, base = measured.base_line("subspace", "v"), measured.base_line("recipe", RAW)
    trivial = best_trivial(base, measured.baselines) if base is not None else None
    for line, name, style in (
        (closed, "closed form, picture", "--"),
        (trivial, trivial.name if trivial is not None else "", ":"),
    ):
        if line is not None:
            value = statistics.mean(line.headlines)
            axes.axhline(value, color=INK, linestyle=style, linewidth=1, label=name)
    axes.set_ylim(0, 100)
    _legend(axes)


def _legend(axes: Any) -> None:
    # Below the axes, where it covers no curve.
    axes.legend(
        fontsize=7.5, frameon=False, labelcolor=INK, ncols=2, loc="upper center",
        bbox_to_anchor=(0.5, -0.17),
    )  # fmt: skip
    axes.xaxis.get_major_locator().set_params(integer=True)
