"""Music under a film: how loud it is where, how long, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cli_runner import hl
from media_factory import AudioTrack, make_video
from numbered_footage import read_sound
from render_factory import cuts, ffmpeg, source_of
from speech_factory import PHRASES, needs_espeak, speech

from hlcli.errors import ModelError
from hlcli.media.stereo import probe_sound
from hlcli.rendering.music import add_music
from hlcli.rendering.sound import SoundFile
from hlcli.timeline.formats.otio import write

RATE = Fraction(25)
HERTZ = 48000
TONE, MUSIC = 1000, 400
"""Frequencies of the film's own sound and of the music, in Hz."""

Wave = npt.NDArray[np.float32]


def made_timeline(folder: Path, *, with_sound: bool = True) -> Path:
    """Return a timeline of 7 s: silent, loud from 3 s to 4 s, silent."""
    at = np.arange(7 * HERTZ) / HERTZ
    wave = 0.5 * np.sin(2 * np.pi * TONE * at) * ((at >= 3) & (at < 4))
    tracks = (AudioTrack(wave=np.tile(wave.astype(np.float32), (2, 1)), codec="pcm_s16le"),)
    video = make_video(
        folder, name="talk.mov", rate=RATE, num_frames=175, audio=tracks if with_sound else ()
    )
    timeline = folder / "cut.otio"
    write(cuts([(source_of(video), 0, 175)]), timeline)
    return timeline


def made_music(folder: Path, seconds: float, name: str = "song.wav") -> Path:
    path = folder / name
    sine = f"sine=frequency={MUSIC}:sample_rate=44100:duration={seconds}"
    ffmpeg("-f", "lavfi", "-i", sine, "-af", "volume=4", path)  # to an amplitude of 0.5
    return path


def rendered(timeline: Path, *options: object) -> Wave:
    film = timeline.parent / "reel.mov"
    result = hl("render", timeline, "-o", film, *options)
    assert result.exit_code == 0, result.output
    wave = read_sound(film)
    assert wave.shape == (2, 7 * HERTZ)
    return wave


def level(wave: Wave, start: float, stop: float, hertz: int = MUSIC) -> float:
    """Return the level of one frequency in a stretch, in dB; a full sine has 0."""
    part = wave[0, round(start * HERTZ) : round(stop * HERTZ)]
    at = np.arange(len(part)) / HERTZ
    amplitude = 2 * abs(np.mean(part * np.exp(-2j * np.pi * hertz * at)))
    return float(20 * np.log10(max(amplitude, 1e-6)))


def no_detector(name: str) -> None:
    raise ModelError(f"there is no {name}")


def test_music_is_lower_where_the_film_is_loud_and_fades_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.features.encoders.load_speech", no_detector)
    wave = rendered(made_timeline(tmp_path), "--music", made_music(tmp_path, 20))
    as_it_is = -6 - 10
    for start, wanted in ((0.5, 0), (1.5, 0), (3.0, -12), (3.5, -12), (4.2, -12), (4.9, 0)):
        found = level(wave, start, start + 0.1)
        assert found == pytest.approx(as_it_is + wanted, abs=0.5), start
    # It is low before the sound begins, and comes back after it, without a jump.
    assert level(wave, 2.85, 2.95) < as_it_is - 10
    assert as_it_is - 12 < level(wave, 4.55, 4.65) < as_it_is
    # The film's own sound is as it was.
    assert level(wave, 3.1, 3.9, TONE) == pytest.approx(-6, abs=0.2)
    assert level(wave, 1, 2, TONE) < -60
    # The last quarter fades out, straight down to nothing: two seconds would be more than that.
    assert level(wave, 5.15, 5.25) == pytest.approx(as_it_is, abs=0.2)
    half = 7 - 7 / 4 / 2
    assert level(wave, half - 0.05, half + 0.05) == pytest.approx(as_it_is - 6, abs=0.2)
    assert np.abs(wave[:, -100:]).max() < 0.001


def test_what_is_loud_and_no_speech_does_not_lower_it(tmp_path: Path) -> None:
    wave = rendered(made_timeline(tmp_path), "--music", made_music(tmp_path, 20))
    for start in (0.5, 2.9, 3.5, 4.3):
        assert level(wave, start, start + 0.1) == pytest.approx(-6 - 10, abs=0.5)


def test_music_is_lower_under_speech(tmp_path: Path) -> None:
    own = np.zeros((7 * HERTZ, 2), np.float32)
    own[3 * HERTZ : 4 * HERTZ] = 0.25
    (tmp_path / "own.raw").write_bytes(own.astype("<f4").tobytes())
    given: list[Wave] = []

    def find_speech(blocks: Iterable[Wave]) -> npt.NDArray[np.float64]:
        given.extend(blocks)
        return np.array([[1.0, 1.5], [6.5, 7.0]])

    made = add_music(
        SoundFile(path=tmp_path / "own.raw", peak=0.25),
        probe_sound(made_music(tmp_path, 20)),
        tmp_path,
        level_db=-10,
        num_samples=len(own),
        sample_rate=HERTZ,
        find_speech=find_speech,
    )
    # Mono at 16 kHz, as it lies in the film.
    heard = np.concatenate(given)
    assert abs(len(heard) - 7 * 16000) <= 32
    assert np.abs(heard[int(3.1 * 16000) : int(3.9 * 16000)] - 0.25).max() < 0.01
    assert np.abs(heard[: int(2.9 * 16000)]).max() < 0.01
    wave = np.fromfile(made.path, "<f4").reshape(-1, 2).T - own.T
    for start, wanted in ((0.2, 0), (0.9, -12), (1.2, -12), (1.7, -12), (2.6, 0), (3.5, 0)):
        assert level(wave, start, start + 0.1) == pytest.approx(-16 + wanted, abs=0.5), start


@needs_espeak
def test_a_voice_lowers_it(tmp_path: Path) -> None:
    said, spans = speech(tmp_path, lead=2.5, phrases=PHRASES[:1])
    wave = np.zeros(7 * HERTZ, np.float32)
    wave[: len(said)] = said[: len(wave)]
    track = AudioTrack(wave=np.tile(wave, (2, 1)), codec="pcm_s16le")
    video = make_video(tmp_path, name="talk.mov", rate=RATE, num_frames=175, audio=(track,))
    write(cuts([(source_of(video), 0, 175)]), tmp_path / "cut.otio")
    wave = rendered(tmp_path / "cut.otio", "--music", made_music(tmp_path, 20))
    middle = sum(spans[0]) / 2
    assert level(wave, 1.0, 1.1) == pytest.approx(-16, abs=0.5)
    assert level(wave, middle, middle + 0.1) < -16 - 8


@pytest.mark.parametrize("name", ["song.wav", "song.flac"])
def test_music_that_is_too_short_starts_again(tmp_path: Path, name: str) -> None:
    timeline = made_timeline(tmp_path, with_sound=False)
    music = made_music(tmp_path, 1.3, name)
    wave = rendered(timeline, "--music", music, "--music-level", -3)
    for start in (0.2, 1.5, 2.9, 4.4):
        assert level(wave, start, start + 0.1) == pytest.approx(-9, abs=0.5)
    for seam in (1.3, 2.6, 3.9):
        place = round(seam * HERTZ)
        assert np.abs(wave[:, place - 20 : place + 20]).max() < 0.05
        assert np.abs(np.diff(wave[0, place - 500 : place + 500])).max() < 0.03


def test_music_that_cannot_be_used(tmp_path: Path) -> None:
    timeline, film = made_timeline(tmp_path, with_sound=False), tmp_path / "reel.mp4"
    words, silent = tmp_path / "notes.mp3", tmp_path / "talk.mov"
    words.write_text("no music at all\n" * 100)
    mine = made_music(tmp_path, 1, "mine.mov")
    before = mine.read_bytes()
    for options, code, said in (
        (["--music", tmp_path / "none.mp3"], 3, "none.mp3"),
        (["--music", words], 3, "notes.mp3"),
        (["--music", silent], 3, "no sound"),
        (["--music", tmp_path], 3, str(tmp_path)),
        (["--music-level", -3], 2, "there is none"),
        (["--music", mine, "--music-level", 90], 2, "outside -60 to 20"),
        (["--music", mine, "--copy"], 2, "--music"),
    ):
        result = hl("render", timeline, "-o", film, *options)
        assert (result.exit_code, said in result.output) == (code, True), result.output
        assert "hl bug" not in result.output
        assert not film.exists()
    result = hl("render", timeline, "-o", mine, "--music", mine)
    assert result.exit_code == 2, result.output
    assert mine.read_bytes() == before
