"""Speech: what the detector finds, and ends of moments that go into its pauses."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cli_runner import run
from hypothesis import given, settings
from hypothesis import strategies as st
from media_factory import AudioTrack, make_video, moving_square
from speech_factory import Spans, needs_espeak, speech

from hlcli.document import ScoresDocument, read_documents
from hlcli.features.encoders import load_speech
from hlcli.features.silero_vad import SAMPLE_RATE, SpeechDetector, speech_spans
from hlcli.moments import Moment, Pauses, Selection, select_moments
from hlcli.moments.speech import REACH_SECONDS


@pytest.fixture(scope="module")
def detector() -> SpeechDetector:
    return load_speech("silero-vad")


def found_in(detector: SpeechDetector, sound: np.ndarray, block: int = 480_000) -> np.ndarray:
    listener = detector.listener()
    for start in range(0, len(sound), block):
        listener.extend(sound[start : start + block].astype(np.float32))
    return listener.finish()


# What is found -------------------------------------------------------------------------------


def test_spans_cross_the_threshold_between_frames() -> None:
    quiet, loud = [0.0] * 10, [1.0] * 10
    speech_F = np.array([*quiet, *loud, *quiet, *loud[:1], *quiet], dtype=np.float32)
    # Between the middles of two frames, three quarters of the way up; one frame is too short.
    [span] = speech_spans(speech_F, 1.312).tolist()
    assert span == pytest.approx([(9.5 + 0.75) * 0.032, (19.5 + 0.25) * 0.032])
    assert speech_spans(np.zeros(30, np.float32), 0.96).shape == (0, 2)
    [whole] = speech_spans(np.ones(30, np.float32), 0.95).tolist()
    assert whole == pytest.approx([0.008, 0.95])


def test_silence_and_tones_are_no_speech(detector: SpeechDetector) -> None:
    seconds = np.arange(40 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (220.0, 277.18, 329.63)) / 6
    assert found_in(detector, chord).shape == (0, 2)
    assert found_in(detector, np.zeros(40 * SAMPLE_RATE)).shape == (0, 2)
    assert found_in(detector, np.zeros(0)).shape == (0, 2)


@needs_espeak
def test_pauses_of_speech_are_found_whatever_the_blocks(
    detector: SpeechDetector, tmp_path: Path
) -> None:
    sound, phrases = speech(tmp_path, pauses=(0.4, 0.6), rate=SAMPLE_RATE)
    found = found_in(detector, sound)
    assert np.array_equal(found, found_in(detector, sound, 1237))
    speaking = [
        bool(((found[:, 0] <= instant) & (instant <= found[:, 1])).any())
        for instant in (sum(phrase) / 2 for phrase in phrases)
    ]
    assert all(speaking)
    for before, after in itertools.pairwise(phrases):
        middle = (before[1] + after[0]) / 2
        # A part of the pause at least as long as half of it.
        ends = found[:, 1][found[:, 1] < middle].max()
        starts = found[:, 0][found[:, 0] > middle].min()
        assert not ((found[:, 0] < middle) & (middle < found[:, 1])).any()
        assert starts - ends > (after[0] - before[1]) / 2


# Where ends go -------------------------------------------------------------------------------


def choose(scores: list[float], speech: Spans, cuts: list[float], **selection) -> list[Moment]:
    return select_moments(
        scores,
        clip_seconds=1.0,
        duration_seconds=float(len(scores)),
        selection=Selection(**selection),
        shot_boundaries_seconds=cuts,
        pauses=Pauses(speech, float(len(scores))),
    )


HILL = [0.1] * 10 + [0.9] * 4 + [0.1] * 10
"""Kept from 9 to 15 s where nobody speaks, with handles of a second."""


@pytest.mark.parametrize(
    ("speech", "cuts", "expected"),
    [
        ([], [], (9.0, 15.0)),
        # The nearer side of each pause.
        ([(2, 8.5), (8.9, 15.3), (15.8, 20)], [], (8.75, 15.45)),
        # Inwards, and into the middle of a short pause.
        ([(2, 9.2), (9.6, 14.6), (14.8, 20)], [], (9.35, 14.7)),
        # Too far.
        ([(2, 8.4), (8.45, 15.52), (15.9, 20)], [], (9.0, 15.0)),
        # In the middle of pauses already.
        ([(2, 8.8), (9.2, 14.8), (15.2, 20)], [], (9.0, 15.0)),
        # Too near a word.
        ([(2, 8.95), (9.4, 14.5), (15.1, 20)], [], (9.1, 14.95)),
        # Cuts are left inwards.
        ([(2, 9.1), (9.4, 14.5), (14.9, 15.3)], [9.0, 15.0], (9.25, 14.75)),
        # A pause at each cut.
        ([(2, 8.9), (9.1, 14.9), (15.1, 20)], [9.0, 15.0], (9.0, 15.0)),
        # Never over a cut.
        ([(2, 8.6), (8.9, 15.2), (15.6, 20)], [9.0, 15.0], (9.0, 15.0)),
    ],
)
def test_ends_go_into_pauses(
    speech: Spans, cuts: list[float], expected: tuple[float, float]
) -> None:
    [moment] = choose(HILL, speech, cuts, top=1, handles_seconds=1)
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx(expected)


def test_the_ends_of_the_video_stay() -> None:
    scores = [0.9] * 4 + [0.1] * 10
    [moment] = choose(scores, [(0.2, 5.0), (5.3, 14.0)], [], top=1)
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((0.0, 5.15))
    # Sound that is longer than the picture: somebody still speaks where the video ends.
    scores = [0.1] * 10 + [0.9] * 4
    [moment] = choose(scores, [(0.2, 8.9), (9.2, 13.5), (13.7, 14.4)], [], top=1)
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((9.05, 14.0))


def test_a_first_moment_may_begin_in_the_pause_at_the_start_of_the_video() -> None:
    scores = [0.1] + [0.9] * 4 + [0.1] * 10
    [moment] = choose(scores, [(0.4, 5.7), (6.2, 15.0)], [], top=1, handles_seconds=0.4)
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((0.25, 5.85))


def test_touching_moments_share_their_end() -> None:
    scores = [0.1] * 4 + [0.9] * 8 + [0.1] * 4
    found = choose(scores, [(0.0, 8.2), (8.6, 16.0)], [], threshold=0.5, max_duration_seconds=4)
    first, second = sorted(found, key=lambda moment: moment.start_seconds)
    assert first.end_seconds == second.start_seconds == pytest.approx(8.35)


def test_an_exact_target_stays_exact() -> None:
    speech = [(0.0, 8.5), (8.9, 15.3), (15.6, 24.0)]
    [moment] = choose(HILL, speech, [], target_duration_seconds=6.5, handles_seconds=1)
    pauses = Pauses(speech, 24.0)
    assert moment.duration_seconds == pytest.approx(6.5, abs=1e-6)
    assert pauses.around(moment.start_seconds) == pauses.around(8.7)
    assert pauses.around(moment.end_seconds) == pauses.around(15.5)


@pytest.mark.parametrize(
    ("speech", "seconds", "expected"),
    [
        # The long pause at the start takes up, alone, what the end's move changed.
        ([(0.0, 6.0), (8.7, 14.5), (14.8, 24.0)], 6.5, (8.15, 14.65)),
        # The short one at the start has little room, the long one at the end has the rest.
        ([(0.0, 8.78), (8.9, 15.4), (18.0, 24.0)], 7.0, (8.78, 15.78)),
    ],
)
def test_an_exact_target_is_made_up_for_in_the_pause_that_has_room(
    speech: Spans, seconds: float, expected: tuple[float, float]
) -> None:
    [moment] = choose(HILL, speech, [], target_duration_seconds=seconds, handles_seconds=1)
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx(expected)


@pytest.mark.parametrize(("begins", "start"), [(5.1, 5.0), (4.9, 9.0)])
def test_the_start_of_a_sentence_is_sought_up_to_four_seconds_away(
    begins: float, start: float
) -> None:
    speech = [(0.0, begins - 0.2), (begins, 20.0)]
    [moment] = select_moments(
        HILL,
        clip_seconds=1.0,
        duration_seconds=24.0,
        selection=Selection(top=1, handles_seconds=1),
        pauses=Pauses(speech, 24.0, [begins - 0.2]),
    )
    assert (moment.start_seconds, moment.end_seconds) == pytest.approx((start, 15.0))


words = st.lists(st.floats(0.05, 3.0), min_size=0, max_size=120)
rules = st.one_of(
    st.fixed_dictionaries({}),
    st.fixed_dictionaries({"top": st.integers(1, 6)}),
    st.fixed_dictionaries({"threshold": st.floats(0, 1)}),
    st.fixed_dictionaries({"target_duration_seconds": st.floats(0.5, 90)}),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=3, max_size=60),
    words,
    st.lists(st.floats(0.1, 60), max_size=12),
    rules,
    st.floats(0.5, 4),
    st.floats(0, 12),
)
def test_pauses_break_no_other_rule(
    scores: list[float], gaps: list[float], cuts: list[float], rule, shortest: float, more: float
) -> None:
    edges = list(itertools.accumulate(gaps))
    speech = [
        (start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)
        if end < len(scores)
    ]  # fmt: skip
    shape = {"min_duration_seconds": shortest, "max_duration_seconds": shortest + more}
    plain = choose(scores, [], cuts, **rule, **shape)
    spoken = choose(scores, speech, cuts, **rule, **shape)
    assert len(plain) == len(spoken)
    in_time = sorted(spoken, key=lambda moment: moment.start_seconds)
    selection = Selection(**rule, **shape)
    longest = max([selection.longest_seconds, *(one.duration_seconds for one in plain)])
    least = min([shortest, *(one.duration_seconds for one in plain)])
    for moment in in_time:
        assert 0 <= moment.start_seconds < moment.end_seconds <= len(scores)
        assert least - 1e-6 <= moment.duration_seconds <= longest + 1e-6
    for before, after in itertools.pairwise(in_time):
        assert before.end_seconds <= after.start_seconds + 1e-9
    before = sorted(plain, key=lambda moment: moment.start_seconds)
    for one, other in zip(before, in_time, strict=True):
        for old, new in (
            (one.start_seconds, other.start_seconds),
            (one.end_seconds, other.end_seconds),
        ):
            # Up to the pause, and into it; a total is made up for inside the pause.
            if "target_duration_seconds" not in rule:
                assert abs(old - new) <= REACH_SECONDS + 0.15 + 1e-6
    if "target_duration_seconds" in rule:
        pauses = Pauses(speech, float(len(scores)))
        known = {round(end, 6) for m in plain for end in (m.start_seconds, m.end_seconds)}
        for end in (end for m in spoken for end in (m.start_seconds, m.end_seconds)):
            assert round(end, 6) in known or pauses.around(end) is not None
        assert sum(m.duration_seconds for m in spoken) == pytest.approx(
            sum(m.duration_seconds for m in plain), abs=1e-6
        )


# From the file to the document ---------------------------------------------------------------


def talk(folder: Path) -> tuple[Path, Spans]:
    """Make 30 seconds in which somebody speaks with pauses."""
    sound, phrases = speech(folder, pauses=(0.45, 0.7), lead=1.5)
    wave = np.tile(sound, (2, 1))
    path = make_video(
        folder,
        num_frames=int(len(sound) / 48000 * 10),
        rate=Fraction(10),
        gop=50,
        paint=moving_square,
        counter=False,
        audio=(AudioTrack(wave=wave),),
    )
    return path, phrases


@needs_espeak
def test_moments_of_a_talk_end_in_its_pauses(tmp_path: Path) -> None:
    video, phrases = talk(tmp_path)
    out = tmp_path / "talk.json"
    code, _, stderr = run("score", video, "--top", "3", "--max-duration", "5s", "-o", out)
    assert code == 0, stderr
    document = ScoresDocument.read(out)
    assert document.speech is not None
    assert len(document.speech) >= len(phrases)
    ends = [one for m in document.moments for one in (m.start_seconds, m.end_seconds)]
    inside = [
        end for end in ends if any(start + 0.03 < end < stop - 0.03 for start, stop in phrases)
    ]
    pauses = [(a[1], b[0]) for a, b in itertools.pairwise(phrases)]
    avoidable = [
        end for end in inside
        if any(start - REACH_SECONDS <= end <= stop + REACH_SECONDS for start, stop in pauses)
    ]  # fmt: skip
    assert avoidable == []
    # By the picture alone the sound is not listened to.
    code, text, _ = run("score", video, "--visual-only", "--json")
    assert "speech" not in json.loads(text)
    assert read_documents(out) == [document]


def test_the_pause_around_an_instant_has_its_edges() -> None:
    pauses = Pauses([(1.0, 2.0), (3.0, 5.0)], 6.0)
    at = {0.0: 0, 1.0: 0, 1.5: None, 2.0: 1, 2.5: 1, 3.0: 1, 4.0: None, 5.0: 2, 6.0: 2}
    assert {instant: pauses.around(instant) for instant in at} == at
    assert pauses.near(1.5, 0.25) == range(1, 1)
    assert pauses.near(1.5, 0.5) == range(2)
    assert pauses.near(4.0, 1.0) == range(1, 3)
