"""The waveform: exactly placed, exactly as long as the picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hlcli.media.probe import probe
from hlcli.media.waveform import Wave, read_waveform
from tests.media_factory import AudioTrack, click_track, make_video

RATE = 16000
CLICKS = (0.5, 1.25)
MILLISECOND = 1 / 1000


def whole(path: Path, **options: int) -> Wave:
    """Return all blocks of a file as one waveform."""
    blocks = list(read_waveform(probe(path), **options))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def click_times(wave: Wave, *, level: float = 0.1) -> list[float]:
    """Return where bursts begin, in seconds."""
    loud = np.flatnonzero(np.abs(wave) > level * np.abs(wave).max())
    starts = [place for i, place in enumerate(loud) if i == 0 or place - loud[i - 1] > RATE // 20]
    return [place / RATE for place in starts]


@pytest.mark.parametrize(
    ("name", "codec", "sound_codec", "sample_rate"),
    [
        ("a.mp4", "libx264", "aac", 48000),
        ("a.mov", "libx264", "pcm_s16le", 44100),
        ("a.mkv", "libx264", "pcm_s16le", 48000),
        ("a.webm", "libvpx-vp9", "libopus", 48000),
        ("a.ts", "libx264", "aac", 48000),
        ("a.avi", "mpeg4", "pcm_s16le", 48000),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_clicks_are_where_they_were_put(
    tmp_path: Path, name: str, codec: str, sound_codec: str, sample_rate: int, channels: int
) -> None:
    wave = click_track(2.0, CLICKS, sample_rate=sample_rate, channels=channels)
    track = AudioTrack(wave, sample_rate=sample_rate, codec=sound_codec)
    read = whole(make_video(tmp_path, name=name, codec=codec, audio=(track,)))
    assert read.dtype == np.float32
    assert len(read) == 2 * RATE
    assert click_times(read) == pytest.approx(CLICKS, abs=MILLISECOND)
    assert np.abs(read).max() == pytest.approx(0.8, abs=0.05)


def test_sound_before_the_picture_is_cut(tmp_path: Path) -> None:
    track = AudioTrack(click_track(3.0, CLICKS))
    path = make_video(tmp_path, audio=(track,), start_seconds=Fraction(1, 4))
    read = whole(path)
    assert len(read) == 2 * RATE
    assert click_times(read) == pytest.approx((0.25, 1.0), abs=MILLISECOND)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_late_sound_is_padded(tmp_path: Path, name: str) -> None:
    track = AudioTrack(click_track(1.5, CLICKS), start_seconds=Fraction(3, 10))
    read = whole(make_video(tmp_path, name=name, audio=(track,)))
    assert len(read) == 2 * RATE
    assert click_times(read) == pytest.approx((0.8, 1.55), abs=MILLISECOND)
    assert not read[: int(0.25 * RATE)].any()


def test_gap_in_the_sound_is_silence(tmp_path: Path) -> None:
    first = AudioTrack(click_track(0.5, (0.25,)), codec="pcm_s16le")
    path = make_video(tmp_path, name="a.mkv", audio=(first,), b_frames=0)
    gapped = tmp_path / "gap.mkv"
    _copy_with_gap(path, gapped, gap_seconds=Fraction(1))
    read = whole(gapped)
    assert len(read) == 2 * RATE
    assert click_times(read) == pytest.approx((1.25,), abs=MILLISECOND)


def test_tracks_are_averaged(tmp_path: Path) -> None:
    tracks = (
        AudioTrack(click_track(2.0, (0.5,)), codec="pcm_s16le"),
        AudioTrack(click_track(1.0, (0.5,)), codec="pcm_s16le", start_seconds=Fraction(3, 10)),
        AudioTrack(click_track(2.0, ()), codec="pcm_s16le"),
    )
    read = whole(make_video(tmp_path, name="a.mkv", audio=tracks))
    assert click_times(read) == pytest.approx((0.5, 0.8), abs=MILLISECOND)
    assert np.abs(read).max() == pytest.approx(0.8 / 3, abs=0.02)


def test_blocks_do_not_change_the_sound(tmp_path: Path) -> None:
    path = make_video(tmp_path, audio=(AudioTrack(click_track(1.7, CLICKS)),))
    info = probe(path)
    blocks = list(read_waveform(info, block_seconds=1))
    assert [len(block) for block in blocks] == [RATE, RATE]
    assert np.array_equal(np.concatenate(blocks), whole(path))


def test_last_block_is_partial(tmp_path: Path) -> None:
    path = make_video(tmp_path, num_frames=46, audio=(AudioTrack(click_track(2.0, ())),))
    blocks = list(read_waveform(probe(path), block_seconds=1))
    assert [len(block) for block in blocks] == [RATE, round(Fraction(46, 30) * RATE) - RATE]


def test_early_end_is_padded(tmp_path: Path) -> None:
    read = whole(make_video(tmp_path, audio=(AudioTrack(click_track(0.7, (0.5,))),)))
    assert len(read) == 2 * RATE
    assert not read[RATE:].any()


def test_opposite_channels_cancel(tmp_path: Path) -> None:
    wave = click_track(2.0, CLICKS)
    wave[1] *= -1
    track = AudioTrack(wave, codec="pcm_s16le")
    read = whole(make_video(tmp_path, name="a.mkv", audio=(track,)))
    assert np.abs(read).max() < 1e-4


def test_no_sound_and_silent_sound(tmp_path: Path) -> None:
    assert list(read_waveform(probe(make_video(tmp_path)))) == []
    silent = make_video(tmp_path, name="s.mp4", audio=(AudioTrack(click_track(2.0, ())),))
    read = whole(silent)
    assert len(read) == 2 * RATE
    assert not read.any()


def test_other_sample_rate(tmp_path: Path) -> None:
    path = make_video(tmp_path, audio=(AudioTrack(click_track(2.0, CLICKS)),))
    assert len(whole(path, sample_rate=8000)) == 16000


def test_damaged_packets_leave_the_rest(tmp_path: Path) -> None:
    # Sound alone would be easier to damage; this hits both, and only the sound is read.
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4 * 48000)).astype(np.float32)
    path = make_video(tmp_path, num_frames=120, audio=(AudioTrack(noise),))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    read = whole(path)
    assert len(read) == 4 * RATE
    quarter = RATE // 2
    assert read[:quarter].std() > 0.1
    assert read[-quarter:].std() > 0.1


def test_cut_off_file_ends_in_silence(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4 * 48000)).astype(np.float32)
    options = (("movflags", "faststart"),)
    path = make_video(
        tmp_path, num_frames=120, audio=(AudioTrack(noise),), container_options=options
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    read = whole(path)
    assert len(read) == 4 * RATE
    assert read[: RATE // 2].std() > 0.1
    assert not read[-RATE // 2 :].any()


def test_early_exit_closes_the_file(tmp_path: Path) -> None:
    path = make_video(tmp_path, audio=(AudioTrack(click_track(2.0, CLICKS)),))
    blocks = read_waveform(probe(path), block_seconds=1)
    assert len(next(blocks)) == RATE
    blocks.close()  # type: ignore[attr-defined]
    path.unlink()  # fails on Windows if the file were still open


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    ["variants/theora.ogv", "variants/mpeg2.ts", "torture/multitrack.mkv", "variants/prores.mov"],
)
def test_shared_samples(shared_dir: Path, name: str) -> None:
    info = probe(shared_dir / "data" / "media" / name)
    read = np.concatenate(list(read_waveform(info)))
    assert len(read) == round(info.duration_seconds * RATE)
    assert read.std() > 1e-3


def _copy_with_gap(source: Path, target: Path, *, gap_seconds: Fraction) -> None:
    """Copy the packets; sound from the second packet on comes `gap_seconds` later."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        streams = {s.index: made.add_stream_from_template(s) for s in given.streams}
        sound = given.streams.audio[0].index
        met = 0
        for packet in given.demux():
            if packet.size == 0:
                continue
            if packet.stream_index == sound:
                met += 1
                if met > 1:
                    shift = int(gap_seconds / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
            packet.stream = streams[packet.stream_index]
            made.mux(packet)
