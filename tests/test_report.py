"""`hl report` and `hl score --plot`: what is drawn, what is written, what a browser makes of it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_pages import visit
from cli_runner import hl
from document_factory import make_document
from media_factory import AudioTrack, click_track, make_video, moving_square, read_frame_number
from PIL import Image

import hlcli
from hlcli import paths
from hlcli.document import ScoresDocument, near_misses, write_documents
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.unusable import Unusable
from hlcli.moments import Observation, Selection, Take
from hlcli.rendering.curve import ALWAYS, NARROW, WIDE, draw_curve, extremes, lanes_of
from hlcli.rendering.drawing import Box, Drawing, Line, Text, png_file, svg_file
from hlcli.rendering.report import MOST_STILLS_BYTES


def document_of(path: Path, spans: list[tuple[float, float]], **changes: Any) -> ScoresDocument:
    info = probe(path)
    document = make_document(
        path=str(path),
        num_frames=info.num_frames,
        frame_rate=info.frame_rate,
        start_timecode=info.start_timecode,
        identity=content_identity(path),
        spans=spans,
        **changes,
    )
    return replace(document, video=replace(document.video, width=info.width, height=info.height))


def observed(document: ScoresDocument, *, seed: int = 0) -> ScoresDocument:
    """Return a document with all that `hl score` finds beside the scores."""
    random, count = np.random.default_rng(seed), len(document.scores)
    end = document.video.duration_seconds
    names = ["cheering", "laughter", "applause", "music", "speech", "dog", "rain"]
    starts = np.arange(0.0, end - 2, 3.0)
    return replace(
        document,
        motion=tuple(random.random(count).round(4).tolist()),
        loudness=tuple((-60 * random.random(count)).round(1).tolist()),
        sounds=tuple(
            Observation(
                name=names[index % 7], start_seconds=start, end_seconds=start + 2.0, score=0.5
            )
            for index, start in enumerate(starts.tolist())
        ),
        unusable=(Unusable(start_seconds=0.0, end_seconds=min(2.0, end / 2), reason="credits"),),
        sights=(Observation(name="a boat", start_seconds=0.0, end_seconds=end, score=0.9),),
    )


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_no_peak_is_lost_however_many_clips_share_a_column() -> None:
    values = np.zeros(36_000)
    values[12_345], values[30_000] = 1.0, -1.0
    low_N, high_N = extremes(values, 1000)
    assert (len(low_N), low_N.min(), high_N.max()) == (1000, -1.0, 1.0)
    assert (int(low_N.argmin()), int(high_N.argmax())) == (833, 342)
    for row in extremes([0.1, 0.9], 1000):
        assert row.tolist() == [0.1, 0.9]


def test_curve_shades_moments_where_they_are_and_numbers_the_best_first() -> None:
    document = make_document(num_frames=3000, spans=[(50.0, 60.0), (10.0, 12.0)])
    drawing = draw_curve(document, links=["#a", "#b"])
    shaded = [shape for shape in drawing.shapes if isinstance(shape, Box) and shape.ink == "moment"]
    inside = WIDE.inside
    assert [(one.x, one.width, one.href) for one in shaded] == [
        (WIDE.left + 0.5 * inside, pytest.approx(0.1 * inside), "#a"),
        (WIDE.left + 0.1 * inside, pytest.approx(0.02 * inside), "#b"),
    ]
    numbers = {one.text: one.x for one in drawing.shapes if isinstance(one, Text) and one.is_bold}
    assert numbers == {
        "1": pytest.approx(WIDE.left + 0.55 * inside),
        "2": pytest.approx(WIDE.left + 0.11 * inside),
    }


@pytest.mark.parametrize("frame", [WIDE, NARROW])
@pytest.mark.parametrize("seconds", [0.04, 1, 59, 3600, 36_000, 86_400])
def test_curves_of_any_length_stay_inside_their_drawing(seconds: float, frame: Any) -> None:
    frames = max(1, round(seconds * 25))
    spans = [(seconds / 4, seconds / 2)]
    document = make_document(num_frames=frames, frame_rate=Fraction(25), spans=spans)
    drawing = draw_curve(observed(document), lanes=True, frame=frame)
    labels = [one for one in drawing.shapes if isinstance(one, Text) and one.text.count(":")]
    assert 1 <= len(labels) <= 20
    for shape in drawing.shapes:
        points = shape.points if isinstance(shape, Line) else [(shape.x, shape.y)]
        if isinstance(shape, Box):
            points = [*points, (shape.x + shape.width, shape.y + shape.height)]
        for x, y in points:
            assert 0 <= x <= drawing.width
            assert 0 <= y <= drawing.height
    assert len(drawing.svg_body()) < 250_000


def test_one_drawing_is_the_same_as_svg_and_as_png() -> None:
    drawing = Drawing(width=60, height=40)
    drawing.shapes = [
        Box(10, 10, 20, 20, "moment"),
        Line([(0, 35), (60, 35)], "curve", width=4),
        Line([(40, 5), (55, 5), (55, 25), (40, 25)], "lane", is_closed=True),
        Text(2, 9, "<&>"),
    ]
    picture = Image.open(io.BytesIO(png_file([drawing, drawing], scale=1)))
    assert picture.size == (60, 80)
    colors = {(20, 20): "#bfe6cb", (30, 35): "#1f5fbf", (48, 15): "#7b8794", (5, 25): "#ffffff"}
    for (x, y), color in colors.items():
        expected = tuple(bytes.fromhex(color[1:]))
        assert picture.getpixel((x, y)) == picture.getpixel((x, y + 40)) == expected
    root = ET.fromstring(svg_file([drawing, drawing], "a <b>"))
    kinds = [one.tag.rsplit("}", 1)[-1] for one in root.iter()]
    assert kinds.count("path") == 4
    assert [one.text for one in root.iter() if one.tag.endswith("}text")] == ["<&>", "<&>"]
    assert root[0].text == "a <b>"


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_of_several_videos(tmp_path: Path, suffix: str, monkeypatch: Any) -> None:
    first = make_video(tmp_path, name="a <b>.mp4", num_frames=40)
    second = make_video(tmp_path, name="c.mp4", num_frames=50)
    plot = tmp_path / f"curve{suffix}"
    result = hl("score", first, second, "--plot", plot)
    assert result.exit_code == 0, result.output
    assert f"wrote {plot}" in result.stderr
    assert "start" in result.stdout
    if suffix == ".svg":
        root = ET.fromstring(plot.read_text(encoding="utf-8"))
        texts = [one.text or "" for one in root.iter() if one.tag.endswith("}text")]
        assert [one for one in texts if ".mp4" in one] == [
            f"{name}  0:01, {hlcli.score(path)[0].model.name} 1"
            for name, path in (("a <b>.mp4", first), ("c.mp4", second))
        ]
    else:
        with Image.open(plot) as picture:
            assert picture.width == 2 * WIDE.width


def test_a_plot_that_cannot_be_written_is_said_before_anything_is_scored(tmp_path: Path) -> None:
    video = make_video(tmp_path)
    result = hl("score", video, "--plot", tmp_path / "curve.pdf")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "use one of .png, .svg" in result.stderr
    assert hl("score", video, "--plot", tmp_path / "none" / "curve.svg").exit_code == 6
    assert not list(paths.scores_dir().glob("*"))


def test_next_best_moments_overlap_no_chosen_one() -> None:
    document = make_document(num_frames=3000, selection=hlcli.Selection(top=3))
    near = near_misses(document)
    assert len(near) == 5
    assert max(one.score for one in near) <= min(one.score for one in document.moments)
    for one in near:
        for chosen in document.moments:
            assert one.end_seconds <= chosen.start_seconds or one.start_seconds >= (
                chosen.end_seconds
            )
    assert near_misses(document.with_moments(hlcli.find_moments(document)), most=2) != []


def test_sounds_have_lanes_where_they_are() -> None:
    document = make_document(num_frames=3000, spans=[])
    assert lanes_of(document) == {}
    music = Observation(name="music", start_seconds=25.0, end_seconds=50.0, score=1.0)
    dog = Observation(name="dog", start_seconds=75.0, end_seconds=100.0, score=0.5)
    document = replace(document, sounds=(music, dog), sights=())
    assert lanes_of(document) == {
        **{name: [] for name in ALWAYS}, "music": [music], "dog": [dog],
    }  # fmt: skip
    spoken = replace(document, speech=((0.0, 10.0),))
    assert [one.end_seconds for one in lanes_of(spoken)["speech"]] == [10.0]
    drawing = draw_curve(document, lanes=True)
    bars = [one for one in drawing.shapes if isinstance(one, Box) and one.ink == "lane"]
    inside = WIDE.inside
    assert [(one.x, one.width, one.label) for one in bars] == [
        (WIDE.left + 0.25 * inside, 0.25 * inside, "music at 0:25"),
        (WIDE.left + 0.75 * inside, 0.25 * inside, "dog at 1:15"),
    ]
    assert bars[0].height == 2 * bars[1].height
    rows = {one.text: one.y for one in drawing.shapes if isinstance(one, Text)}
    for bar, name in zip(bars, ("music", "dog"), strict=True):
        assert bar.y < rows[name] < bar.y + bar.height


def test_report_shows_each_moment_with_its_own_still(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=600, timecode="01:00:00:00")
    document = document_of(video, [(4.0, 6.0), (1.0, 2.0)], damage="the last packet")
    document = observed(document)
    page = Page(hlcli.report(document, tmp_path / "r.html"))
    stills = {one["alt"]: one["src"] for one in page.all("img")}
    numbers = []
    for alt in ("Still at 01:00:05:00", "Still at 01:00:01:15"):
        source = stills[alt]
        assert source is not None
        data = base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(data)) as picture:
            numbers.append(read_frame_number(np.asarray(picture)))
    assert numbers == [150, 45]
    for words in (
        "01:00:04:00", "01:00:06:00", "Score 0.90, 2.0 s", "Picture and sound stand out", "tiny 1",
        "the last packet", "cheering", "Left out as unusable", "Credits", "Next best, not chosen",
        "sha256 " + "b" * 64,
    ):  # fmt: skip
        assert words in page.words, words
    for lane in (*ALWAYS, "loudness", "motion", "dog", "a boat"):
        assert f">{lane}</text>" in page.text
    assert str(tmp_path) not in page.text
    assert page.text == hlcli.report(document, tmp_path / "r.html").read_text(encoding="utf-8")


def test_next_best_moments_and_other_takes_have_stills(tmp_path: Path) -> None:
    first = make_video(tmp_path, name="first.mp4", num_frames=600)
    second = make_video(tmp_path, name="second.mp4", num_frames=600, first_number=1000)
    one, two = document_of(first, [(4.0, 6.0)]), document_of(second, [(12.0, 14.0)])
    takes = (
        Take(start_seconds=8.0, end_seconds=10.0, score=0.4),
        Take(start_seconds=2.0, end_seconds=3.0, score=0.3, video=str(second)),
        Take(start_seconds=1.0, end_seconds=2.0, score=0.2, video="/elsewhere/third.mp4"),
    )
    one = one.with_moments([replace(one.moments[0], alternatives=takes)])
    page = Page(hlcli.report([one, two], tmp_path / "r.html"))
    numbers = set()
    for image in page.all("img"):
        data = base64.b64decode((image["src"] or "").removeprefix("data:image/jpeg;base64,"))
        with Image.open(io.BytesIO(data)) as picture:
            numbers.add(read_frame_number(np.asarray(picture)))
    near = near_misses(one)
    assert near
    assert {270, 1075, *(round(moment.peak_seconds * 30) for moment in near)} <= numbers
    assert "Other takes" in page.words
    assert "third.mp4" in page.words


def test_a_recording_in_two_files_is_chosen_from_as_one(tmp_path: Path) -> None:
    documents = [
        make_document(
            path=f"/card/GX0{number}0042.MP4",
            num_frames=250,
            frame_rate=Fraction(25),
            start_timecode=start,
            scores=scores,
        )
        for number, start, scores in (
            (1, "01:00:00:00", [*[0.1] * 8, 0.9, 0.9]),
            (2, "01:00:10:00", [0.9, 0.9, *[0.1] * 8]),
        )
    ]
    # Given in the wrong order.
    page = Page(hlcli.report(documents[::-1], tmp_path / "r.html", selection=Selection(top=1)))
    assert "1 moment, 0:05 of 0:20" in page.words
    for words in ("01:00:07:13", "01:00:10:00", "01:00:12:13"):
        assert words in page.words


def test_nothing_of_a_name_becomes_markup(tmp_path: Path) -> None:
    name = "\"><script>alert(1)<\\script><img src=x onerror='1'> \x07 \udcff {{ 7 * 6 }}.mp4"
    hostile = "<svg onload=1></style></svg>"
    document = replace(make_document(path=f"/footage/{name}", damage=hostile), created_with=hostile)
    document = replace(document, model=replace(document.model, name=hostile, version=hostile))
    page = Page(hlcli.report([document, document], tmp_path / "r.html"))
    assert page.all("script") == page.all("img") == []
    assert not any(name.startswith("on") for _, given in page.tags for name in given)
    assert "<script>alert(1)" in page.words
    assert "{{ 7 * 6 }}" in page.words
    assert hostile in page.words
    assert not re.search("[\x00-\x08\ud800-\udfff]", page.text)


def test_the_page_may_load_and_run_nothing(tmp_path: Path) -> None:
    page = Page(hlcli.report(make_document(), tmp_path / "r.html"))
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (style,) = re.findall("<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # The policy forbids style attributes, too.
    assert not any("style" in given for _, given in page.tags)
    targets = {str(given[one]) for _, given in page.tags for one in ("src", "href") if one in given}
    identities = {f"#{given['id']}" for _, given in page.tags if "id" in given}
    assert targets
    assert {one for one in targets if not one.startswith("data:image/jpeg;base64,")} <= identities


def noise(index: int, image: Any) -> None:
    image[:] = np.random.default_rng(index).integers(0, 255, image.shape, dtype=np.uint8)


def test_an_hour_of_the_worst_pictures_stays_under_three_megabytes(tmp_path: Path) -> None:
    times = tuple(Fraction(60 * index) for index in range(61))
    video = make_video(
        tmp_path, frame_times=times, paint=noise, width=320, height=180, counter=False
    )
    document = document_of(video, [], scores=None)
    random = np.random.default_rng(1)
    scores = tuple(random.random(len(document.scores)).round(6).tolist())
    document = replace(
        document,
        scores=scores,
        shot_boundaries_seconds=tuple(np.arange(1.0, 3599.0, 1.3).tolist()),
    )
    document = document.with_moments(hlcli.find_moments(document, hlcli.Selection(top=20)))
    path = hlcli.report(observed(document), tmp_path / "r.html")
    page = Page(path)
    assert len(page.all("img")) == 20 + 10 + 5
    stills = [str(one["src"]) for one in page.all("img")]
    assert sum(map(len, stills)) > MOST_STILLS_BYTES / 2
    assert path.stat().st_size < 3_000_000


def test_several_videos_are_indexed_by_their_best_moments(tmp_path: Path) -> None:
    first = make_document(path="/a.mp4", spans=[(1.0, 2.0), (5.0, 6.0)])
    second = make_document(path="/b.mp4", spans=[(7.0, 9.0)])
    second = second.with_moments([replace(second.moments[0], score=0.85)])
    nothing = make_document(path="/c.mp4", spans=[])
    page = Page(hlcli.report([first, second, nothing], tmp_path / "r.html"))
    index = page.text[page.text.index('id="best"') : page.text.index('<section id="v1"')]
    assert re.findall(r'<a href="#(v\d-m\d)">(\w\.mp4)</a>', index) == [
        ("v1-m1", "a.mp4"),
        ("v2-m1", "b.mp4"),
        ("v1-m2", "a.mp4"),
    ]
    assert "Highlights of 3 videos" in page.words
    assert "Nothing stands out" in page.words


def test_a_video_that_is_gone_costs_its_stills_only(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=90)
    here = document_of(video, [(1.0, 2.0)])
    gone = make_document(path=str(tmp_path / "gone.mp4"), identity="c" * 64)
    write_documents(tmp_path / "scores.json", [here, gone])
    result = hl("report", tmp_path / "scores.json", "-o", tmp_path / "r.html")
    assert result.exit_code == 0
    assert "gone.mp4 is not there: the report has no stills of it" in result.stderr
    page = Page(tmp_path / "r.html")
    assert "The video is not here, so there are no stills of it." in page.words
    assert len(page.all("img")) == 3 + 1 + 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "name a page: -o report.html"),
        (["-o", "r.txt"], 2, "name a page: -o report.html"),
        (["-o", "none/r.html"], 6, "none"),
        (["-o", "r.html", "--model", "nothing"], 4, "nothing"),
        (["-o", "r.html", "--top", "1", "--threshold", "1"], 2, "exclude each other"),
    ],
)
def test_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = hl("report", make_video(tmp_path), *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr
    assert not (tmp_path / "r.html").exists()


def test_a_bad_file_costs_itself_only_and_is_never_overwritten(tmp_path: Path) -> None:
    good = make_video(tmp_path, name="good.mp4", num_frames=40)
    bad = tmp_path / "bad.html"
    bad.write_bytes(b"no video")
    result = hl("report", bad, good, "-o", tmp_path / "r.html")
    assert result.exit_code == 3
    assert "bad.html" in result.stderr
    assert "good.mp4" in Page(tmp_path / "r.html").words
    result = hl("report", bad, "-o", bad)
    assert result.exit_code != 0
    assert bad.read_bytes() == b"no video"


def test_a_browser_shows_it_without_complaint(tmp_path: Path) -> None:
    """Two real videos, scored on the way."""
    for name, seconds in (("a & b.mp4", 14), ("second.mp4", 8)):
        make_video(
            tmp_path,
            name=name,
            num_frames=30 * seconds,
            paint=moving_square,
            audio=(AudioTrack(click_track(seconds, (2.0, 5.5))),),
        )
    result = hl("report", tmp_path, "-o", tmp_path / "r.html", "--top", 2)
    assert result.exit_code == 0, result.output
    images = Page(tmp_path / "r.html").all("img")
    assert len(images) >= 10 + 8 + 2 * 2
    visits = visit((tmp_path / "r.html").as_uri(), widths=(1440, 390), dark=True)
    assert [(one["width"], one["colorScheme"]) for one in visits] == [
        (1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"),
    ]  # fmt: skip
    for seen in visits:
        assert seen["images"] == len(images)
        for nothing in ("console", "requests", "serious", "minor", "overflow", "broken"):
            assert not seen[nothing], (nothing, seen)
        assert seen["passes"] > 20
