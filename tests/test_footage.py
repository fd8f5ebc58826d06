"""Composite files: every frame from the clip and at the place that the plan says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from hlcli.errors import MediaNotFoundError, MediaUnreadableError
from hlcli.evaluation.composite_plan import CompositePlan, CompositeSegment
from hlcli.evaluation.footage import CompositeFile, build_files
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.probe import probe

# Size, rate, codec and sound differ on purpose.
CLIPS = [
    ("red.mp4", "red", "192x108", "30000/1001", ["-c:v", "libx264", "-c:a", "aac"], 440),
    ("green.avi", "0x00ff00", "96x128", "15", ["-c:v", "mjpeg", "-c:a", "pcm_s16le"], 880),
    ("blue.mkv", "blue", "160x120", "50", ["-c:v", "libx264", "-an"], None),
]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips # 100% é")
    for name, colour, size, rate, codecs, tone in CLIPS:
        given = ["-f", "lavfi", "-i", f"color=c={colour}:s={size}:r={rate}:d=4"]
        if tone is not None:
            given += ["-f", "lavfi", "-i", f"sine=f={tone}:d=4:r=48000"]
        subprocess.run(
            [find_ffmpeg().path, "-v", "error", *given, *codecs, str(folder / name)],
            check=True,
            capture_output=True,
        )
    return folder


ROWS: list[dict[str, object]] = [{"file": clip[0]} for clip in CLIPS]


def plan(*pieces: tuple[int, int, int, bool]) -> CompositePlan:
    segments = tuple(
        CompositeSegment(clip=clip, start_frame=start, num_frames=count, highlight=highlight)
        for clip, start, count, highlight in pieces
    )
    return CompositePlan(name="rare-0-000", kind="rare", segments=segments)


PLAN = plan((0, 3, 40, False), (1, 0, 33, True), (2, 50, 27, False), (1, 61, 30, True))


def build(clips: Path, work: Path, *plans: CompositePlan) -> list[CompositeFile]:
    return list(build_files(plans, folder=clips, rows=ROWS, work=work))


@pytest.fixture(scope="module")
def made(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> CompositeFile:
    (one,) = build(clips, tmp_path_factory.mktemp("work"), PLAN)
    return one


def test_every_frame_is_where_the_plan_has_it(made: CompositeFile) -> None:
    for path in (made.with_sound, made.silent):
        with av.open(str(path)) as container:
            channels = [
                int(frame.to_ndarray(format="rgb24")[60:-60, 60:-60].mean(axis=(0, 1)).argmax())
                for frame in container.decode(video=0)
            ]
        expected = [segment.clip for segment in PLAN.segments for _ in range(segment.num_frames)]
        assert channels == expected


def test_no_trace_of_where_a_clip_is_from(made: CompositeFile) -> None:
    info = probe(made.with_sound)
    assert (info.width, info.height, info.frame_rate) == (320, 240, 25)
    assert info.num_frames == PLAN.num_frames == 130
    (track,) = info.audio_streams
    assert (track.sample_rate, track.channels, track.codec) == (44100, 1, "aac")
    with av.open(str(made.with_sound)) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    # 192x108 fills 320x240 by cropping: no black bars.
    assert frame[:8].mean(axis=(0, 1))[0] > 200
    assert frame[-8:].mean(axis=(0, 1))[0] > 200


def test_sound_follows_the_picture(made: CompositeFile) -> None:
    with av.open(str(made.with_sound)) as container:
        blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
        start = container.streams.audio[0].start_time or 0
    wave = np.concatenate(blocks)[max(0, -start) :]
    tones = []
    begin = 0
    for segment in PLAN.segments:
        end = begin + segment.num_frames
        # Stay clear of the joints: AAC smears them by its frame length.
        piece = wave[int((begin + 3) / 25 * 44100) : int((end - 3) / 25 * 44100)]
        level = np.sqrt(np.mean(piece**2))
        spectrum = np.abs(np.fft.rfft(piece))
        tones.append(round(spectrum.argmax() * 44100 / len(piece), -1) if level > 0.01 else None)
        begin = end
    assert tones == [440, 880, None, 880]


def test_the_silent_file_has_the_same_packets_and_no_track(made: CompositeFile) -> None:
    def packets(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert not probe(made.silent).has_audio
    assert packets(made.silent) == packets(made.with_sound)


def test_made_once_and_the_same_bytes_elsewhere(
    made: CompositeFile, clips: Path, tmp_path: Path
) -> None:
    work = made.with_sound.parents[1]
    before = {path: path.stat().st_mtime_ns for path in work.rglob("*.m*")}
    assert build(clips, work, PLAN) == [made]
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.m*")} == before
    (again,) = build(clips, tmp_path, PLAN)
    assert again.with_sound.name == made.with_sound.name
    assert again.with_sound.read_bytes() == made.with_sound.read_bytes()


def test_too_short_or_missing_clips_are_named_and_leave_nothing(
    clips: Path, tmp_path: Path
) -> None:
    with pytest.raises(MediaUnreadableError, match="frames instead of 60"):
        build(clips, tmp_path, plan((0, 0, 30, True), (1, 190, 30, False)))
    assert list((tmp_path / "videos").iterdir()) == []
    with pytest.raises(MediaNotFoundError, match=r"gone\.mp4"):
        list(build_files([PLAN], folder=clips, rows=[{"file": "gone.mp4"}] * 3, work=tmp_path))
