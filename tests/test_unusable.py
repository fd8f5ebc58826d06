"""What nobody can use is found where it lies, and what only looks like it stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import pytest

from hlcli.media.clips import ClipGrid
from hlcli.media.frames import read_pictures
from hlcli.media.probe import probe
from hlcli.media.unusable import Unusable, find_unusable, in_words
from hlcli.moments import Selection, select_moments
from tests.media_factory import Image

RATE = 12
WIDTH, HEIGHT = 320, 180
Paint = Callable[[int, Image], None]


@lru_cache
def scenery(seed: int = 3) -> Image:
    """Return what a camera sees: light and dark places of all sizes, wider than the picture."""
    rng = np.random.default_rng(seed)
    shape = (HEIGHT + 64, WIDTH + 640)
    levels = np.full(shape, 110.0)
    for size in (2, 4, 8, 16, 32, 64):
        small = rng.normal(size=(shape[0] // size + 2, shape[1] // size + 2))
        rows = np.repeat(np.repeat(small, size, 0), size, 1)[: shape[0], : shape[1]]
        levels += 11 * rows
    grey = np.clip(levels, 0, 255)[:, :, None]
    return np.clip(grey * np.array([1.1, 1.0, 0.8]), 0, 255).astype(np.uint8)


def camera(index: int, image: Image) -> None:
    """Pan over the scenery with an unsteady hand."""
    top = 20 + round(6 * np.sin(index / 3))
    image[:] = scenery()[top : top + HEIGHT, 2 * index % 600 :][:, :WIDTH]


@lru_cache
def page(rows: int) -> Image:
    """Return lines of words, white on black: strokes of one to three pixels."""
    rng = np.random.default_rng(7)
    text = np.zeros((rows, WIDTH, 3), np.uint8)
    for top in range(6, rows - 12, 18):
        left, right = sorted(rng.integers(20, WIDTH - 20, 2).tolist())
        for column in range(left, max(right, left + 90), 5):
            height = int(rng.integers(4, 10))
            text[top : top + height, column : column + int(rng.integers(1, 4))] = 235
    return text


def black(index: int, image: Image) -> None:
    image[:] = 2


def bars(index: int, image: Image) -> None:
    for place, colour in enumerate(
        [(180, 180, 180), (180, 180, 16), (16, 180, 180), (16, 180, 16), (180, 16, 180),
         (180, 16, 16), (16, 16, 180)]
    ):  # fmt: skip
        image[:, place * WIDTH // 7 : (place + 1) * WIDTH // 7] = colour
    image[140:] = 16


def covered(index: int, image: Image) -> None:
    image[:] = np.random.default_rng(index).integers(20, 34, image.shape)


def credits_roll(index: int, image: Image) -> None:
    image[:] = page(2000)[3 * index % 1500 :][:HEIGHT]


def card(index: int, image: Image) -> None:
    image[:] = page(HEIGHT)
    image[:40] = image[-40:] = 0


def slide(index: int, image: Image) -> None:
    image[:] = 255 - page(HEIGHT)


def frozen(index: int, image: Image) -> None:
    camera(5, image)


def blurred(index: int, image: Image) -> None:
    camera(index, image)
    rows = image.astype(np.float32)
    for axis in (0, 1):
        for _ in range(3):
            sums = np.cumsum(np.concatenate([rows, rows[:40] if axis == 0 else rows[:, :40]], axis),
                             axis)  # fmt: skip
            rows = (sums[40:] - sums[:-40] if axis == 0 else sums[:, 40:] - sums[:, :-40]) / 40
    image[:] = np.clip(rows, 0, 255)


def encoded(path: Path, paint: Paint, num_frames: int) -> Path:
    """Encode paintings as they are; `make_video` puts marks on its frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"g": str(5 * RATE), "preset": "veryfast", "threads": "1"}
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for index in range(num_frames):
            paint(index, image)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def found_in(folder: Path, *parts: tuple[Paint, int]) -> list[Unusable]:
    """Find what is unusable in a video of several paintings, each of some seconds."""
    ends = np.cumsum([seconds * RATE for _, seconds in parts]).tolist()

    def paint(index: int, image: Image) -> None:
        place = int(np.searchsorted(ends, index, side="right"))
        parts[place][0](index, image)

    path = encoded(folder / "video.mp4", paint, ends[-1])
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds)
    with read_pictures(info, grid, picture_size=224, num_workers=1) as reader:
        for _ in reader:
            pass
        signals = reader.signals
    return find_unusable(
        signals.measures,
        signals.motion_T,
        signals.shot_boundaries_seconds,
        clip_seconds=1.0,
        duration_seconds=float(info.duration_seconds),
    )


@pytest.mark.parametrize(
    ("paint", "reason"),
    [
        (black, "black"),
        (bars, "colour bars"),
        (covered, "covered lens"),
        (credits_roll, "credits"),
        (card, "text card"),
        (slide, "text card"),
        (frozen, "frozen picture"),
        (blurred, "blurred picture"),
    ],
)
def test_each_kind_is_found_where_it_lies(tmp_path: Path, paint: Paint, reason: str) -> None:
    found = found_in(tmp_path, (camera, 8), (paint, 6), (camera, 8))
    assert [one.reason for one in found] == [reason]
    assert found[0].start_seconds == pytest.approx(8, abs=1.0)
    assert found[0].end_seconds == pytest.approx(14, abs=1.0)


def dark_concert(index: int, image: Image) -> None:
    """A lamp that wanders over a dark crowd."""
    camera(index, image)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    near = np.hypot(rows - 60, columns - 3 * index % WIDTH) < 40
    image[:] = np.where(near[:, :, None], image, image // 9)


def white_out(index: int, image: Image) -> None:
    camera(index, image)
    image[:] = 225 + image // 9


def soft_portrait(index: int, image: Image) -> None:
    """A shot focused on something small: the rest is soft, on purpose."""
    blurred(index, image)
    image[60:130, 120:200] = scenery()[:70, index : index + 80]


def bright_night(index: int, image: Image) -> None:
    """Lamps out of focus at night, an effect that people like."""
    image[:] = 6
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for lamp in range(9):
        middle = (20 + 17 * lamp, (37 * lamp + index) % WIDTH)
        disc = np.clip(14 - np.hypot(rows - middle[0], columns - middle[1]), 0, 1)
        image[:] = np.maximum(
            image, (disc[:, :, None] * (230, 170 - 9 * lamp, 60)).astype(np.uint8)
        )


def crane(index: int, image: Image) -> None:
    """A steady tilt up a facade moves as credits do."""
    image[:] = np.roll(scenery(), -3 * index, axis=0)[:HEIGHT, 100 : 100 + WIDTH]


@pytest.mark.parametrize("paint", [dark_concert, white_out, soft_portrait, bright_night, crane])
def test_what_only_looks_like_it_stays(tmp_path: Path, paint: Paint) -> None:
    assert found_in(tmp_path, (camera, 8), (paint, 7), (camera, 8)) == []


@pytest.mark.parametrize("paint", [slide, frozen, blurred])
def test_what_a_video_is_made_of_stays(tmp_path: Path, paint: Paint) -> None:
    assert found_in(tmp_path, (camera, 3), (paint, 9)) == []


def test_a_black_video_is_black(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, (black, 5))
    assert (found.start_seconds, found.end_seconds, found.reason) == (0.0, 5.0, "black")


def test_words_say_how_much_of_what() -> None:
    def of(start: float, end: float, reason: str) -> Unusable:
        return Unusable(start_seconds=start, end_seconds=end, reason=reason)

    parts = [of(0, 7, "colour bars"), of(9, 10, "black"), of(20, 109, "credits"),
             of(200, 205, "colour bars")]  # fmt: skip
    assert in_words(parts) == "1:29 of credits, 0:12 of colour bars, 0:01 of black"
    assert in_words([]) == ""


# Choosing around it --------------------------------------------------------------------------

SELECTIONS = [
    Selection(),
    Selection(top=6),
    Selection(threshold=0.2),
    Selection(target_duration_seconds=12),
    Selection(target_duration_seconds=50),
    Selection(top=3, min_duration_seconds=0.5, max_duration_seconds=4, handles_seconds=2),
]


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_no_moment_reaches_into_what_is_left_out(selection: Selection, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = np.clip(np.convolve(rng.random(65), np.ones(6) / 6, "valid"), 0, 1)
    unusable = [(0.0, 7.3), (20.5, 21.4), (23.0, 31.0), (52.0, 60.0)]
    for start, end in unusable:
        scores[int(start) : int(end)] = 1.0  # the best scores of all
    moments = select_moments(
        scores,
        clip_seconds=1.0,
        duration_seconds=60.0,
        selection=selection,
        shot_boundaries_seconds=[12.0, 20.5, 40.0],
        unusable=unusable,
    )
    assert moments
    for moment in moments:
        for start, end in unusable:
            assert min(moment.end_seconds, end) - max(moment.start_seconds, start) <= 1e-9
    kept = select_moments(
        scores,
        clip_seconds=1.0,
        duration_seconds=60.0,
        selection=dataclasses.replace(selection, keep_all=True),
        unusable=unusable,
    )
    without = select_moments(scores, clip_seconds=1.0, duration_seconds=60.0, selection=selection)
    assert kept == without


def test_nothing_is_chosen_where_nothing_can_be_used() -> None:
    assert select_moments(
        [0.9] * 10, clip_seconds=1.0, duration_seconds=10.0, selection=Selection(top=3),
        unusable=[(0.0, 10.0)],
    ) == []  # fmt: skip
    assert select_moments(
        [0.9], clip_seconds=1.0, duration_seconds=1.0, selection=Selection(),
        unusable=[(0.0, 1.0)],
    ) == []  # fmt: skip
