"""Captions in the picture: where they are, when, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from cli_runner import hl
from media_factory import make_video
from render_factory import cuts, source_of

from hlcli.errors import UsageError
from hlcli.media.canvas import Colour, split
from hlcli.rendering.captions import MOST_LINES, CaptionPainter, lettering_for
from hlcli.rendering.lettering import Lettering
from hlcli.timeline.formats.captions import Shown
from hlcli.timeline.formats.otio import write

RATE = Fraction(25)
LONG = "when the water came back up the valley nobody in the village had slept for two nights"

Picture = npt.NDArray[np.uint8]


def painter(*captions: Shown, size: tuple[int, int] = (640, 360), curve: int = 1) -> CaptionPainter:
    return CaptionPainter(
        captions, Lettering(), size=size, frame_rate=RATE, colour=Colour(curve=curve)
    )


def grey(size: tuple[int, int], luma: int = 90) -> Picture:
    planes = np.full((size[1] * 3 // 2, size[0]), 100, dtype=np.uint8)
    planes[: size[1]] = luma
    return planes


def changed(before: Picture, after: Picture) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what differs in luma; all in pixels."""
    rows, columns = np.nonzero(split(before)[0] != split(after)[0])
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (64, 48), (1920, 800)])
def test_a_caption_lies_in_the_safe_area_and_changes_nothing_else(size: tuple[int, int]) -> None:
    width, height = size
    before = grey(size)
    kept = before.copy()
    after = painter(Shown(1.0, 2.0, "Hello there"), size=size).over(before, 30)
    assert np.array_equal(before, kept)
    top, bottom, left, right = changed(before, after)
    assert 0.5 * height < top < bottom <= (0.94 if width > height else 0.77) * height
    assert abs(left - (width - right)) <= 2
    assert left >= 0.05 * width
    luma, *chroma = split(after)
    box = luma[top:bottom, left:right]
    assert box.max() > 200
    # Half transparent, and grey: 0.4 of what was there, and 0.6 black.
    assert box.min() == pytest.approx(0.4 * 90 + 0.6 * 16, abs=1)
    for plane, was in zip(chroma, split(before)[1:], strict=True):
        rows, columns = np.nonzero(plane != was)
        assert top // 2 - 1 <= rows.min() < rows.max() <= bottom // 2
        assert left // 2 - 1 <= columns.min() < columns.max() <= right // 2
        assert plane.max() <= 128


def test_captions_come_and_go_to_the_frame() -> None:
    made = painter(Shown(0.4, 1.0, "first"), Shown(0.8, 1.2, "second"))
    before = grey((640, 360))
    pictures = [made.over(before, frame) for frame in range(40)]
    shown = [picture is not before for picture in pictures]
    assert shown == [10 <= frame < 30 for frame in range(40)]
    assert np.array_equal(pictures[10], pictures[19])
    assert not np.array_equal(pictures[19], pictures[20])
    assert np.array_equal(pictures[20], pictures[29])


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (120, 90)])
@pytest.mark.parametrize("text", [LONG, f"{LONG} {LONG}", "x" * 300, "- Who?\n- Me."])
def test_at_most_two_lines_that_fit_and_no_word_is_lost(size: tuple[int, int], text: str) -> None:
    made = painter(Shown(0.0, 20.0, text), size=size)
    parts = list(parts_of(made))
    assert "".join("".join(part) for part in parts).replace(" ", "") == "".join(text.split())
    for part in parts:
        assert len(part) <= MOST_LINES
        assert all(made._width(line) <= size[0] * 0.8 for line in part)
    assert made._parts[0].frames.start == 0
    assert made._parts[-1].frames.stop == 500
    assert all(
        one.frames.stop == other.frames.start
        for one, other in zip(made._parts, made._parts[1:], strict=False)
    )
    if "\n" in text:
        assert parts == [["- Who?", "- Me."]]


def parts_of(made: CaptionPainter) -> Iterator[list[str]]:
    for part in made._parts:
        yield part.text.split("\n")


def test_white_is_no_brighter_than_graphics_are_in_hdr() -> None:
    before = grey((640, 360))
    for curve, white in ((1, 235), (16, 143), (18, 180)):
        after = painter(Shown(0.0, 1.0, "HHHH"), curve=curve).over(before, 0)
        assert split(after)[0].max() == pytest.approx(white, abs=1)


def test_a_font_that_lacks_letters_is_named() -> None:
    lettering, words = lettering_for(["plain"], None)
    assert words == ""
    assert lettering.shown("plain") == "plain"
    _, words = lettering_for(["a \U0001f9ff b"], None)
    assert "lacks letters" in words
    assert "\U0001f9ff" in words
    assert "--font" in words
    with pytest.raises(UsageError, match="cannot read"):
        lettering_for(["a"], Path(__file__))


def test_a_rendered_film_has_the_words_of_its_cut(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="talk.mp4", rate=RATE, num_frames=100, width=320, height=180)
    timeline = tmp_path / "cut.otio"
    write(cuts([(source_of(video), 50, 25), (source_of(video), 0, 25)]), timeline)
    srt = tmp_path / "talk.srt"
    srt.write_text(
        "1\n00:00:00,400 --> 00:00:01,000\nfirst of all\n\n"
        "2\n00:00:02,200 --> 00:00:02,600\nthen this\n"
    )
    plain, film = tmp_path / "plain.mp4", tmp_path / "reel.mp4"
    for output, more in ((plain, ()), (film, ("--captions", srt))):
        result = hl("render", timeline, "-o", output, "--quality", 10, *more)
        assert result.exit_code == 0, result.output
    without, having = luma_of(plain), luma_of(film)
    assert len(without) == len(having) == 50
    difference = np.abs(having.astype(int) - without.astype(int))
    rows = slice(round(0.82 * 180), round(0.93 * 180))
    inside = difference[:, rows, 120:200].mean(axis=(1, 2))
    said = [5 <= frame < 15 or 35 <= frame < 50 for frame in range(50)]
    assert [bool(value > 10) for value in inside] == said
    assert difference[:, :120].mean() < 2


def luma_of(film: Path) -> npt.NDArray[np.uint8]:
    with av.open(str(film)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return np.stack(frames)


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="talk.mp4", rate=RATE, num_frames=100, width=320, height=180)
    timeline, film = tmp_path / "cut.otio", tmp_path / "reel.mp4"
    write(cuts([(source_of(video), 50, 25)]), timeline)
    of_another, empty = tmp_path / "long.srt", tmp_path / "empty.srt"
    of_another.write_text("1\n00:00:01,000 --> 00:09:00,000\nwords\n")
    empty.write_text("no times here\n")
    early = tmp_path / "early.srt"
    early.write_text("1\n00:00:00,000 --> 00:00:01,000\nwords\n")
    for options, code, words in (
        (["--captions", tmp_path / "none.srt"], 3, "does not exist"),
        (["--captions", empty], 3, "no transcript"),
        (["--captions", of_another], 2, "goes on to 540.0 s"),
        (["--captions", early, "--copy"], 2, "--captions"),
        (["--font", "a.ttf"], 2, "there are none"),
        (["--captions", early, "--font", empty], 0, "nothing is said in the cut"),
    ):
        result = hl("render", timeline, "-o", film, *options)
        assert (result.exit_code, words in result.output) == (code, True), result.output
        assert film.exists() == (code == 0)
