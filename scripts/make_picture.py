"""Draw the README's picture: the score curve of the demo video and a still of each moment.

    pip install matplotlib
    python scripts/make_picture.py      # writes docs/images/moments.png

Everything in it comes from `hl score` on the demo video.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from hlcli.media.ffmpeg import thumbnail

ROOT = Path(__file__).resolve().parents[1]
VIDEO = ROOT / "docs/demo/big-buck-bunny-excerpt.mp4"
OUTPUT = ROOT / "docs/images/moments.png"
INK, PAPER, KEPT, REST = "#e8e6e3", "#16181d", "#5fd38d", "#5a6270"


def main() -> None:
    command = [sys.executable, "-m", "hlcli", "score", str(VIDEO), "--json"]
    document = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    OUTPUT.parent.mkdir(exist_ok=True)
    figure = draw(document)
    figure.savefig(OUTPUT, dpi=110, facecolor=PAPER)
    print(OUTPUT)


def draw(document: dict[str, Any]) -> Figure:
    moments = sorted(document["moments"], key=lambda moment: moment["start_seconds"])
    ranks = {m["start_seconds"]: i for i, m in enumerate(document["moments"], start=1)}
    seconds, scores = document["video"]["duration_seconds"], document["scores"]
    figure = plt.figure(figsize=(11, 4.2), facecolor=PAPER)
    grid = figure.add_gridspec(
        2, max(1, len(moments)), height_ratios=[1.25, 1], hspace=0.28, wspace=0.06,
        left=0.045, right=0.985, top=0.9, bottom=0.12,
    )  # fmt: skip
    for column, moment in enumerate(moments):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(still(moment["peak_seconds"]))
        axes.axis("off")
        axes.set_title(
            f"#{ranks[moment['start_seconds']]}  {clock(moment['start_seconds'])}"
            f" - {clock(moment['end_seconds'])}  {moment['why']}",
            color=INK, fontsize=8.5, loc="left", pad=3,
        )  # fmt: skip
    axes = figure.add_subplot(grid[1, :])
    axes.set_facecolor(PAPER)
    edges = [*range(len(scores)), seconds]
    axes.stairs(scores, edges, fill=True, color=REST, alpha=0.55)
    for moment in moments:
        axes.axvspan(moment["start_seconds"], moment["end_seconds"], color=KEPT, alpha=0.35, lw=0)
    axes.set_xlim(0, seconds)
    axes.set_ylim(0, max(0.5, max(scores) * 1.1))
    axes.set_xlabel("seconds", color=INK, fontsize=8.5)
    axes.set_ylabel("score", color=INK, fontsize=8.5)
    axes.tick_params(colors=INK, labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(REST)
    return figure


def still(seconds: float) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "still.png"
        thumbnail(VIDEO, Fraction(seconds), picture)
        return plt.imread(picture)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{seconds % 60:04.1f}"


if __name__ == "__main__":
    main()
