"""Media of real cameras and programs: what its pictures look like in the film, and its timecode."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from foreign_desk import A, B, a, b, make_desk
from media_factory import make_video
from numbered_footage import Footage, make_footage, read_numbers
from render_factory import cuts, ffmpeg, source_of

from hlcli.errors import UsageError
from hlcli.media.probe import probe
from hlcli.media.still import read_stills
from hlcli.rendering.film import render
from hlcli.rendering.settings import RenderSettings
from hlcli.timeline.edit_list import EditList, Event
from hlcli.timeline.formats import write_format
from hlcli.timeline.read import read_timeline

RATE = Fraction(25)
ONE = 1 << 16


def pictures(film: Path) -> list[np.ndarray]:
    with av.open(str(film)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


# Orientation --------------------------------------------------------------------------------------


def quarters(path: Path, matrix: tuple[int, int, int, int] | None) -> Path:
    """Write a video of four grays, with a matrix in its header: a, b, c, d."""

    def paint(index: int, image: np.ndarray) -> None:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        for n, level in enumerate((30, 90, 150, 220)):
            y, x = n // 2 * height, n % 2 * width
            image[y : y + height, x : x + width] = level

    made = make_video(
        path, name="q.mp4", rate=RATE, num_frames=5, width=160, height=96, paint=paint,
        counter=False,
    )  # fmt: skip
    if matrix is not None:
        data = bytearray(made.read_bytes())
        # Behind the kind: version and flags, 20 bytes of times and numbers, 16 of layer and volume.
        at = data.index(b"tkhd") + 4 + 4 + 20 + 16
        a, b, c, d = (value * ONE for value in matrix)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        made.write_bytes(data)
    return made


PLAIN = [[30, 90], [150, 220]]


@pytest.mark.parametrize(
    ("matrix", "degrees", "is_mirrored", "corners"),
    [
        (None, 0, False, PLAIN),
        ((-1, 0, 0, 1), 0, True, [[90, 30], [220, 150]]),
        ((1, 0, 0, -1), 180, True, [[150, 220], [30, 90]]),
        ((-1, 0, 0, -1), 180, False, [[220, 150], [90, 30]]),
        ((0, 1, -1, 0), 90, False, [[150, 30], [220, 90]]),
        ((0, 1, 1, 0), 270, True, [[30, 150], [90, 220]]),
        ((0, -1, -1, 0), 90, True, [[220, 90], [150, 30]]),
    ],
)
def test_mirrored_and_turned_pictures(
    tmp_path: Path, matrix, degrees: int, is_mirrored: bool, corners: list
) -> None:
    path = quarters(tmp_path, matrix)
    info = probe(path)
    assert (info.rotation_degrees, info.is_mirrored) == (degrees, is_mirrored)
    (still,) = read_stills(info, [1], height=info.height)
    film = tmp_path / "film.mov"
    render(cuts([(source_of(path), 0, 3)]), film)
    shown = tmp_path / "shown.png"
    ffmpeg("-i", path, "-frames:v", 1, shown)  # what a player makes of the same file
    with av.open(str(shown)) as container:
        player = next(container.decode(video=0)).to_ndarray(format="rgb24")
    for image in (still.rgb_HWC, pictures(film)[0], player):
        height, width = image.shape[0], image.shape[1]
        # A patch lies in the stored picture's upper left corner: look beside it.
        found = [[image[height * y // 8, width * x // 8].mean() for x in (3, 5)] for y in (3, 5)]
        assert np.abs(np.array(found) - corners).max() < 8


# Transparency -------------------------------------------------------------------------------------


def lower_third(folder: Path, *, num_frames: int = 50) -> Path:
    """Write a picture that is blue in its lower half and transparent above."""
    path = folder / "lower.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "argb"
        image = np.zeros((96, 160, 4), np.uint8)
        image[:, :, 3], image[:, :, 0] = 255, 255  # blue, with red where nothing is to be seen
        image[:48, :, 0], image[:48, :, 1] = 0, 255
        for _ in range(num_frames):
            frame = av.VideoFrame.from_ndarray(image, format="argb")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def over(tracks: list[list[tuple[Path, int, int, int]]]) -> EditList:
    """Lay (file, first frame, first frame of the timeline, count) on video tracks."""
    events = [
        Event(
            source=source_of(path),
            frames=range(first, first + count),
            record=range(at, at + count),
            video_track=number,
        )
        for number, track in enumerate(tracks)
        for path, first, at, count in track
    ]
    events.sort(key=lambda event: (event.record.start, event.video_track))
    return EditList(name="x", frame_rate=RATE, events=tuple(events), width=160, height=96)


def is_blue(color: np.ndarray) -> bool:
    return bool(color[2] > 200 and color[0] < 60)


def test_what_is_transparent_shows_what_is_below(tmp_path: Path) -> None:
    """The lower half is the title's; what a cut below it changes is seen in the upper half."""
    make_desk(tmp_path, A)
    bright = make_video(
        tmp_path, name="bright.mov", rate=RATE, num_frames=50, width=160, height=96, counter=False,
        paint=lambda _, image: image.fill(200),
    )  # fmt: skip
    title = lower_third(tmp_path)
    edit = over([[(tmp_path / "A.mov", 0, 0, 20), (bright, 0, 20, 20)], [(title, 0, 10, 40)]])
    film = tmp_path / "film.mov"
    render(edit, film)
    shown = pictures(film)
    assert len(shown) == 50
    upper = [round(float(image[30, 80].mean())) for image in shown]
    lower = [is_blue(image[70, 80]) for image in shown]
    assert lower == [False] * 10 + [True] * 40
    assert upper[:20] == pytest.approx([110] * 20, abs=6)
    assert upper[20:40] == pytest.approx([200] * 20, abs=6)
    # Over nothing it is black, whatever colour is stored there.
    assert max(upper[40:]) < 8


def test_transparency_that_ffmpeg_has_no_decoder_of_its_own_for(tmp_path: Path) -> None:
    if "libvpx-vp9" not in av.codecs_available:
        pytest.skip("this FFmpeg has no libvpx")
    make_desk(tmp_path, A)
    title = tmp_path / "title.webm"
    ffmpeg(
        "-f", "lavfi", "-i", "color=red@0:size=160x96:rate=25:duration=2,format=yuva420p,"
        "drawbox=y=48:h=48:color=blue@1:t=fill:replace=1", "-c:v", "libvpx-vp9", "-g", "10",
        title,
    )  # fmt: skip
    assert probe(title).has_alpha
    film = tmp_path / "film.mov"
    render(over([[(tmp_path / "A.mov", 10, 0, 25)], [(title, 15, 5, 20)]]), film)
    shown = pictures(film)
    assert [is_blue(image[70, 80]) for image in shown] == [False] * 5 + [True] * 20
    assert [image[30, 80].mean() for image in shown] == pytest.approx([110] * 25, abs=8)


def test_transparency_in_a_vertical_film_and_under_a_crossfade(tmp_path: Path) -> None:
    make_desk(tmp_path, A, B)
    title = lower_third(tmp_path)
    edit = over(
        [
            [(tmp_path / "A.mov", 10, 0, 25), (tmp_path / "B.mov", 10, 25, 25)],
            [(title, 0, 0, 25), (title, 25, 25, 25)],
        ]
    )
    film = tmp_path / "film.mov"
    render(edit, film, RenderSettings(vertical=True, crossfade_seconds=Fraction(8, 25)))
    for image in pictures(film):
        height, width = image.shape[:2]
        assert is_blue(image[height * 3 // 4, width // 2])
        assert image[height // 3, width // 2].mean() == pytest.approx(110, abs=8)


def test_a_picture_without_transparency_covers_what_is_below(tmp_path: Path) -> None:
    make_desk(tmp_path, A, B)
    edit = over([[(tmp_path / "A.mov", 0, 0, 30)], [(tmp_path / "B.mov", 5, 10, 10)]])
    film = tmp_path / "film.mov"
    render(edit, film)
    assert read_numbers(film) == a(0, 9) + b(5, 14) + a(20, 29)


# Interlaced ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["tff", "bff"])
@pytest.mark.parametrize("size", [None, (320, 180)])
def test_interlaced_footage_is_shown_without_combs(
    tmp_path: Path, first: str, size: tuple[int, int] | None
) -> None:
    path = tmp_path / "interlaced.mts"
    order = "interleave_top" if first == "tff" else "interleave_bottom"
    ffmpeg(
        "-filter_complex",
        "color=black:size=320x240:rate=50:duration=2[back];color=white:size=40x240:rate=50[bar];"
        f"[back][bar]overlay=x='mod(t*300,280)':shortest=1,tinterlace={order},setfield={first}",
        "-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-g", "12", "-x264-params",
        f"{first}=1", path,
    )  # fmt: skip
    info = probe(path)
    assert (info.is_interlaced, info.frame_rate) == (True, 25)
    edit = cuts([(source_of(path), 5, 20), (source_of(path), 30, 15), (source_of(path), 0, 5)])
    film = tmp_path / "film.mov"
    report = render(edit, film, RenderSettings(size=size))
    assert report.remarks == ["interlaced footage was made progressive: interlaced.mts"]
    shown = pictures(film)
    assert len(shown) == 40

    def combs(images: list[np.ndarray]) -> float:
        """Return by how much lines differ from their neighbours: nothing in it is not upright."""
        lines = [image[:, :, 1].astype(float) for image in images]
        return float(np.mean([np.abs(np.diff(image, axis=0)).mean() for image in lines]))

    assert combs(pictures(path)) > 4
    assert combs(shown) < 1
    assert len({image.tobytes() for image in shown[:20]}) == 20


def test_progressive_footage_goes_through_no_filter(tmp_path: Path) -> None:
    path = make_footage(tmp_path, Footage(name="p.mov"))
    assert not probe(path).is_interlaced
    film = tmp_path / "film.mov"
    assert render(cuts([(source_of(path), 5, 20)]), film).remarks == []
    assert read_numbers(film) == a(5, 24)


# Timecode and rates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "timecode"),
    [("24", "19:37:10:02"), ("25", "23:59:59:24"), ("24000/1001", "01:00:00:00")],
)
def test_a_timecode_that_says_it_drops_frames_where_none_are(
    tmp_path: Path, rate: str, timecode: str
) -> None:
    path = tmp_path / "phone.mov"
    ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=size=160x96:rate={rate}:duration=4", "-c:v", "libx264",
        "-timecode", timecode, path,
    )  # fmt: skip
    assert probe(path).start_timecode == timecode
    data = bytearray(path.read_bytes())
    # The entry of the sample table: size, kind, 6 bytes, 2 of a number, 4 unused, then the flags.
    at = data.index(b"tmcd", data.index(b"stsd", data.index(b"tmcd"))) + 4 + 6 + 2 + 4
    data[at : at + 4] = struct.pack(">I", 1)
    path.write_bytes(data)
    info = probe(path)
    assert (info.start_timecode, info.has_timecode_track) == (timecode, True)


def test_a_time_lapse_of_one_frame_a_second(tmp_path: Path) -> None:
    from document_factory import make_document

    path = make_footage(tmp_path, Footage(name="lapse.mov", rate=Fraction(1), seconds=Fraction(30)))
    document = make_document(
        path=str(path), frame_rate=Fraction(1), num_frames=30, spans=[(3.0, 8.0)]
    )
    for suffix in (".otio", ".mlt", ".kdenlive"):
        timeline = tmp_path / f"lapse{suffix}"
        write_format(timeline, [document])
        made = read_timeline(timeline)
        assert made.edit.frame_rate == 1
        assert [event.frames for event in made.edit.events] == [range(3, 8)]
    for suffix in (".xml", ".edl", ".fcpxml"):
        with pytest.raises(UsageError):
            write_format(tmp_path / f"lapse{suffix}", [document])
