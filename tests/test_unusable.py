"""What nobody can use is found where it lies, and what only looks like it stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import opentimelineio as otio
import PIL.Image
import PIL.ImageFilter
import pytest
from rich.text import Text

from hlcli.cli.show import moments_table
from hlcli.document import ScoresDocument, read_documents
from hlcli.errors import DocumentError
from hlcli.media.clips import ClipGrid
from hlcli.media.frames import read_pictures
from hlcli.media.probe import probe
from hlcli.media.unusable import Unusable, find_unusable, in_words
from hlcli.moments import Selection, select_moments
from hlcli.moments.speech import Pauses
from tests.cli_runner import run
from tests.document_factory import make_document
from tests.media_factory import Image

RATE = 12
WIDTH, HEIGHT = 320, 180
ROWS, COLUMNS = np.ogrid[:HEIGHT, :WIDTH]
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
    image[:] = np.asarray(PIL.Image.fromarray(image).filter(PIL.ImageFilter.GaussianBlur(14)))


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

    return left_out_of(encoded(folder / "video.mp4", paint, ends[-1]))


def left_out_of(path: Path) -> list[Unusable]:
    """Find what is unusable in a file."""
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
    found = found_in(tmp_path, (camera, 4), (paint, 5), (camera, 4))
    assert [one.reason for one in found] == [reason]
    assert found[0].start_seconds == pytest.approx(4, abs=1.0)
    assert found[0].end_seconds == pytest.approx(9, abs=1.0)


def dark_concert(index: int, image: Image) -> None:
    """A lamp that wanders over a dark crowd."""
    camera(index, image)
    near = np.hypot(ROWS - 60, COLUMNS - 3 * index % WIDTH) < 40
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
    for lamp in range(6):
        middle = (20 + 25 * lamp, (57 * lamp + index) % WIDTH)
        disc = np.clip(14 - np.hypot(ROWS - middle[0], COLUMNS - middle[1]), 0, 1)
        image[:] = np.maximum(
            image, (disc[:, :, None] * (230, 170 - 9 * lamp, 60)).astype(np.uint8)
        )


def crane(index: int, image: Image) -> None:
    """A steady tilt up a facade moves as credits do."""
    image[:] = np.roll(scenery(), -3 * index, axis=0)[:HEIGHT, 100 : 100 + WIDTH]


@pytest.mark.parametrize("paint", [dark_concert, white_out, soft_portrait, bright_night, crane])
def test_what_only_looks_like_it_stays(tmp_path: Path, paint: Paint) -> None:
    assert found_in(tmp_path, (camera, 4), (paint, 5), (camera, 4)) == []


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
@pytest.mark.parametrize("speaks", [False, True])
def test_no_moment_reaches_into_what_is_left_out(
    selection: Selection, seed: int, speaks: bool
) -> None:
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
        pauses=Pauses([(t + 0.2, t + 2.9) for t in range(0, 57, 3)], 60.0) if speaks else None,
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


# In documents and on the command line ---------------------------------------------------------

LEFT_OUT = (
    Unusable(start_seconds=0.0, end_seconds=12.0, reason="colour bars"),
    Unusable(start_seconds=33.0, end_seconds=60.0, reason="credits"),
)


def stored(folder: Path, **changes: object) -> Path:
    document = dataclasses.replace(make_document(), unusable=LEFT_OUT)
    path = folder / "scores.json"
    dataclasses.replace(document, **changes).write(path)  # type: ignore[arg-type]
    return path


def starts_of(path: Path) -> list[float]:
    (document,) = read_documents(path)
    return [moment.start_seconds for moment in document.moments]


def test_export_leaves_out_says_so_and_keeps_all_on_request(tmp_path: Path) -> None:
    scores, cut = stored(tmp_path), tmp_path / "cut.json"
    code, _, words = run("export", scores, "-o", cut, "--top", "6")
    assert code == 0
    assert "match.mp4: left out 0:27 of credits, 0:12 of colour bars; --keep-all" in words
    assert starts_of(cut)
    assert all(12 <= start < 33 for start in starts_of(cut))
    code, _, words = run("export", scores, "-o", cut, "--top", "6", "--keep-all")
    assert code == 0
    assert "left out" not in words
    assert min(starts_of(cut)) < 12
    assert max(starts_of(cut)) > 33
    (document,) = read_documents(cut)
    assert document.unusable == LEFT_OUT


def test_rejects_are_a_timeline_with_the_reason_on_each_clip(tmp_path: Path) -> None:
    scores, rejects = stored(tmp_path), tmp_path / "rejects.otio"
    code, _, words = run("export", scores, "--rejects", rejects)
    assert code == 0
    assert "2 rejects by tiny 1" in words
    clips = list(otio.adapters.read_from_file(str(rejects)).find_clips())
    pictures = [clip for clip in clips if clip.markers]
    spans = [
        (clip.source_range.start_time.to_seconds(), clip.source_range.duration.to_seconds())
        for clip in pictures
    ]
    assert spans == [(0.0, 12.0), (33.0, 27.0)]
    assert [clip.markers[0].comment.split(", ")[1] for clip in pictures] == [
        "colour bars",
        "credits",
    ]
    code, _, words = run("export", stored(tmp_path, unusable=()), "--rejects", rejects)
    assert code == 0
    assert "nothing is unusable" in words


def test_where_nothing_stands_out_five_candidates_are_listed_and_nothing_is_cut(
    tmp_path: Path,
) -> None:
    calm = tuple(0.02 + 0.1 * (t % 9 == 4) for t in range(60))
    scores = stored(tmp_path, scores=calm, raw_scores=calm, unusable=None)
    code, _, _ = run("export", scores, "-o", tmp_path / "c.json", "--min-duration", "1s")
    assert code == 0
    (document,) = read_documents(tmp_path / "c.json")
    assert document.moments == ()
    assert len(document.candidates) == 5
    assert ScoresDocument.from_json(document.to_json()) == document
    text = "".join(
        str(part) for part in moments_table(document, width=100) if isinstance(part, Text)
    )
    assert "nothing stands out" in text
    assert "candidates, which --top 5 takes" in text
    code, _, _ = run("export", scores, "-o", tmp_path / "c.otio", "--min-duration", "1s")
    assert code == 6
    assert not (tmp_path / "c.otio").exists()
    code, _, _ = run("export", scores, "-o", tmp_path / "c.otio", "--top", "5")
    assert code == 0


def test_a_document_of_an_earlier_hl_has_nothing_unusable() -> None:
    document = make_document()
    assert "unusable" not in document.to_json()
    assert ScoresDocument.from_json(document.to_json()).unusable is None


@pytest.mark.parametrize("spans", [[(5, 3)], [(-1, 3)], [(50, 61)], [(3, 9), (8, 10)]], ids=str)
def test_wrong_stretches_are_an_error(spans: list[tuple[float, float]]) -> None:
    value = make_document().to_json() | {
        "unusable": [
            {"start_seconds": start, "end_seconds": end, "reason": "black"} for start, end in spans
        ]
    }
    with pytest.raises(DocumentError, match="unusable"):
        ScoresDocument.from_json(value)


def test_nothing_of_a_real_film_is_left_out() -> None:
    excerpt = Path(__file__).parents[1] / "docs" / "demo" / "big-buck-bunny-excerpt.mp4"
    assert left_out_of(excerpt) == []
