"""Right and wrong moments, in words and in pictures.

Research clips may be looked at here and not passed on, so there are two pictures: one with a
still of every moment, which stays in the work folder, and one of free footage alone for the page:
shots of Sintel placed in the demo video, which is of Big Buck Bunny.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from hlcli.document import find_moments
from hlcli.evaluation.composite import plan_part, read_manifest
from hlcli.evaluation.composite_plan import (
    FRAME_RATE,
    HEADLINE_KINDS,
    CompositePlan,
    CompositeSegment,
)
from hlcli.evaluation.footage import build_files
from hlcli.media.ffmpeg import thumbnail
from hlcli.moments import Moment, Selection
from hlcli.workflows.score import Pipeline
from results_parts.ablations import Say
from results_parts.cost import detectors
from results_parts.figures import INK, pyplot, save
from results_parts.measure import SPLIT
from results_parts.settings import Settings, read_piece, write_piece

DEMO = Path(__file__).resolve().parents[2] / "docs/demo/big-buck-bunny-excerpt.mp4"
SINTEL = "*sintel*.mp4"
KINDS = (*HEADLINE_KINDS, "action-50")
NUM_MOMENTS = 4
FREE_KIND = "film"
_RIGHT, _WRONG = "#3c8f5a", "#b23a48"


def examples_path(settings: Settings) -> Path:
    """File of the piece; it belongs to the weights that are in the zoo now."""
    models = [(detector.name, detector.sha256) for detector in detectors() if not detector.hidden]
    return settings.piece_path("examples", [models, KINDS, NUM_MOMENTS])


def figure_path(settings: Settings, *, is_free: bool) -> Path:
    """The picture for the page, or the one that stays here."""
    return settings.work / ("examples.png" if is_free else "examples-not-to-be-published.png")


def make_examples(settings: Settings, say: Say) -> None:
    """Build composites, score them with every detector of the zoo, and draw both pictures.

    Raises:
        HlError: A clip cannot be read, ffmpeg is missing, or matplotlib is.
    """
    pyplot()
    path, work = examples_path(settings), settings.work / "examples"
    if (piece := read_piece(path)) is None:
        piece = {"videos": [*_film(settings, work, say), *_composites(settings, work, say)]}
        write_piece(path, piece)
    else:
        say("examples: already scored")
    for is_free in (True, False):
        videos = [one for one in piece["videos"] if (one["kind"] == FREE_KIND) == is_free]
        if videos and all((work / "videos" / video["file"]).exists() for video in videos):
            _draw(videos, work / "videos", figure_path(settings, is_free=is_free))
    say("examples: drawn")


def _composites(settings: Settings, work: Path, say: Say) -> list[dict[str, Any]]:
    """The first composite of each kind; nothing is picked."""
    rows = read_manifest(settings.data)
    plans = plan_part(rows, split=SPLIT, kinds=KINDS, videos_per_kind=1, seed=0)
    return _scored(plans, folder=settings.data, rows=rows, work=work, say=say)


def _film(settings: Settings, work: Path, say: Say) -> list[dict[str, Any]]:
    """The demo video with two shots of another film as its highlights."""
    found = sorted(settings.data.glob(SINTEL))
    if not found:
        say(f"examples: no {SINTEL} among the clips, so no picture for the page")
        return []
    rows: list[dict[str, object]] = [
        {"file": str(DEMO), "source": "Big Buck Bunny", "label": None},
        {"file": str(found[0].absolute()), "source": "Sintel", "label": None},
    ]
    pieces = [(0, 0.0, 31.0), (1, 0.0, 2.4), (0, 31.0, 29.0), (1, 2.4, 2.4), (0, 60.0, 29.0)]
    segments = tuple(
        CompositeSegment(
            clip=clip,
            start_frame=round(start * FRAME_RATE),
            num_frames=round(seconds * FRAME_RATE),
            highlight=clip == 1,
        )
        for clip, start, seconds in pieces
    )
    plan = CompositePlan(name="film", kind=FREE_KIND, segments=segments)
    return _scored([plan], folder=settings.data, rows=rows, work=work, say=say)


def _scored(
    plans: Sequence[CompositePlan],
    *,
    folder: Path,
    rows: Sequence[Mapping[str, object]],
    work: Path,
    say: Say,
) -> list[dict[str, Any]]:
    files = {
        file.plan.name: file for file in build_files(plans, folder=folder, rows=rows, work=work)
    }
    videos = []
    for manifest in detectors():
        if manifest.hidden:
            continue
        pipeline = Pipeline(model_name=manifest.name, device="cpu")
        for plan in plans:
            file = files[plan.name].with_sound
            document = pipeline.score(file)
            moments = find_moments(document, Selection(top=NUM_MOMENTS, handles_seconds=0.0))
            share = sum(s.num_frames for s in plan.segments if s.highlight) / plan.num_frames
            videos.append(
                {
                    "kind": plan.kind,
                    "model": manifest.name,
                    "file": file.name,
                    "share": share,
                    "moments": [_example(moment, plan, rows) for moment in moments],
                }
            )
        say(f"examples: {len(plans)} videos scored with {manifest.name}")
    return videos


def _example(
    moment: Moment, plan: CompositePlan, rows: Sequence[Mapping[str, object]]
) -> dict[str, Any]:
    """What a moment shows, and whether at least half of it is a highlight."""
    inside = 0.0
    for start, end in plan.highlight_spans():
        first, last = max(float(start), moment.start_seconds), min(float(end), moment.end_seconds)
        inside += max(0.0, last - first)
    is_right = 2 * inside >= moment.duration_seconds
    verdict = "right" if is_right else "wrong" if inside == 0 else "wrong, too little of it"
    what, seconds = "", Fraction(0)
    for segment in plan.segments:
        row = rows[segment.clip]
        what = str(row.get("label") or f"from {row['source']}")
        seconds += Fraction(segment.num_frames, FRAME_RATE)
        if seconds > moment.peak_seconds:
            break
    return {
        "start": round(moment.start_seconds, 2),
        "end": round(moment.end_seconds, 2),
        "peak": moment.peak_seconds,
        "score": round(moment.score, 3),
        "why": moment.why,
        "what": what,
        "is_right": is_right,
        "verdict": verdict,
    }


def _draw(videos: Sequence[dict[str, Any]], folder: Path, target: Path) -> None:
    plt = pyplot()
    columns = max(len(video["moments"]) for video in videos)
    size = (2.2 * columns + 0.3, 1.95 * len(videos))
    figure, grid = plt.subplots(
        len(videos), columns, figsize=size, squeeze=False, layout="constrained"
    )
    for axes_of_row, video in zip(grid, videos, strict=True):
        for axes in axes_of_row:
            axes.set_axis_off()
        for axes, moment in zip(axes_of_row, video["moments"], strict=False):
            axes.set_axis_on()
            axes.imshow(_still(folder / video["file"], moment["peak"]))
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set(color=_RIGHT if moment["is_right"] else _WRONG, linewidth=3)
            axes.set_title(
                f"{clock(moment['start'])} to {clock(moment['end'])}, score {moment['score']:.2f}\n"
                f"{moment['what']}: {moment['verdict']}",
                fontsize=7.5, color=INK, loc="left",
            )  # fmt: skip
        axes_of_row[0].set_ylabel(f"{video['model']}, {video['kind']}", fontsize=8, color=INK)
    save(figure, target)


def _still(video: Path, seconds: float) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "still.png"
        thumbnail(video, Fraction(seconds), picture, height=120)
        return pyplot().imread(picture)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    tenths = round(10 * seconds)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
