"""Probing: exact rates, lengths, start times, shapes, and clear words for what is no video."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from hlcli.errors import (
    MediaError,
    MediaNotFoundError,
    MediaUnreadableError,
    NoVideoStreamError,
)
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.media.rates import STANDARD_RATES, choose_frame_rate, snap_rate
from tests.media_factory import AudioTrack, click_track, make_video


def move_timecode_to_rtmd(path: Path, timecode: bytes) -> None:
    """Turn the timecode track of a QuickTime file into the one Sony's cameras write.

    The entry in `stsd` changes its kind, its one sample becomes Sony's record (the timecode's five
    bytes stand at its 13th), and the picture no longer refers to it.
    """
    data = bytearray(path.read_bytes())
    handler = data.rindex(b"TimeCodeHandler")
    data[handler : handler + 15] = b"Timed Metadata "
    entry = data.index(b"tmcd", data.index(b"stsd", handler))
    data[entry : entry + 4] = b"rtmd"
    reference = data.index(b"tref")
    data[reference : reference + 4] = b"free"
    offset = data.index(b"stco", entry) + 12
    data[offset : offset + 4] = len(data).to_bytes(4, "big")
    path.write_bytes(bytes(data) + bytes(13) + timecode + bytes(6))


SILENCE = AudioTrack(click_track(2.0, ()))


@pytest.mark.parametrize(
    ("changes", "codec", "bit_depth"),
    [
        ({"name": "a.mp4"}, "h264", 8),
        ({"name": "a.mkv"}, "h264", 8),
        ({"name": "a.mp4", "codec": "libx265", "pix_fmt": "yuv420p10le"}, "hevc", 10),
        ({"name": "a.mov", "codec": "prores_ks", "pix_fmt": "yuv422p10le"}, "prores", 10),
        ({"name": "a.mkv", "codec": "libsvtav1"}, "av1", 8),
        ({"name": "a.webm", "codec": "libvpx-vp9"}, "vp9", 8),
        ({"name": "a.ts"}, "h264", 8),
        ({"name": "a.mpg", "codec": "mpeg2video"}, "mpeg2video", 8),
        ({"name": "a.avi", "codec": "mjpeg", "pix_fmt": "yuvj420p"}, "mjpeg", 8),
        ({"name": "a.avi", "codec": "mpeg4"}, "mpeg4", 8),
    ],
    ids=lambda value: str(value.get("name", "")) if isinstance(value, dict) else str(value),
)
def test_every_format_has_the_same_length(
    tmp_path: Path, changes: dict[str, object], codec: str, bit_depth: int
) -> None:
    info = probe(make_video(tmp_path, **changes))
    assert (info.duration_seconds, info.frame_rate, info.num_frames) == (2, 30, 60)
    assert (info.video_codec, info.bit_depth) == (codec, bit_depth)
    assert (info.width, info.height, info.rotation_degrees) == (160, 96, 0)
    assert not info.is_variable_rate
    assert not info.has_audio


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
@pytest.mark.parametrize(
    "rate", [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(25)]
)
def test_rates_are_exact(tmp_path: Path, rate: Fraction, suffix: str) -> None:
    info = probe(make_video(tmp_path, name=f"a{suffix}", rate=rate, num_frames=48))
    assert info.frame_rate == rate
    assert info.num_frames == 48
    assert abs(info.duration_seconds - 48 / rate) < Fraction(1, 10000)
    assert not info.is_variable_rate


def test_variable_rate_gets_a_standard_rate(tmp_path: Path) -> None:
    times = tuple(Fraction(i * i, 1800) + Fraction(i, 30) for i in range(40))
    info = probe(make_video(tmp_path, frame_times=times))
    assert info.is_variable_rate
    assert info.frame_rate in STANDARD_RATES
    assert times[-1] < info.duration_seconds < times[-1] + Fraction(1, 5)


def test_dropped_frames_keep_their_grid(tmp_path: Path) -> None:
    times = tuple(Fraction(i, 30) for i in range(90) if i % 7 != 3)
    info = probe(make_video(tmp_path, frame_times=times))
    assert info.is_variable_rate
    assert info.frame_rate == 30
    assert abs(info.duration_seconds - 3) <= Fraction(1, 30)


def test_late_picture_and_sound(tmp_path: Path) -> None:
    late_picture = make_video(tmp_path, audio=(SILENCE,), start_seconds=Fraction(1, 2))
    info = probe(late_picture)
    assert info.video_start_seconds == Fraction(1, 2)
    assert info.duration_seconds == 2
    transport = probe(make_video(tmp_path, name="a.ts", audio=(SILENCE,)))
    assert transport.video_start_seconds > 0
    assert transport.duration_seconds == 2


def test_sound_that_outlasts_the_picture_does_not_count(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.ts"):
        long_sound = AudioTrack(click_track(5.0, ()))
        info = probe(make_video(tmp_path, name=name, audio=(long_sound,)))
        assert info.duration_seconds == 2, name


@pytest.mark.parametrize("timecode", ["01:00:00;00", "16:37:10:02"])
def test_start_timecode(tmp_path: Path, timecode: str) -> None:
    rate = Fraction(30000, 1001)
    info = probe(make_video(tmp_path, name="a.mov", timecode=timecode, rate=rate))
    assert info.start_timecode == timecode
    assert info.duration_seconds == 60 / rate


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mxf"])
def test_timecode_in_a_track(tmp_path: Path, name: str) -> None:
    codec = {"codec": "mpeg2video", "rate": Fraction(25)} if name == "a.mxf" else {}
    info = probe(make_video(tmp_path, name=name, timecode="16:37:10:02", **codec))
    assert (info.start_timecode, info.has_timecode_track) == ("16:37:10:02", True)


def test_timecode_in_a_cameras_own_track(tmp_path: Path) -> None:
    """Sony's rtmd: FFmpeg and DaVinci Resolve read it, Final Cut Pro starts the file at 0."""
    path = make_video(tmp_path, name="a.mov", timecode="16:37:10:02", num_frames=30)
    move_timecode_to_rtmd(path, bytes([10, 11, 12, 0, 13]))
    info = probe(path)
    assert (info.start_timecode, info.has_timecode_track) == ("10:11:12:13", False)


def test_no_timecode(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path))
    assert (info.start_timecode, info.has_timecode_track) == (None, False)


@pytest.mark.parametrize(("degrees", "size"), [(90, (96, 160)), (180, (160, 96)), (270, (96, 160))])
def test_rotation(tmp_path: Path, degrees: int, size: tuple[int, int]) -> None:
    info = probe(make_video(tmp_path, rotation_degrees=degrees))
    assert info.rotation_degrees == degrees
    assert (info.width, info.height) == size


def test_portrait_and_aspect(tmp_path: Path) -> None:
    portrait = probe(make_video(tmp_path, width=96, height=160))
    assert (portrait.width, portrait.height) == (96, 160)
    wide = probe(make_video(tmp_path, sample_aspect_ratio=Fraction(4, 3)))
    assert (wide.width, wide.height) == (213, 96)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_tiny_files(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    one = probe(make_video(tmp_path, name=f"one{suffix}", num_frames=1, codec=codec))
    assert (one.num_frames, one.duration_seconds) == (1, Fraction(1, 30))
    if suffix == ".ts":
        return  # FFmpeg takes so short a transport stream for something else.
    three = probe(make_video(tmp_path, name=f"three{suffix}", num_frames=3, codec=codec))
    assert (three.num_frames, three.duration_seconds) == (3, Fraction(1, 10))


def test_raw_stream_without_times(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path, name="a.h264", format="h264"))
    assert (info.duration_seconds, info.num_frames, info.frame_rate) == (2, 60, 30)


def test_fragmented_file(tmp_path: Path) -> None:
    options = (("movflags", "frag_keyframe+empty_moov"),)
    info = probe(make_video(tmp_path, container_options=options))
    assert (info.duration_seconds, info.num_frames) == (2, 60)


def test_audio_streams(tmp_path: Path) -> None:
    mono = AudioTrack(click_track(2.0, (), channels=1), language="ger")
    info = probe(make_video(tmp_path, name="a.mkv", audio=(SILENCE, mono)))
    assert [(t.index, t.channels, t.sample_rate, t.codec) for t in info.audio_streams] == [
        (1, 2, 48000, "aac"),
        (2, 1, 48000, "aac"),
    ]
    assert info.audio_streams[1].language == "ger"
    assert info.has_audio


@pytest.mark.parametrize(
    "name",
    [
        "clip ä 日本 #1 100%25 & 'q'.mp4",
        "foo:bar.mp4",
        "file:odd.mp4",
        "shot%03d.mp4",
        "concat:a|b.mp4",
        "-dash [1]*?.mp4",
        "emoji \U0001f3ac .mp4",
    ],
)
def test_any_file_name(tmp_path: Path, name: str) -> None:
    source = make_video(tmp_path)
    try:
        odd = source.rename(tmp_path / name)
    except OSError:
        pytest.skip("this file system does not allow the name")
    info = probe(odd)
    assert info.path == odd
    assert info.num_frames == 60


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(tmp_path, name="foo:bar.mp4")
    monkeypatch.chdir(tmp_path)
    assert probe(Path("foo:bar.mp4")).path == tmp_path / "foo:bar.mp4"


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    _write_sound(path)
    with pytest.raises(NoVideoStreamError, match=r"sound\.mp4"):
        probe(path)


def test_cover_art_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame(64, 64, "yuvj420p")
        frame.pts = 0
        container.mux(cover.encode(frame))
        container.mux(cover.encode(None))
        tone = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        tone.planes[0].update(bytes(tone.planes[0].buffer_size))
        tone.sample_rate, tone.pts = 48000, 0
        container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    with av.open(str(path)) as container:
        if not container.streams.video[0].disposition & av.stream.Disposition.attached_pic:
            pytest.skip("this muxer does not store cover art")
    with pytest.raises(NoVideoStreamError):
        probe(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.mp4", b"This is not a video.\n" * 50),
        ("notes.txt", b"Shopping list\n" * 50),
        ("zero.mp4", b""),
        ("garbage.mov", bytes(range(256)) * 64),
        ("list.mp4", b"ffconcat version 1.0\nfile 'x.mp4'\n"),
        ("one_byte.mkv", b"\x1a"),
    ],
)
def test_not_a_video(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaUnreadableError, match="cannot read") as caught:
        probe(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_still_picture(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb24"
        container.mux(stream.encode(av.VideoFrame(64, 64, "rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(MediaUnreadableError, match="a picture or an animation"):
        probe(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError) as caught:
        probe(tmp_path / "none.mp4")
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(MediaError, match="is a folder"):
        probe(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    for path in (pipe, Path(os.devnull)):
        for read in (probe, content_identity):
            with pytest.raises(MediaError, match="is a pipe or a device") as caught:
                read(path)
            assert "save the video to a file" in caught.value.hint


def test_recording_broken_off_before_its_index(tmp_path: Path) -> None:
    path = make_video(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(MediaUnreadableError, match="cut off, the index at its end is missing"):
        probe(path)
    path.write_bytes(data.replace(b"trak", b"trax").replace(b"mvhd", b"mvhx"))
    with pytest.raises(MediaUnreadableError) as caught:
        probe(path)
    assert "index" not in caught.value.message


def test_header_cut_off(tmp_path: Path) -> None:
    path = make_video(tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(MediaUnreadableError):
        probe(path)


def test_data_cut_off_keeps_the_promised_length(tmp_path: Path) -> None:
    options = (("movflags", "faststart"),)
    path = make_video(tmp_path, num_frames=300, container_options=options, gop=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert probe(path).duration_seconds == 10


def test_ffmpeg_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = make_video(tmp_path, num_frames=300, container_options=(("movflags", "faststart"),))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    capfd.readouterr()
    probe(path)
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(range(256)))
    with pytest.raises(MediaUnreadableError):
        probe(garbage)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("average", "base", "expected"),
    [
        (Fraction(2997, 100), Fraction(2997, 100), (Fraction(30000, 1001), False)),
        (Fraction(25), Fraction(50), (Fraction(25), False)),
        (Fraction(30000, 1001), Fraction(60000, 1001), (Fraction(30000, 1001), False)),
        (Fraction(87169000, 2905633), Fraction(90000), (Fraction(30), True)),
        (Fraction(87, 4), Fraction(30), (Fraction(30), True)),
        (Fraction(298, 10), Fraction(120), (Fraction(30000, 1001), True)),
        (Fraction(59999024, 1000000), Fraction(60), (Fraction(60), False)),
        (Fraction(301, 10), Fraction(301, 10), (Fraction(301, 10), False)),
        (None, Fraction(24), (Fraction(24), False)),
        (Fraction(60000), Fraction(25), (Fraction(25), False)),
        (Fraction(16, 959), Fraction(16, 959), (Fraction(10), True)),
        (Fraction(1), Fraction(1), (Fraction(1), False)),
    ],
)
def test_choice_of_rate(
    average: Fraction | None, base: Fraction | None, expected: tuple[Fraction, bool]
) -> None:
    assert choose_frame_rate(average=average, base=base) == expected


def test_no_rate_at_all() -> None:
    assert choose_frame_rate(average=None, base=None) is None


def test_snapping_never_confuses_film_with_24() -> None:
    assert snap_rate(Fraction(23976, 1000)) == Fraction(24000, 1001)
    assert snap_rate(Fraction(24)) == 24
    assert snap_rate(Fraction(239, 10)) is None


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "rate", "num_frames", "timecode", "start"),
    [
        ("torture/ntsc_df.mov", Fraction(30000, 1001), 240, "01:00:00;00", Fraction(0)),
        ("torture/p2398_tc.mov", Fraction(24000, 1001), 192, "16:37:10:02", Fraction(0)),
        ("torture/true30_df.mov", Fraction(30), 240, "16:37:10;02", Fraction(0)),
        ("torture/p5994.mp4", Fraction(60000, 1001), 480, None, Fraction(0)),
        ("torture/start_offset.ts", Fraction(30), 240, None, Fraction(22, 15)),
        ("torture/multitrack.mkv", Fraction(30), 240, None, Fraction(21, 1000)),
        ("torture/vfr.mp4", Fraction(30), 240, None, Fraction(0)),
        ("variants/vfr.mp4", Fraction(24), 144, None, Fraction(0)),
        ("variants/mpeg2.ts", Fraction(24), 144, None, Fraction(173, 120)),
        ("variants/av1_noaudio.mkv", Fraction(24), 144, None, Fraction(0)),
        ("variants/prores.mov", Fraction(24), 36, None, Fraction(0)),
        ("variants/theora.ogv", Fraction(24), 144, None, Fraction(0)),
    ],
)
def test_shared_samples(
    shared_dir: Path,
    name: str,
    rate: Fraction,
    num_frames: int,
    timecode: str | None,
    start: Fraction,
) -> None:
    info = probe(shared_dir / "data" / "media" / name)
    assert (info.frame_rate, info.num_frames) == (rate, num_frames)
    assert (info.start_timecode, info.video_start_seconds) == (timecode, start)
    assert info.duration_seconds == num_frames / rate


@pytest.mark.shared
def test_shared_bad_samples(shared_dir: Path) -> None:
    media = shared_dir / "data" / "media"
    with pytest.raises(MediaUnreadableError):
        probe(media / "variants" / "truncated.mp4")
    with pytest.raises(NoVideoStreamError):
        probe(media / "torture" / "audio_only.wav")


def _write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
