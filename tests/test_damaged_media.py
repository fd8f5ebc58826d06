"""Damaged and unusual media: what can be used is used, what was lost is said, all else is refused.

Each file is made here; the first ones of their kind came from a fuzzer and from people's reports.
"""

from __future__ import annotations

import dataclasses
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from edit_list_factory import canonical
from render_factory import ffmpeg
from test_frames import check_frames, read
from test_waveform import click_times, whole
from typer.testing import CliRunner

from hlcli.cli import app
from hlcli.errors import MediaError, MediaUnreadableError, UsageError
from hlcli.media.clock import MediaClock, Part
from hlcli.media.ffmpeg import cut_excerpt, thumbnail
from hlcli.media.probe import probe
from hlcli.media.shown import ShownFrames
from hlcli.media.stereo import SoundTrack
from hlcli.media.still import read_stills
from hlcli.rendering.film import film_size
from hlcli.rendering.settings import RenderSettings
from tests.media_factory import AudioTrack, click_track, make_video, read_frame_number

RATE = 16000

# Sound of many channels.


@pytest.mark.parametrize(
    ("layout", "codec", "suffix"),
    [
        ("5.1", "pcm_s16le", ".mov"),
        ("7.1", "pcm_s16le", ".mov"),
        ("7.1", "aac", ".mp4"),
        ("7.1", "flac", ".mkv"),
        ("9 channels", "pcm_s16le", ".mov"),
        ("hexadecagonal", "pcm_s16le", ".mov"),
        ("24 channels", "pcm_s16le", ".mkv"),
        ("32 channels", "pcm_f32le", ".mkv"),
    ],
)
def test_sound_of_many_channels_is_averaged(
    tmp_path: Path, layout: str, codec: str, suffix: str
) -> None:
    path = with_sound(make_video(tmp_path), tmp_path / f"many{suffix}", layout, codec)
    channels = av.AudioLayout(layout).nb_channels
    info = probe(path)
    assert info.audio_streams[0].channels == channels
    mono = whole(path)
    assert len(mono) == info.duration_seconds * RATE
    # Each channel is the same tone, so the mean of all is that tone; AAC cuts it off one speaker.
    assert np.sqrt(np.mean(mono[RATE // 2 : RATE] ** 2)) == pytest.approx(
        0.25, rel=0.02 if codec != "aac" else 0.15
    )
    track = SoundTrack(path, info.audio_streams[0].index, clock=info.clock, sample_rate=48000)
    stereo = np.concatenate(list(track.read(Fraction(0), 48000)), axis=1)
    track.close()
    assert stereo.shape == (2, 48000)
    assert (np.sqrt(np.mean(stereo[:, 24000:] ** 2, axis=1)) > 0.1).all()


def test_a_film_of_sound_with_nine_channels_is_rendered(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=90)
    path = with_sound(video, tmp_path / "nine.mov", "9 channels", "pcm_s16le")
    run("score", path, "-o", tmp_path / "cut.otio", "--top", "1")
    run("render", tmp_path / "cut.otio", "-o", tmp_path / "film.mp4")
    assert np.abs(whole(tmp_path / "film.mp4")).max() > 0.1


def test_sound_that_begins_after_ffmpeg_stopped_looking_is_used(tmp_path: Path) -> None:
    # FFmpeg looks at five seconds; this sound begins after twelve, in a megabyte of noise each.
    noise = "nullsrc=s=640x360:r=10:d=16,geq=random(1)*255:128:128"
    ffmpeg("-f", "lavfi", "-i", noise, "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "6M",
           tmp_path / "picture.mp4")  # fmt: skip
    path = tmp_path / "late.ts"
    ffmpeg("-i", tmp_path / "picture.mp4", "-itsoffset", "12", "-f", "lavfi", "-i", "sine=d=4",
           "-c:v", "copy", "-c:a", "aac", path)  # fmt: skip
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.sample_rate == 0
    info = probe(path)
    assert [(s.channels, s.sample_rate) for s in info.audio_streams] == [(1, 44100)]
    loud = np.abs(whole(path).reshape(16, RATE)).max(axis=1)
    assert (loud[:11] == 0).all()
    assert (loud[13:15] > 0.1).all()


# Time stamps that jump.


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        ((0, 80000), "the time stamps jump by 22:13:1"),
        ((3000, 0), "the time stamps jump by 25:4"),
        ((0, 100), "the time stamps jump by 1:3"),
    ],
)
def test_two_recordings_behind_each_other_are_one(
    tmp_path: Path, offsets: tuple[int, int], words: str
) -> None:
    path = joined(tmp_path, offsets)
    info = probe(path)
    assert info.duration_seconds == 6
    assert info.num_frames == 180
    assert (info.frame_rate, info.is_variable_rate) == (30, False)
    assert info.damage is not None
    assert words in info.damage
    pictures, signals, _ = read(path)
    check_frames(info, pictures, tolerance=Fraction(1, 4))
    assert signals.damage is None
    assert click_times(whole(path)) == pytest.approx([1.0, 2.0, 4.0, 5.0], abs=0.05)


def test_what_a_timeline_takes_from_behind_a_jump_is_what_was_scored(tmp_path: Path) -> None:
    info = probe(joined(tmp_path, (0, 80000)))
    with ShownFrames(info) as shown:
        for frame in (10, 100, 170, 30, 120):
            instant = Fraction(2 * frame + 1, 60)
            [picture] = shown.at([instant])
            assert read_frame_number(picture.to_ndarray(format="rgb24")) == frame
    track = SoundTrack(info.path, info.audio_streams[0].index, clock=info.clock, sample_rate=RATE)
    sound = np.concatenate(list(track.read(Fraction(7, 2), RATE)), axis=1)
    track.close()
    assert click_times(sound[0]) == pytest.approx([0.5], abs=0.05)


def test_a_clock_counts_both_ways() -> None:
    parts = (
        Part(Fraction(10), Fraction(13), Fraction(0)),
        Part(Fraction(2), Fraction(4), Fraction(3)),
    )
    clock = MediaClock(Fraction(10), parts)
    assert [clock.seconds(Fraction(at)) for at in (10, 13, 2, 4, 5, 9)] == [0, 3, 3, 5, None, None]
    assert [clock.container(Fraction(at)) for at in (-1, 0, 2, 3, 5)] == [9, 10, 12, 2, 4]
    plain = MediaClock(Fraction(1, 2))
    assert plain.seconds(plain.container(Fraction(7))) == 7


def test_a_single_damaged_time_stamp_costs_its_frame_alone(tmp_path: Path) -> None:
    path = make_video(tmp_path, name="a.flv", num_frames=90, gop=30, b_frames=0)
    data = bytearray(path.read_bytes())
    # The byte of an FLV tag that extends its time to 32 bits: 2^30 ms are twelve days.
    tags = video_tags(data)
    data[tags[40] + 7] = 0x40
    path.write_bytes(data)
    info = probe(path)
    assert info.duration_seconds == 3
    assert info.damage == "frames with damaged time stamps are left out: 1"
    pictures, _, _ = read(path)
    check_frames(info, pictures, tolerance=Fraction(1, 2))


def test_time_stamps_that_step_back_over_others_are_said(tmp_path: Path) -> None:
    # Two recordings that both start at zero: what the second holds lies at the first's times.
    path = joined(tmp_path, (0, 0))
    _, signals, _ = read(path)
    assert signals.damage is not None
    assert "their time stamps step back over what came before" in signals.damage


def test_a_length_that_no_packets_stand_behind_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path, name="a.mkv", num_frames=90)
    data = bytearray(path.read_bytes())
    # Matroska: Duration, a float of eight bytes, in milliseconds.
    place = data.index(b"\x44\x89\x88") + 3
    data[place : place + 8] = np.array([3e15], dtype=">f8").tobytes()
    path.write_bytes(data)
    with pytest.raises(MediaUnreadableError, match=r"promises .* but its pictures end after 0:03"):
        probe(path)
    # A copy that was broken off promises no more than it had.
    data[place : place + 8] = np.array([20e3], dtype=">f8").tobytes()
    path.write_bytes(data)
    assert probe(path).duration_seconds == 20


def test_a_table_of_absurd_lengths_is_refused(tmp_path: Path) -> None:
    times = tuple(Fraction(1000 * number) for number in range(60))
    path = make_video(tmp_path, frame_times=times, num_frames=60, width=64, height=64)
    with pytest.raises(MediaUnreadableError, match="its time stamps claim 16:"):
        probe(path)


# Streams, shapes and colours that damage makes up.


def test_a_stream_that_appears_in_the_middle_is_left_alone(tmp_path: Path) -> None:
    track = AudioTrack(click_track(3.0, (1.0,)), codec="libmp3lame", sample_rate=44100)
    path = make_video(tmp_path, name="a.flv", num_frames=90, gop=30, audio=(track,))
    data = bytearray(path.read_bytes())
    for tag in video_tags(data)[50:52]:
        data[tag + 11] = (data[tag + 11] & 0xF0) | 2  # Sorenson H.263: another stream
    path.write_bytes(data)
    info = probe(path)
    pictures, _, _ = read(path)
    assert len(pictures) == 3
    assert len(whole(path)) == info.duration_seconds * RATE
    assert len(list(read_stills(info, [5, 80], height=48))) == 2


def test_pixels_of_an_absurd_shape_are_taken_for_square(tmp_path: Path) -> None:
    path = make_video(tmp_path, sample_aspect_ratio=Fraction(30000, 1))
    info = probe(path)
    assert (info.width, info.height) == (160, 96)
    [still] = read_stills(info, [5], height=48)
    assert still.rgb_HWC.shape == (48, 80, 3)


@pytest.mark.parametrize(("width", "height"), [(4096, 16), (16, 4096)])
def test_strips_of_pixels_are_drawn(tmp_path: Path, width: int, height: int) -> None:
    path = make_video(tmp_path, width=width, height=height, counter=False, num_frames=60)
    run("score", path, "-o", tmp_path / "cut.otio", "--top", "1")
    run("contact-sheet", path, "-o", tmp_path / "sheet.png", "--top", "1")
    run("render", tmp_path / "cut.otio", "-o", tmp_path / "film.mp4")
    assert probe(tmp_path / "film.mp4").num_frames >= 1


def test_a_sheet_has_a_largest_area(tmp_path: Path) -> None:
    path = make_video(tmp_path, width=16, height=4096, counter=False, num_frames=60)
    run("score", path, "--top", "1")
    code, text = attempt(
        *("contact-sheet", path, "-o", tmp_path / "sheet.png"),
        *("--top", "1", "--columns", "1", "--width", "16000"),
    )
    assert code == 2
    assert "9375 at most" in text


def test_a_film_larger_than_encoders_take_is_refused() -> None:
    edit = dataclasses.replace(canonical("drop_frame"), width=400000, height=96)
    with pytest.raises(UsageError, match="400000 x 96 pixels, more than encoders take") as caught:
        film_size(edit, {}, RenderSettings())
    assert caught.value.hint == "give a size: --size 1080p"
    assert film_size(edit, {}, RenderSettings(size=(1920, 1080))) == (1920, 1080)


# Files that name other files.


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n"),
        ("live.ts", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{other}\n"),
        ("list.mp4", "ffconcat version 1.0\nfile '{other}'\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile '{other}'\n"),
        ("sub.idx", "# VobSub index file, v7 (do not modify this line!)\n"),
        ("stream.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
        ("manifest.mpd", '<?xml version="1.0"?>\n<MPD type="static"></MPD>\n'),
    ],
)
def test_a_list_of_other_files_is_no_video(tmp_path: Path, name: str, text: str) -> None:
    # A named pipe that nobody writes to: whoever opens it waits for ever.
    other = tmp_path / "other.ts"
    os.mkfifo(other) if hasattr(os, "mkfifo") else other.write_bytes(b"")
    path = tmp_path / name
    path.write_text(text.format(other=other))
    with pytest.raises(MediaUnreadableError, match="a playlist, a list of other files") as caught:
        probe(path)
    assert caught.value.hint == "name the video files themselves"
    for use in (
        lambda: thumbnail(path, Fraction(0), tmp_path / "x.png"),
        lambda: cut_excerpt(
            path, tmp_path / "x.mp4", start_seconds=Fraction(0), duration_seconds=Fraction(1)
        ),
    ):
        with pytest.raises(MediaError):
            use()


def test_a_name_with_a_pattern_means_itself(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for name in ("shot%03d.mp4", "shot*.mp4", "shot[1].mp4"):
        path = make_video(tmp_path / "here", name="plain.mp4").rename(tmp_path / name)
        assert probe(path).num_frames == 60
    picture = tmp_path / "picture%03d.png"
    thumbnail(path, Fraction(0), picture)
    picture.with_name("picture001.png").write_bytes(picture.read_bytes())
    with pytest.raises(MediaUnreadableError, match="a picture or an animation"):
        probe(picture)


# How the files are made.


def run(*arguments: object) -> str:
    code, text = attempt(*arguments)
    assert code == 0, text
    return text


def attempt(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def with_sound(video: Path, target: Path, layout: str, codec: str) -> Path:
    """Put the same tone on every channel of a sound track beside a picture."""
    channels = av.AudioLayout(layout).nb_channels
    wave = np.sin(2 * np.pi * 440 * np.arange(48000 * 3) / 48000) * 0.25 * np.sqrt(2)
    raw = target.with_suffix(".raw")
    raw.write_bytes(np.repeat(wave[:, None], channels, axis=1).astype("<f4").tobytes())
    named = [] if layout.endswith("channels") else ["-channel_layout", layout]
    ffmpeg("-i", video, "-f", "f32le", "-ar", 48000, "-ac", channels, *named, "-i", raw,
           "-c:v", "copy", "-c:a", codec, "-shortest", target)  # fmt: skip
    return target


def joined(folder: Path, offsets: tuple[int, int]) -> Path:
    """Put two transport streams of three seconds behind each other, at these times in seconds."""
    whole_file = b""
    for index, offset in enumerate(offsets):
        track = AudioTrack(click_track(3.0, (1.0, 2.0)))
        given = make_video(
            folder, name=f"{index}.ts", num_frames=90, first_number=90 * index, audio=(track,)
        )
        moved = folder / f"moved{index}.ts"
        ffmpeg("-i", given, "-c", "copy", "-output_ts_offset", offset, moved)
        whole_file += moved.read_bytes()
    path = folder / "joined.ts"
    path.write_bytes(whole_file)
    return path


def video_tags(data: bytes | bytearray) -> list[int]:
    """Return where the tags with pictures begin in an FLV file."""
    found, place = [], 13
    while place + 11 < len(data):
        if data[place] == 9:
            found.append(place)
        place += 15 + int.from_bytes(data[place + 1 : place + 4], "big")
    return found
