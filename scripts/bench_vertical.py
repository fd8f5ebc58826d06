"""Whether `hl render --vertical` keeps the subject: the crop against boxes made by hand.

    scripts/bench_vertical.py CLIPS

CLIPS is the folder of the clips named below. The first twelve seconds of each are framed at 9:16 by
the centre, by the method before (the centre of gravity of what changes) and by today's in one run.
A box is inside when nine tenths of it are, or, of one wider than the crop, when the crop shows
little else; a head, when all of it is.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hlcli.media.canvas import Canvas, Colour, Planes, split
from hlcli.media.probe import probe
from hlcli.media.shown import ShownFrames
from hlcli.rendering.action import LOOK_WIDTH, crop_places
from hlcli.rendering.media import look_at
from hlcli.rendering.pictures import PictureMaker
from hlcli.rendering.shots import instants
from hlcli.timeline.edit_list import Event, Source

SECONDS = 12
BOXES: dict[str, tuple[tuple[int, ...], ...]] = {
    "ucf101_subset_luke__v_BalanceBeam_g06_c05_49bc5b.mp4": (
        (12, 79, 95, 81, 90), (38, 46, 82, 46, 52), (64, 25, 40, 34, 40), (90, 0, 23, 5, 12),
    ),
    "ucf101_subset_luke__v_BalanceBeam_g03_c01_7990c5.mp4": (
        (24, 79, 88, 82, 87), (74, 73, 88, 80, 85), (123, 46, 69), (173, 31, 47, 38, 43),
    ),
    "ucf101_subset_luke__v_BalanceBeam_g07_c02_806934.mp4": (
        (13, 17, 32, 20, 26), (41, 30, 53, 40, 45), (69, 50, 67), (97, 54, 64),
    ),
    "ucf101_subset_luke__v_BalanceBeam_g04_c03_012335.mp4": (
        (20, 64, 73, 69, 72), (60, 66, 78), (100, 46, 65), (140, 40, 52, 46, 50),
    ),
    "ucf101_subset_luke__v_BalanceBeam_g14_c03_b51650.mp4": (
        (25, 45, 57, 48, 52), (75, 48, 54, 49, 53), (126, 32, 53), (176, 20, 26, 21, 24),
    ),
    "ucf101_subset_luke__v_BalanceBeam_g03_c03_37160d.mp4": (
        (12, 68, 81, 70, 74), (38, 48, 67), (63, 47, 60), (89, 35, 55, 47, 52),
    ),
    "ucf101_subset_luke__v_BasketballDunk_g15_c01_eb640b.mp4": (
        (9, 52, 66), (28, 50, 58), (48, 36, 62), (67, 40, 66),
    ),
    "ucf101_subset_luke__v_Archery_g06_c03_dec4b3.mp4": (
        (10, 40, 62, 45, 53), (32, 40, 59, 45, 53), (54, 40, 66, 45, 53), (76, 40, 59, 45, 53),
    ),
    "ucf101_subset_luke__v_Archery_g16_c01_7de3dd.mp4": (
        (19, 35, 62, 45, 56), (57, 36, 80, 40, 51), (95, 30, 80, 40, 52), (133, 30, 80, 40, 52),
    ),
    "ucf101_subset_luke__v_Archery_g03_c02_68f56e.mp4": (
        (22, 35, 68, 44, 57), (66, 31, 70, 50, 63), (110, 30, 85, 50, 63), (154, 28, 88, 60, 73),
    ),
    "ucf101_subset_luke__v_Archery_g08_c01_495282.mp4": (
        (37, 38, 78, 53, 71), (112, 42, 78, 54, 72), (187, 41, 88, 54, 72), (262, 41, 82, 51, 68),
    ),
    "ucf101_subset_luke__v_BabyCrawling_g03_c03_4531a0.mp4": (
        (24, 6, 51, 33, 51), (74, 0, 62, 44, 61), (123, 0, 57, 35, 47), (173, 5, 57, 37, 50),
    ),
    "ucf101_subset_luke__v_BabyCrawling_g08_c04_66fcc6.mp4": (
        (12, 28, 66, 35, 46), (36, 36, 73, 36, 47), (60, 46, 80, 45, 56), (84, 33, 82, 35, 49),
    ),
    "ucf101_subset_luke__v_BabyCrawling_g20_c07_8ca016.mp4": (
        (31, 45, 52, 46, 50), (94, 45, 52, 46, 51), (156, 46, 54, 47, 52), (219, 46, 57, 50, 56),
    ),
    "ucf101_subset_luke__v_BabyCrawling_g05_c01_8fbace.mp4": (
        (27, 14, 65, 51, 65), (82, 28, 75, 60, 73), (138, 31, 73, 56, 68), (193, 12, 67, 53, 67),
    ),
    "ucf101_subset_luke__v_BabyCrawling_g19_c02_ea6d6e.mp4": (
        (21, 17, 61, 44, 57), (64, 26, 66, 52, 61), (106, 34, 70, 59, 70), (149, 45, 73, 63, 73),
    ),
    "ucf101_subset_luke__v_ApplyEyeMakeup_g09_c06_d95728.mp4": (
        (23, 45, 90), (70, 45, 90), (118, 45, 90), (165, 48, 92),
    ),
    "ucf101_subset_luke__v_ApplyLipstick_g19_c02_a57598.mp4": (
        (14, 22, 68), (42, 20, 66), (70, 22, 68), (98, 22, 68),
    ),
    "foleycrafter__1_b4b154.mp4": (
        (37, 53, 58, 54, 56), (112, 58, 63, 59, 62), (187, 44, 51, 45, 49), (262, 25, 36, 28, 33),
    ),
    "moviepy__1_cdc36a.mp4": (
        (44, 25, 40), (134, 24, 36), (314, 29, 35),
    ),
    "moviepy__audrey_5642b3.mp4": (
        (27, 17, 46, 21, 36), (82, 39, 67, 39, 67), (138, 40, 68, 40, 68), (193, 53, 66, 54, 63),
    ),
    "mmaudiosep__video_gt_f72bd8.mp4": (
        (37, 5, 66), (113, 5, 66), (189, 5, 66), (265, 5, 66),
    ),
    "mmaudiosep__video_gt_9be0c9.mp4": (
        (38, 12, 77), (114, 18, 42), (190, 14, 41), (266, 14, 47),
    ),
    "foleycrafter__0_2ab75e.mp4": (
        (7, 50, 83, 50, 83), (23, 45, 78, 45, 78), (38, 53, 84, 53, 84), (54, 45, 79, 45, 79),
    ),
    "big-buck-bunny-excerpt.mp4": (
        (36, 30, 53), (108, 47, 69),
    ),
}  # fmt: skip
"""Frame; left and right edge of the subject in hundredths of the width; of its head, where seen."""

Row = npt.NDArray[np.float64]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    arguments = parser.parse_args()
    totals: dict[str, list[int]] = {}
    print("| clip | frames | centre | before | today |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, boxes in BOXES.items():
        path = arguments.clips / name
        path = path if path.exists() else Path("docs/demo") / name
        spans = _spans(path)
        cells = []
        for method, crops in spans.items():
            kept = sum(_is_inside(crops[frame], box[:2]) for frame, *box in boxes)
            heads = [(crops[frame], box[2:]) for frame, *box in boxes if len(box) == 4]
            wholly = sum(_is_inside(crop, head, least=0.99) for crop, head in heads)
            cut = sum(_is_halved(crop, head) for crop, head in heads)
            total = totals.setdefault(method, [0, 0, 0, 0, 0])
            for place, more in enumerate((kept, len(boxes), wholly, cut, len(heads))):
                total[place] += more
            cells.append(str(kept))
        print(f"| {Path(name).stem} | {len(boxes)} | {' | '.join(cells)} |", flush=True)
    for method, (inside, count, whole, halved, number) in totals.items():
        print(f"{method}: {inside} of {count} boxes inside; of {number} heads {whole} whole, "
              f"{halved} halved")  # fmt: skip


def _spans(path: Path) -> dict[str, Row]:
    """Return the left and right edge of the crop in each picture, in parts of the width."""
    info = probe(path)
    count = min(info.num_frames, math.floor(SECONDS * info.frame_rate))
    source = Source(path=str(path), frame_rate=info.frame_rate, num_frames=info.num_frames)
    event = Event(source=source, frames=range(count), record=range(count))
    height = info.height // 2 * 2
    width = round(height * Fraction(9, 32)) * 2
    colour = Colour()
    maker = PictureMaker(
        {str(path): look_at(path)},
        size=(width, height),
        frame_rate=info.frame_rate,
        colour=colour,
        vertical=True,
    )
    with ShownFrames(info) as reader:
        canvas, lefts, _ = maker.framing(event, event.record, info, reader)
        spans = {"today": _edges(lefts, canvas.width, width)}
        small_height = max(2, round(LOOK_WIDTH * info.height / info.width / 2) * 2)
        small = Canvas(info, width=LOOK_WIDTH, height=small_height, colour=colour)
        canvas = Canvas(info, width=width, height=height, colour=colour, cover=True)
        pictures = map(small.place, reader.at(instants(event, event.record, info.frame_rate)))
        path_before = _path_before(pictures, float(info.frame_rate))
        before = crop_places(path_before, whole=canvas.width, part=width)
    middle = crop_places(np.full(count, 0.5), whole=canvas.width, part=width)
    return {
        "centre": _edges(middle, canvas.width, width),
        "before": _edges(before, canvas.width, width),
        **spans,
    }


def _edges(lefts: list[int], whole: int, part: int) -> Row:
    left = np.asarray(lefts, dtype=np.float64)
    return np.stack([left, left + part], axis=1) / whole


def _is_inside(crop: Row, box: list[int], *, least: float = 0.9) -> bool:
    left, right = box[0] / 100, box[1] / 100
    shown = min(crop[1], right) - max(crop[0], left)
    return bool(shown >= least * min(right - left, crop[1] - crop[0]))


def _is_halved(crop: Row, head: list[int]) -> bool:
    left, right = head[0] / 100, head[1] / 100
    shown = min(crop[1], right) - max(crop[0], left)
    return bool(0.05 < shown / (right - left) < 0.95)


# The method before -------------------------------------------------------------------------------


def _path_before(pictures: Iterable[Planes], rate: float) -> Row:
    centres: list[float] = []
    weights: list[float] = []
    before: npt.NDArray[np.int16] | None = None
    for planes in pictures:
        luma = split(planes)[0].astype(np.int16)
        if before is not None:
            change = np.maximum(np.abs(luma - before) - 8, 0).sum(axis=0, dtype=np.float64)
            places = (np.arange(len(change)) + 0.5) / len(change)
            weights.append(float(change.sum()))
            centres.append(float(change @ places) / weights[-1] if weights[-1] else 0.5)
        before = luma
    at, much = np.array([centres[0], *centres]), np.array([weights[0], *weights])
    if not much.any():
        return np.full(len(at), 0.5)
    reach = max(1, round(0.5 * rate))
    kernel = 1 - np.abs(np.arange(-reach, reach + 1)) / (reach + 1)
    pull = 0.05 * float(much.mean()) * float(kernel.sum())
    moved = np.convolve(much * at, kernel)[reach:-reach]
    path = (moved + pull * float(at @ much / much.sum())) / (
        np.convolve(much, kernel)[reach:-reach] + pull
    )
    both = [_steadied(path, 0.5 / rate), _steadied(path[::-1], 0.5 / rate)[::-1]]
    return np.asarray(sum(both) / 2)


def _steadied(path: Row, step: float) -> Row:
    steadied = np.empty(len(path))
    at = float(path[0])
    for index, wanted in enumerate(path):
        at = min(max(float(wanted), at - step), at + step)
        steadied[index] = at
    return steadied


if __name__ == "__main__":
    main()
