"""Accents of music, and cuts that move to them."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cli_runner import hl
from document_factory import make_document
from media_factory import write_wav

from hlcli.errors import MediaError
from hlcli.media import accents
from hlcli.media.accents import find_accents
from hlcli.timeline.accents import Play, on_accents, play_of
from hlcli.timeline.build import Layout, build_edit_list

RATE = 22_050
LOUD_SECONDS = [0.5, 1.0, 1.73, 2.25, 3.0]
SOFT_SECONDS = [0.75, 1.4, 2.6]


def write_song(path: Path, loud: list[float], soft: list[float], seconds: float = 3.6) -> Path:
    """Write a held tone with drums, loud and soft."""
    at = np.arange(round(seconds * RATE)) / RATE
    sound = 0.05 * np.sin(2 * np.pi * 220 * at)
    noise = np.random.default_rng(0)
    for level, instants in ((0.6, loud), (0.01, soft)):
        for instant in instants:
            place = round(instant * RATE)
            length = min(RATE // 8, len(sound) - place)
            decay = np.exp(-30 * at[:length])
            sound[place : place + length] += level * decay * noise.uniform(-1, 1, length)
    samples = (np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes()
    return write_wav(path, samples, channels=1, sample_rate=RATE)


def test_loud_drums_are_accents_and_soft_ones_are_not(tmp_path: Path) -> None:
    found = find_accents(write_song(tmp_path / "song.wav", LOUD_SECONDS, SOFT_SECONDS))
    assert len(found) == len(LOUD_SECONDS)
    assert np.abs(found - LOUD_SECONDS).max() < 0.02
    # What is too short starts again.
    twice = find_accents(tmp_path / "song.wav", 5.0)
    assert np.allclose(twice[len(found) :] - found, 3.6, atol=0.001)
    # The file has changed since.
    found = find_accents(write_song(tmp_path / "song.wav", LOUD_SECONDS[:2], [], 2.0))
    assert len(found) == 2


def test_silence_has_none_and_a_text_is_refused(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    write_wav(silence, bytes(16 * 48_000), channels=8, sample_rate=48_000)
    assert find_accents(silence).tolist() == []
    (tmp_path / "text.wav").write_text("no song")
    for name in ("text.wav", "gone.wav"):
        with pytest.raises(MediaError):
            find_accents(tmp_path / name)


FRAMES = range(100, 150)
ALL = range(1000)


@pytest.mark.parametrize(
    ("limits", "shots", "spoken", "starts", "stops"),
    [
        (ALL, [], [], (97, 103), (147, 153)),
        (range(99, 151), [], [], (99, 103), (147, 151)),
        # It begins and ends with a shot: no frame of another comes in.
        (ALL, [100, 150], [], (100, 103), (147, 150)),
        # A shot that changes two frames beyond it.
        (ALL, [98, 152], [], (98, 103), (147, 152)),
        # Somebody speaks to the frame before it, and from its last frame but one on.
        (ALL, [], [(90, 100), (148, 170)], (100, 103), (150, 150)),
        (ALL, [], [(101, 148)], (97, 101), (148, 153)),
    ],
)
def test_how_far_the_ends_may_move(
    limits: range,
    shots: list[int],
    spoken: list[tuple[int, int]],
    starts: tuple[int, int],
    stops: tuple[int, int],
) -> None:
    play = play_of(FRAMES, limits, shots, spoken)
    assert (play.starts[0], play.starts[-1]) == starts
    assert (play.stops[0], play.stops[-1]) == stops


def test_a_short_stretch_keeps_a_frame() -> None:
    assert play_of(range(10, 12), ALL, [], []) == Play(range(7, 12), range(11, 16))


RATE_25 = Fraction(25)
FREE = Play(range(97, 104), range(147, 154))


def moved(accents_frames: list[float], *plays: Play | None) -> list[range]:
    stretches = [(FRAMES, RATE_25, play) for play in plays]
    return on_accents(stretches, RATE_25, [frame / 25 for frame in accents_frames])


def test_cuts_go_to_the_nearest_accent_and_later_ones_move_along() -> None:
    assert moved([], FREE, FREE, None) == [FRAMES] * 3
    # 50 and 100 are the cuts; an accent four frames off is too far.
    assert moved([46, 48, 51, 104], FREE, FREE, None) == [range(100, 151), range(100, 153), FRAMES]
    assert moved([46, 105], FREE, FREE, None) == [FRAMES] * 3
    fixed_end = Play(FREE.starts, range(150, 151))
    assert moved([48], fixed_end, None) == [range(102, 150), FRAMES]
    assert moved([52], fixed_end, None) == [range(98, 150), FRAMES]
    assert moved([52], Play(range(100, 101), range(150, 151)), None) == [FRAMES] * 2


def test_a_source_of_another_rate_stays_and_counts() -> None:
    stretches = [(FRAMES, Fraction(50), FREE), (FRAMES, RATE_25, FREE), (FRAMES, RATE_25, None)]
    # The first takes 25 frames of the timeline, so the second ends at 75.
    assert on_accents(stretches, RATE_25, [26 / 25, 77 / 25])[:2] == [FRAMES, range(100, 152)]


def test_a_timeline_moves_its_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    document = make_document(spans=[(1.0, 3.0), (10.0, 12.0), (20.0, 22.0)])
    monkeypatch.setattr(
        accents, "find_accents", lambda path, seconds: np.array([62 / 30, 120 / 30])
    )
    music = Layout(music=Path("song.wav"))
    plain, on_music = (
        build_edit_list([document], name="cut", layout=one) for one in (Layout(), music)
    )
    assert plain.events[0].frames == range(30, 90)
    assert [(event.frames, event.record) for event in on_music.events] == [
        (range(30, 92), range(62)),
        (range(300, 358), range(62, 120)),
        (range(600, 660), range(120, 180)),
    ]
    assert all(
        marker.frames[0] in event.frames for event in on_music.events for marker in event.markers
    )
    whole = build_edit_list(
        [document], name="cut", layout=dataclasses.replace(music, markers_only=True)
    )
    assert [event.frames for event in whole.events] == [range(1800)]


def test_moments_that_go_on_are_not_cut_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accents, "find_accents", lambda path, seconds: np.array([62 / 30]))
    music = Layout(music=Path("song.wav"))
    # One that meets the next in its own source, and one that goes on in the next file.
    meeting = make_document(spans=[(1.0, 3.0), (3.0, 5.0)])
    edit = build_edit_list([meeting], name="cut", layout=music)
    assert [event.frames for event in edit.events] == [range(30, 90), range(90, 150)]
    first = make_document(spans=[(58.0, 60.0)])
    second = make_document(path="/footage/next.mp4", spans=[(0.0, 2.0)])
    second = second.with_moments([dataclasses.replace(second.moments[0], continues=True)])
    edit = build_edit_list([first, second], name="cut", layout=music)
    assert [event.frames for event in edit.events] == [range(1740, 1800), range(60)]


def test_the_command_takes_music(tmp_path: Path) -> None:
    document = make_document(spans=[(1.0, 3.0), (10.0, 12.0)])
    scores, song = tmp_path / "scores.json", tmp_path / "song.wav"
    document.write(scores)
    write_song(song, [2.1], [])
    outputs = [tmp_path / "plain.csv", tmp_path / "plain.edl", tmp_path / "music.edl"]
    assert hl("export", scores, "-o", outputs[0], "-o", outputs[1]).exit_code == 0
    result = hl("export", scores, "-o", outputs[2], "--music", song)
    assert result.exit_code == 0, result.stderr
    assert "00:00:02:00 00:00:04:00" in outputs[1].read_text()
    assert "00:00:02:03 00:00:04:03" in outputs[2].read_text()
    refused = hl("export", scores, "-o", tmp_path / "no.edl", "--music", tmp_path / "gone.mp3")
    assert refused.exit_code == 3
    assert "gone.mp3" in refused.stderr
    assert not (tmp_path / "no.edl").exists()
