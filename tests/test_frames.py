"""One picture per clip: the right frame, upright, the same whatever the number of threads."""

from __future__ import annotations

import gc
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from hlcli.errors import MediaUnreadableError
from hlcli.media.clips import ClipGrid
from hlcli.media.decode_plan import clip_target
from hlcli.media.frames import Picture, PictureReader, PictureSignals, read_pictures
from hlcli.media.probe import MediaInfo, probe
from tests.media_factory import (
    AudioTrack,
    Recipe,
    click_track,
    is_upright,
    make_video,
    moving_square,
    read_frame_number,
    shots,
)

SIZE = 80


def read(
    path: Path, *, num_workers: int = 2, clip_seconds: Fraction = Fraction(1)
) -> tuple[dict[int, Picture], PictureSignals, PictureReader]:
    """Read all pictures of a file, each clip exactly once."""
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds, clip_seconds)
    with read_pictures(info, grid, picture_size=SIZE, num_workers=num_workers) as reader:
        given = list(reader)
    pictures = {picture.clip: picture for picture in given}
    assert len(given) == len(pictures) == grid.num_clips
    assert sorted(pictures) == list(range(grid.num_clips))
    return pictures, reader.signals, reader


def check_frames(info: MediaInfo, pictures: dict[int, Picture], *, tolerance: Fraction) -> None:
    """Each picture shows the frame its time names, near enough to its clip's middle."""
    grid = ClipGrid.covering(info.duration_seconds)
    for clip, picture in pictures.items():
        assert picture.rgb_HWC.shape == (SIZE, SIZE, 3)
        assert picture.rgb_HWC.dtype == np.uint8
        number = round(Fraction(picture.pts_seconds) * info.frame_rate)
        assert picture.pts_seconds == pytest.approx(float(number / info.frame_rate), abs=1.1e-3)
        assert read_frame_number(picture.rgb_HWC) == number
        assert is_upright(picture.rgb_HWC)
        target = clip_target(grid, clip, info.duration_seconds)
        assert abs(picture.pts_seconds - target) <= tolerance


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a.mp4"},
        {"name": "a.mkv"},
        {"name": "hevc10.mp4", "codec": "libx265", "pix_fmt": "yuv420p10le"},
        {"name": "av1.mkv", "codec": "libsvtav1"},
        {"name": "vp9.webm", "codec": "libvpx-vp9"},
        {"name": "a.ts"},
        {"name": "mpeg2.ts", "codec": "mpeg2video"},
        {"name": "a.avi", "codec": "mpeg4"},
        {"name": "h264.avi", "codec": "libx264"},
        {"name": "film.mov", "rate": Fraction(24000, 1001), "timecode": "01:00:00:00"},
        {"name": "ntsc.mov", "rate": Fraction(30000, 1001)},
        {"name": "fast.mp4", "rate": Fraction(60000, 1001), "num_frames": 180},
        {"name": "portrait.mp4", "width": 96, "height": 160},
        {"name": "rgb.mkv", "codec": "ffv1", "pix_fmt": "bgr0", "gop": 90},
        {"name": "gray10.mkv", "codec": "ffv1", "pix_fmt": "gray10le", "gop": 90},
        {"name": "late.mp4", "start_seconds": Fraction(1, 2)},
        {"name": "frag.mp4", "container_options": (("movflags", "frag_keyframe+empty_moov"),)},
        {"name": "nob.mp4", "b_frames": 0},
        {"name": "manyb.mp4", "b_frames": 12, "options": (("x264-params", "b-pyramid=0"),)},
    ],
    ids=lambda changes: str(changes["name"]),
)
def test_right_frames_without_frequent_keyframes(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    recipe: dict[str, object] = {"num_frames": 90, "gop": 250, **changes}
    if changes["name"] == "late.mp4":
        recipe["audio"] = (AudioTrack(click_track(3.5, ())),)
    info = probe(path := make_video(tmp_path, **recipe))
    pictures, signals, reader = read(path)
    assert not reader.plan.keyframes_only
    check_frames(info, pictures, tolerance=Fraction(1, 10))
    assert signals.num_clips_read == len(pictures)
    assert signals.damage is None
    assert len(signals.motion_T) == len(pictures)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a.mp4", "gop": 30},
        {"name": "a.mkv", "gop": 30},
        {"name": "a.ts", "gop": 30},
        {"name": "opengop.mp4", "gop": 30, "options": (("x264-params", "open-gop=1:scenecut=0"),)},
        {"name": "prores.mov", "codec": "prores_ks", "pix_fmt": "yuv422p10le"},
        {"name": "mjpeg.avi", "codec": "mjpeg", "pix_fmt": "yuvj420p"},
        {"name": "hevc.mp4", "codec": "libx265", "gop": 30},
        {"name": "mpeg2.ts", "codec": "mpeg2video", "gop": 15},
        {"name": "vp9.webm", "codec": "libvpx-vp9", "gop": 30},
    ],
    ids=lambda changes: str(changes["name"]),
)
def test_keyframes_are_enough_where_frequent(tmp_path: Path, changes: dict[str, object]) -> None:
    info = probe(path := make_video(tmp_path, **{"num_frames": 120, **changes}))
    pictures, signals, reader = read(path)
    assert reader.plan.keyframes_only
    check_frames(info, pictures, tolerance=Fraction(3, 4))
    assert signals.num_clips_read == 4
    assert signals.damage is None


def test_all_keyframes_are_thinned_out_to_eight_a_second(tmp_path: Path) -> None:
    path = make_video(tmp_path, num_frames=120, gop=1, b_frames=0)
    info = probe(path)
    pictures, _, reader = read(path)
    assert reader.plan.keyframes_only
    check_frames(info, pictures, tolerance=Fraction(1, 8))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(tmp_path: Path, degrees: int) -> None:
    stored = make_video(tmp_path, rotation_degrees=degrees, gop=250)
    picture = read(stored)[0][0].rgb_HWC
    # The white patch was painted in the upper left corner of the stored picture.
    rows, columns = {90: (2, -3), 180: (-3, -3), 270: (-3, 2)}[degrees]
    assert picture[rows, columns].mean() > 200
    upright = np.rot90(picture, degrees // 90)
    assert is_upright(upright)
    assert read_frame_number(upright) in (14, 15, 16)


@pytest.mark.parametrize("num_frames", [1, 2, 3])
def test_tiny_files(tmp_path: Path, num_frames: int) -> None:
    pictures, signals, _ = read(make_video(tmp_path, num_frames=num_frames))
    assert len(pictures) == 1
    assert read_frame_number(pictures[0].rgb_HWC) < num_frames
    assert signals.motion_T.shape == (1,)
    assert signals.shot_boundaries_seconds.shape == (0,)
    assert signals.damage is None


def test_variable_rate_goes_by_time(tmp_path: Path) -> None:
    # Ten frames a second, then one frame for two seconds, then ten a second again.
    times = tuple(Fraction(i, 10) for i in range(20)) + tuple(
        Fraction(40 + i, 10) for i in range(20)
    )
    path = make_video(tmp_path, frame_times=times, gop=250, b_frames=0)
    pictures, signals, _ = read(path)
    numbers = [read_frame_number(pictures[clip].rgb_HWC) for clip in range(6)]
    assert numbers == [5, 15, 19, 20, 25, 35]
    assert [pictures[clip].pts_seconds for clip in range(6)] == pytest.approx(
        [0.5, 1.5, 1.9, 4.0, 4.5, 5.5], abs=1e-4
    )
    assert signals.num_clips_read == 6


def test_edit_list_starts_at_the_first_shown_frame(tmp_path: Path) -> None:
    source = make_video(tmp_path, num_frames=150, gop=60)
    cut = tmp_path / "cut.mp4"
    _shift_start(source, cut, seconds=Fraction(1))
    info = probe(cut)
    assert info.video_start_seconds == 0
    assert info.duration_seconds == 4
    pictures, _, _ = read(cut)
    assert read_frame_number(pictures[0].rgb_HWC) - 30 == round(pictures[0].pts_seconds * 30)


LONG = Recipe(num_frames=1000, rate=Fraction(25), width=64, height=40, paint=moving_square)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "long.mp4", "gop": 90},
        {"name": "long.mkv", "gop": 90},
        {"name": "open.mp4", "gop": 90, "options": (("x264-params", "open-gop=1:scenecut=0"),)},
        {"name": "key.mp4", "gop": 25},
        {"name": "long.ts", "gop": 90},
        {"name": "hevc.mp4", "codec": "libx265", "gop": 90},
    ],
    ids=lambda changes: str(changes["name"]),
)
def test_workers_never_change_the_result(tmp_path: Path, changes: dict[str, object]) -> None:
    path = make_video(tmp_path, LONG, **changes)
    alone, alone_signals, reader = read(path, num_workers=1)
    several, several_signals, _ = read(path, num_workers=3)
    assert (len(reader.plan.segments) > 1) == (path.suffix != ".ts")
    for clip, picture in alone.items():
        assert picture.pts_seconds == several[clip].pts_seconds
        assert np.array_equal(picture.rgb_HWC, several[clip].rgb_HWC)
    assert np.array_equal(alone_signals.motion_T, several_signals.motion_T)
    assert np.array_equal(
        alone_signals.shot_boundaries_seconds, several_signals.shot_boundaries_seconds
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_segments_equal_one_pass(tmp_path: Path, suffix: str) -> None:
    """What is read in pieces equals a plain decode of the whole file, frame by frame."""
    path = make_video(tmp_path, LONG, name=f"long{suffix}", gop=90)
    pictures, _, reader = read(path)
    assert len(reader.plan.segments) == 4
    reformatter = av.video.reformatter.VideoReformatter()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        start = probe(path).video_start_seconds
        decoded = {
            round(float(frame.pts * stream.time_base - start), 4): reformatter.reformat(
                frame, width=SIZE, height=SIZE, format="rgb24", interpolation="AREA"
            ).to_ndarray()
            for frame in container.decode(stream)
        }
    for picture in pictures.values():
        assert np.array_equal(picture.rgb_HWC, decoded[round(picture.pts_seconds, 4)])


def test_cuts_are_found_to_the_frame_and_none_besides(tmp_path: Path) -> None:
    starts = (95, 260, 333, 500, 720, 919)
    path = make_video(tmp_path, LONG, gop=90, b_frames=0, counter=False, paint=shots(*starts))
    _, signals, reader = read(path)
    assert len(reader.plan.segments) > 1
    assert signals.shot_boundaries_seconds == pytest.approx([start / 25 for start in starts])


def test_cuts_at_a_seam_are_not_lost(tmp_path: Path) -> None:
    # Every keyframe is a cut, so every seam between two segments is one.
    starts = tuple(range(90, 1000, 90))
    path = make_video(tmp_path, LONG, gop=90, b_frames=0, counter=False, paint=shots(*starts))
    _, signals, reader = read(path)
    assert len(reader.plan.segments) > 1
    assert signals.shot_boundaries_seconds == pytest.approx([start / 25 for start in starts])


def test_cuts_between_keyframes_lie_halfway(tmp_path: Path) -> None:
    path = make_video(tmp_path, num_frames=240, gop=30, counter=False, paint=shots(100))
    _, signals, reader = read(path)
    assert reader.plan.keyframes_only
    assert signals.shot_boundaries_seconds == pytest.approx([3.5])


def test_motion_is_seen_at_any_rate(tmp_path: Path) -> None:
    def slides(index: int, image: np.ndarray) -> None:
        if index >= 60:
            moving_square(index, image)

    def slides_twice_as_often(index: int, image: np.ndarray) -> None:
        if index >= 120:
            moving_square(index // 2, image)

    slow = make_video(tmp_path, num_frames=120, gop=250, counter=False, paint=slides)
    fast = make_video(
        tmp_path,
        num_frames=240,
        rate=Fraction(60),
        gop=250,
        counter=False,
        paint=slides_twice_as_often,
        name="fast.mp4",
    )
    slow_T = read(slow)[1].motion_T
    fast_T = read(fast)[1].motion_T
    assert slow_T.dtype == np.float32
    assert slow_T[2:].min() > slow_T[:2].max()
    assert fast_T[2:] == pytest.approx(slow_T[2:], rel=0.5)


def test_a_cut_is_no_motion(tmp_path: Path) -> None:
    path = make_video(tmp_path, num_frames=150, gop=250, counter=False, paint=shots(75))
    _, signals, _ = read(path)
    assert len(signals.shot_boundaries_seconds) == 1
    assert signals.motion_T.max() < 0.005


def test_cut_off_file_gives_what_is_there(tmp_path: Path) -> None:
    options = (("movflags", "faststart"),)
    path = make_video(tmp_path, LONG, gop=90, container_options=options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])
    pictures, signals, _ = read(path)
    assert len(pictures) == 40
    assert signals.damage is not None
    assert signals.damage.startswith("the last ")
    lost_seconds = float(signals.damage.split()[2])
    assert 8 < lost_seconds < 24
    assert signals.num_clips_read == 40 - int(lost_seconds)
    last_read = signals.num_clips_read - 1
    good = pictures[last_read - 1]
    assert read_frame_number(good.rgb_HWC) == round(good.pts_seconds * 25)
    for clip in range(last_read + 1, 40):
        assert pictures[clip].pts_seconds <= 40 - lost_seconds
    again, same_signals, _ = read(path, num_workers=1)
    assert same_signals.damage == signals.damage
    assert all(np.array_equal(again[c].rgb_HWC, pictures[c].rgb_HWC) for c in pictures)


STEADY = [Fraction(i, 25) for i in range(250)]
SECOND_HALF = [Fraction(500) + at for at in STEADY]


@pytest.mark.parametrize(
    ("times", "damage"),
    [
        (STEADY + SECOND_HALF, "no picture between 0:09 and 8:20"),
        # A clock that hesitates is no hole.
        (STEADY + [at - 481 for at in SECOND_HALF], None),
        # A screen recording stands still for shorter and longer.
        ([*STEADY[::3], Fraction(12), Fraction(13), *SECOND_HALF], None),
        # A time-lapse, and slides, are slow throughout.
        ([Fraction(15 * i) for i in range(40)], None),
        ([Fraction(5 * i) for i in range(30)] + [Fraction(200)], None),
        # One picture a second, as a door camera has, then nothing for an hour.
        (
            [Fraction(i) for i in range(30)] + [Fraction(3630 + i) for i in range(30)],
            "no picture between 0:29 and 1:00:30",
        ),
    ],
)
def test_a_hole_in_a_steady_recording_is_damage(
    tmp_path: Path, times: list[Fraction], damage: str | None
) -> None:
    path = make_video(tmp_path, frame_times=tuple(times), width=64, height=64, counter=False)
    _, signals, _ = read(path)
    assert signals.damage == damage


def test_damage_in_the_middle_loses_only_the_middle(tmp_path: Path) -> None:
    path = make_video(tmp_path, LONG, gop=50, codec="mpeg4", name="a.mp4", b_frames=0)
    clean = {clip: p.rgb_HWC for clip, p in read(path)[0].items()}
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + len(content) // 10] = bytes(len(content) // 10)
    path.write_bytes(content)
    pictures, _, _ = read(path)
    assert np.array_equal(pictures[0].rgb_HWC, clean[0])
    assert np.array_equal(pictures[39].rgb_HWC, clean[39])


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    path = make_video(tmp_path, num_frames=90)
    info = probe(path)
    content = path.read_bytes()
    data = content.index(b"mdat") + 4
    table = content.index(b"moov") - 4
    path.write_bytes(content[:data] + bytes(table - data) + content[table:])
    grid = ClipGrid.covering(info.duration_seconds)
    with (
        read_pictures(info, grid, picture_size=SIZE, num_workers=2) as reader,
        pytest.raises(MediaUnreadableError, match="no frame"),
    ):
        list(reader)


def test_file_gone_after_the_probe(tmp_path: Path) -> None:
    path = make_video(tmp_path)
    info = probe(path)
    path.write_bytes(b"something else now" * 100)
    with pytest.raises(MediaUnreadableError):
        read_pictures(info, ClipGrid(2), picture_size=SIZE, num_workers=2)


def test_early_exit_ends_all_threads(tmp_path: Path) -> None:
    path = make_video(tmp_path, LONG, gop=90)
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds)
    with (
        read_pictures(info, grid, picture_size=SIZE, num_workers=3) as reader,
        pytest.raises(KeyboardInterrupt),
    ):
        _take_one_and_stop(reader)
    assert not [t for t in threading.enumerate() if t.name.startswith("hl-decode")]
    with pytest.raises(RuntimeError):
        _ = reader.signals
    reader.close()


def test_slow_consumer_holds_the_decoders_back(tmp_path: Path) -> None:
    path = make_video(tmp_path, LONG, gop=90)
    info = probe(path)
    grid = ClipGrid.covering(info.duration_seconds, Fraction(1, 5))
    with read_pictures(info, grid, picture_size=SIZE, num_workers=3) as reader:
        first = next(reader)
        threading.Event().wait(0.5)
        gc.collect()
        alive = [item for item in gc.get_objects() if type(item) is Picture]
        # The queue, one in each worker's hand, the last one of each worker, and ours.
        assert len(alive) <= 32 + 3 + 3 + 1 + 8 < grid.num_clips
        assert first.clip < grid.num_clips
        assert len(list(reader)) == grid.num_clips - 1


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["variants", "torture"])
def test_shared_samples(shared_dir: Path, folder: str) -> None:
    met = 0
    for path in sorted((shared_dir / "data" / "media" / folder).iterdir()):
        if path.suffix in (".sh", ".wav") or path.name == "truncated.mp4":
            continue
        info = probe(path)
        pictures, signals, _ = read(path)
        met += 1
        assert signals.damage is None, path.name
        assert signals.num_clips_read == len(pictures), path.name
        target = [float(clip_target(ClipGrid(99), c, info.duration_seconds)) for c in pictures]
        distance = [abs(p.pts_seconds - t) for p, t in zip(pictures.values(), target, strict=True)]
        assert max(distance) <= 0.75, path.name
        if folder == "torture":
            assert len(signals.shot_boundaries_seconds) == 3, path.name
    assert met >= 11


def _take_one_and_stop(reader: PictureReader) -> None:
    next(reader)
    raise KeyboardInterrupt


def _shift_start(source: Path, target: Path, *, seconds: Fraction) -> None:
    """Copy packets so that `seconds` of them lie before 0, which MP4 stores as an edit list."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        copied = made.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.size == 0 or packet.pts is None or packet.dts is None:
                continue
            shift = int(seconds / packet.time_base)
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copied
            made.mux(packet)
