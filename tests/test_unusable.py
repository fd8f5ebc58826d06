"""What nobody can use is found where it lies, and what only looks like it stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
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
from hlcli.media.frames import PictureSignals, read_pictures
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


def out_of_focus(index: int, image: Image) -> None:
    """The focus is lost: large things can still be made out."""
    camera(index, image)
    image[:] = np.asarray(PIL.Image.fromarray(image).filter(PIL.ImageFilter.GaussianBlur(4)))


def pocket(index: int, image: Image) -> None:
    """What little light comes through cloth, and noise."""
    light = 10 + 45 * np.exp(-np.hypot(ROWS - 90, COLUMNS - 160 - 30 * np.sin(index / 20)) / 90)
    noise = np.random.default_rng(index).integers(-2, 3, image.shape)
    image[:] = np.clip(light[:, :, None] * (1.2, 0.9, 0.8) + noise, 0, 255)


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


def signals_of(path: Path) -> PictureSignals:
    """Measure a file."""
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds)
    with read_pictures(info, grid, picture_size=224, num_workers=1) as reader:
        for _ in reader:
            pass
        return reader.signals


def left_out_of(path: Path) -> list[Unusable]:
    """Find what is unusable in a file."""
    signals = signals_of(path)
    return find_unusable(
        signals.measures,
        signals.motion_T,
        signals.shot_boundaries_seconds,
        clip_seconds=1.0,
        duration_seconds=float(probe(path).duration_seconds),
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
        (out_of_focus, "blurred picture"),
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


def another_soft_shot(index: int, image: Image) -> None:
    """A shot of something else, out of focus throughout, as it may be meant."""
    image[:] = scenery(8)[:HEIGHT, index : index + WIDTH] // 2
    image[:] = np.asarray(PIL.Image.fromarray(image).filter(PIL.ImageFilter.GaussianBlur(5)))


def action_camera(index: int, image: Image) -> None:
    """A camera on somebody who runs: no two frames show the same place."""
    top, left = np.random.default_rng(index).integers(0, (64, 600)).tolist()
    image[:] = scenery()[top : top + HEIGHT, left : left + WIDTH]


def quiet_landscape(index: int, image: Image) -> None:
    """Hills in haze, where hardly anything moves."""
    hills = 150 + scenery()[:HEIGHT, :WIDTH] // 12
    hills[90:] -= 50
    image[:] = hills + np.random.default_rng(index).integers(0, 4, image.shape)


def dim_concert(index: int, image: Image) -> None:
    """One lamp above a stage, far away."""
    image[:] = 6 + scenery()[:HEIGHT, :WIDTH] // 16
    image[30:36, 150 + index % 40 : 156 + index % 40] = 200


@pytest.mark.parametrize(
    "paint",
    [dark_concert, white_out, soft_portrait, bright_night, crane, another_soft_shot, action_camera,
     quiet_landscape, dim_concert],
)  # fmt: skip
def test_what_only_looks_like_it_stays(tmp_path: Path, paint: Paint) -> None:
    assert found_in(tmp_path, (camera, 4), (paint, 7), (camera, 4)) == []


def test_a_camera_left_running_in_a_pocket(tmp_path: Path) -> None:
    (found,) = found_in(tmp_path, (camera, 5), (pocket, 9), (camera, 5))
    assert (found.reason, found.start_seconds, found.end_seconds) == (
        "camera left running", pytest.approx(5, abs=1.0), pytest.approx(14, abs=1.0),
    )  # fmt: skip


def test_a_shot_that_comes_into_focus_stays(tmp_path: Path) -> None:
    assert found_in(tmp_path, (out_of_focus, 3), (camera, 6)) == []


QUIET, LOUD = -58.0, -20.0
"""Levels of a quiet place and of a loud one, in dBFS: a microphone is never at -100."""


@pytest.fixture(scope="module")
def sixteen_seconds(tmp_path_factory: pytest.TempPathFactory) -> PictureSignals:
    """One shot of a camera."""
    return signals_of(encoded(tmp_path_factory.mktemp("sound") / "a.mp4", camera, 16 * RATE))


def with_sound(
    signals: PictureSignals, sound: Sequence[float] | None, cuts: Sequence[float] = ()
) -> list[Unusable]:
    """Find what is unusable in a video with a sound track of these levels, in dBFS."""
    return find_unusable(
        signals.measures,
        signals.motion_T,
        cuts,
        clip_seconds=1.0,
        duration_seconds=16.0,
        loudness_T=None if sound is None else np.array(sound, dtype=np.float32),
    )


@pytest.mark.parametrize("level", [QUIET, LOUD])
def test_where_the_sound_drops_out_nothing_can_be_used(
    sixteen_seconds: PictureSignals, level: float
) -> None:
    sound = [level] * 5 + [-100.0] * 4 + [level] * 7
    found = Unusable(start_seconds=5.0, end_seconds=9.0, reason="missing sound")
    assert with_sound(sixteen_seconds, sound, cuts=[2.0, 7.2, 12.0]) == [found]
    # Sound that stops or begins at a cut is edited so.
    assert with_sound(sixteen_seconds, sound, cuts=[4.6]) == []
    assert with_sound(sixteen_seconds, sound, cuts=[9.4]) == []


@pytest.mark.parametrize(
    "sound",
    [
        None,
        [-100.0] * 16,
        [LOUD] * 10 + [-100.0] * 6,
        [-100.0] * 6 + [LOUD] * 10,
        [LOUD] * 6 + [-85.0] * 4 + [LOUD] * 6,
        [LOUD] * 7 + [-100.0] * 2 + [LOUD] * 7,
        [LOUD, LOUD, *[-100.0] * 4, LOUD] + [-100.0, LOUD] * 4 + [LOUD],
        [LOUD] * 3 + [-100.0] * 10 + [LOUD] * 3,
    ],
    ids=["no sound", "silent", "ends early", "starts late", "very quiet", "short", "noise gate",
         "mostly silent"],
)  # fmt: skip
def test_silence_that_may_be_meant_stays(
    sixteen_seconds: PictureSignals, sound: list[float] | None
) -> None:
    assert with_sound(sixteen_seconds, sound) == []


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
