"""Highlight videos, naming their content, and the ffmpeg program."""

from __future__ import annotations

import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from hlcli.errors import (
    FfmpegMissingError,
    MediaError,
    MediaNotFoundError,
    MediaUnreadableError,
    OutputError,
)
from hlcli.media import ffmpeg as ffmpeg_module
from hlcli.media.discover import find_videos
from hlcli.media.ffmpeg import cut_excerpt, find_ffmpeg, thumbnail
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from tests.media_factory import AudioTrack, click_track, make_video


def touch(folder: Path, *names: str) -> list[Path]:
    """Make empty files and return their paths in the order given."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_folder_is_searched_and_sorted_as_people_count(tmp_path: Path) -> None:
    wanted = touch(tmp_path, "day1/a.mp4", "shot2.MOV", "shot10.mp4", "Shot11.mkv")
    touch(tmp_path, "notes.txt", ".hidden.mp4", "._shot2.MOV", ".trash/x.mp4", "music.wav")
    (tmp_path / "folder.mp4").mkdir()
    assert find_videos([str(tmp_path)]) == wanted


def test_the_shorter_name_comes_first(tmp_path: Path) -> None:
    wanted = touch(tmp_path, "clip/z.mp4", "clip2/a.mp4", "frag.mp4", "frag2.mp4", "frag10.mp4")
    assert find_videos([str(tmp_path)]) == wanted


def test_files_keep_their_order_and_come_once(tmp_path: Path) -> None:
    second, first = touch(tmp_path, "b.mp4", "a.mp4")
    found = find_videos([str(second), str(first), str(tmp_path), str(second)])
    assert found == [second, first]


def test_any_ending_is_taken_when_named(tmp_path: Path) -> None:
    [odd] = touch(tmp_path, "recording.dat")
    assert find_videos([str(odd)]) == [odd]


def test_globs(tmp_path: Path) -> None:
    files = touch(tmp_path, "x/1.mp4", "x/2.mp4", "x/10.mp4")
    touch(tmp_path, "x/1.txt")
    assert find_videos([str(tmp_path / "x" / "*")]) == files
    assert find_videos([str(tmp_path / "*")]) == files
    assert find_videos([str(tmp_path / "**" / "1*.mp4")]) == [files[0], files[2]]


def test_existing_name_is_no_pattern(tmp_path: Path) -> None:
    [literal, _] = touch(tmp_path, "take[1].mp4", "take1.mp4")
    assert find_videos([str(literal)]) == [literal]


@pytest.mark.parametrize("name", ["none.mp4", "none*.mp4", "empty"])
def test_nothing_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaNotFoundError) as caught:
        find_videos([str(tmp_path / name)])
    assert name in caught.value.message
    assert caught.value.hint


def test_relative_inputs_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [path] = touch(tmp_path, "a.mp4")
    monkeypatch.chdir(tmp_path)
    assert find_videos(["a.mp4"]) == [path]
    assert find_videos(["."]) == [path]


def test_dots_go_and_links_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    footage, elsewhere = touch(tmp_path, "footage/a.mp4", "disk/day/a.mp4")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert find_videos(["../footage/a.mp4", "../here/../footage/./a.mp4", "../footage"]) == [
        footage
    ]
    (tmp_path / "link").symlink_to(tmp_path / "footage")
    assert find_videos(["../link/a.mp4"]) == [tmp_path / "link/a.mp4"]
    # Behind a link ".." leads elsewhere, here to disk/day/a.mp4: what is named is what is taken.
    (tmp_path / "disk/day/cards").mkdir()
    (tmp_path / "cards").symlink_to(tmp_path / "disk/day/cards")
    assert find_videos(["../cards/../a.mp4"]) == [elsewhere]


@pytest.mark.parametrize(
    "address", ["https://example.com/a.mp4", "rtsp://10.0.0.2/live", "s3://b/a"]
)
def test_an_address_is_no_file(address: str) -> None:
    with pytest.raises(MediaNotFoundError) as caught:
        find_videos([address])
    assert caught.value.message == f"{address} is an address, hl reads files"
    assert caught.value.hint == "download the video first"


def test_identity_survives_a_rename(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(os.urandom(3 << 20))
    before = content_identity(path)
    assert len(before) == 64
    assert content_identity(path.rename(tmp_path / "b.bin")) == before


@pytest.mark.parametrize("place", [0, 100, (3 << 20) - 1])
def test_identity_sees_changes_at_both_ends(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.bin"
    content = bytearray(os.urandom(3 << 20))
    path.write_bytes(content)
    before = content_identity(path)
    content[place] ^= 1
    path.write_bytes(content)
    assert content_identity(path) != before


def test_identity_sees_the_length(tmp_path: Path) -> None:
    seen = set()
    for size in (0, 1, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 1, 5 << 20):
        path = tmp_path / f"{size}.bin"
        path.write_bytes(bytes(size))
        seen.add(content_identity(path))
    assert len(seen) == 7


def test_identity_errors(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        content_identity(tmp_path / "none.mp4")
    with pytest.raises(MediaError):
        content_identity(tmp_path)


def test_ffmpeg_on_path_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    program = find_ffmpeg()
    assert program.version
    assert Path(program.path).exists()
    on_path = shutil.which("ffmpeg")
    assert program.source == ("PATH" if on_path else "imageio-ffmpeg")
    monkeypatch.setenv("PATH", "")
    assert find_ffmpeg().source == "imageio-ffmpeg"


def test_no_ffmpeg_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(ffmpeg_module, "_bundled", lambda: None)
    with pytest.raises(FfmpegMissingError) as caught:
        find_ffmpeg()
    assert "imageio-ffmpeg" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_broken_ffmpeg_on_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg().source == "imageio-ffmpeg"


def test_excerpt(tmp_path: Path) -> None:
    track = AudioTrack(click_track(4.0, (2.5,)))
    source = make_video(tmp_path, name="so %03d #1'.mp4", num_frames=120, audio=(track,))
    output = tmp_path / "cut & 'q' %d.mp4"
    cut_excerpt(
        source, output, start_seconds=Fraction(2), duration_seconds=Fraction(3, 2), height=48
    )
    info = probe(output)
    assert (info.width, info.height, info.video_codec) == (80, 48, "h264")
    assert info.duration_seconds == Fraction(3, 2)
    assert [stream.codec for stream in info.audio_streams] == ["aac"]


def test_excerpt_without_sound(tmp_path: Path) -> None:
    output = tmp_path / "cut.mp4"
    cut_excerpt(
        make_video(tmp_path),
        output,
        start_seconds=Fraction(0),
        duration_seconds=Fraction(1),
        height=48,
    )
    assert not probe(output).has_audio


def test_failed_excerpt_leaves_nothing(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    times = {"start_seconds": Fraction(0), "duration_seconds": Fraction(1)}
    with pytest.raises(MediaUnreadableError, match=r"text\.mp4"):
        cut_excerpt(text, tmp_path / "cut.mp4", **times)
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]
    with pytest.raises(MediaNotFoundError):
        cut_excerpt(tmp_path / "none.mp4", tmp_path / "cut.mp4", **times)
    with pytest.raises(OutputError):
        cut_excerpt(make_video(tmp_path), tmp_path / "no" / "cut.mp4", **times)


@pytest.mark.parametrize(("name", "magic"), [("t.png", b"\x89PNG"), ("t %d.jpg", b"\xff\xd8")])
def test_thumbnail(tmp_path: Path, name: str, magic: bytes) -> None:
    output = tmp_path / name
    thumbnail(make_video(tmp_path, rotation_degrees=90), Fraction(1), output, height=80)
    content = output.read_bytes()
    assert content.startswith(magic)
    if name.endswith(".png"):
        size = (int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big"))
        assert size == (48, 80)


def test_thumbnail_past_the_end(tmp_path: Path) -> None:
    source = make_video(tmp_path)
    with pytest.raises(MediaUnreadableError):
        thumbnail(source, Fraction(100), tmp_path / "t.png")
    assert not (tmp_path / "t.png").exists()
