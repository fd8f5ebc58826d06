"""Takes: the same filmed again is found, and what only looks like it is left alone."""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from takes_factory import Rows, again, footage, takes_document, walk

from hlcli.document import ScoresDocument, find_moments
from hlcli.document.takes import choose_across
from hlcli.errors import DocumentError
from hlcli.features.fingerprints import PICTURE_SIZE, fingerprints
from hlcli.moments import Moment, Selection, Stretch
from hlcli.moments.takes import takes_of
from hlcli.progress import Listener
from hlcli.workflows.export import choose_across_files

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs/reference/scores.schema.json").read_text("utf-8")
)


def moment(start: float, end: float) -> Moment:
    return Moment(start_seconds=start, end_seconds=end, score=0.9, peak_seconds=(start + end) / 2)


@pytest.mark.parametrize("speed", [0.95, 1.0, 1.05])
def test_another_take_is_found_where_it_is(speed: float) -> None:
    first = walk(1)
    film = footage([first, walk(2, scene=1), again(first, 3, speed=speed), walk(4, scene=2)])
    assert takes_of(moment(1.0, 7.0), film, film) == [
        (pytest.approx(17.0, abs=1.01), pytest.approx(16 + 7 / speed, abs=1.01))
    ]


def test_a_take_in_another_file_is_found() -> None:
    first = walk(1)
    other = footage([walk(5, scene=3), again(first, 6)])
    assert takes_of(moment(0.0, 8.0), footage([first]), other) == [(8.0, 16.0)]


def test_of_a_long_moment_what_is_around_its_peak_is_looked_for() -> None:
    first = walk(1, 20)
    other = footage([walk(5, scene=3), again(first[4:12], 6)])
    long = dataclasses.replace(moment(0.0, 20.0), peak_seconds=8.5)
    assert takes_of(long, footage([first]), other) == [(8.0, 16.0)]


@pytest.mark.parametrize(
    "shot",
    [walk(7), walk(8), walk(9, change=0.02)],
    ids=["a rally from the same camera", "another one", "hardly any movement"],
)
def test_the_same_place_is_no_take_where_something_else_happens(shot: Rows) -> None:
    film = footage([walk(1), walk(2, scene=1), shot])
    assert takes_of(moment(0.0, 8.0), film, film) == []


def test_a_talk_in_one_picture_is_no_take_unless_the_same_is_said() -> None:
    still = walk(1, change=0.0)
    words, others = walk(21, scene=5, change=0.5), walk(22, scene=5, change=0.5)
    pictures = [again(still, seed) for seed in (2, 3, 4)]
    film = footage(pictures, [words, others, again(words, 5)])
    assert takes_of(moment(0.0, 8.0), film, film) == [(16.0, 24.0)]


def test_a_shot_that_is_less_than_half_of_a_moment_has_no_takes() -> None:
    first = walk(1)
    film = footage([first, walk(2, scene=1), again(first, 3)])
    peak_in_first = dataclasses.replace(moment(4.0, 11.5), peak_seconds=7.0)
    assert takes_of(peak_in_first, film, film) == [(pytest.approx(20, abs=0.3), 24.0)]
    peak_in_first = dataclasses.replace(moment(4.0, 12.5), peak_seconds=7.0)
    assert takes_of(peak_in_first, film, film) == []


def test_without_sound_the_pictures_must_change_more_alike() -> None:
    # What changes correlates by 0.65: enough where sound was listened to, and not where it was not.
    scene = np.random.default_rng(7).normal(0, 40, PICTURE_SIZE)
    changes, others = np.linalg.qr(np.random.default_rng(8).normal(size=(8 * PICTURE_SIZE, 2)))[0].T
    mixed = 0.65 * changes + np.sqrt(1 - 0.65**2) * others
    first, second = (
        (scene + 300 * row.reshape(8, PICTURE_SIZE)).astype(np.float32) for row in (changes, mixed)
    )
    silence = np.zeros((8, 24), np.float32)
    for sounds, found in (([silence] * 3, [(16.0, 24.0)]), (None, [])):
        film = footage([first, walk(2, scene=1), second], sounds)
        assert takes_of(moment(0.0, 8.0), film, film) == found


def test_a_movement_repeated_in_one_shot_is_no_take() -> None:
    first = walk(1)
    film = footage([np.concatenate([first, again(first, 2), again(first, 3)])])
    assert takes_of(moment(0.0, 8.0), film, film) == []


def test_silence_and_stills_give_no_take_and_no_warning() -> None:
    still = np.full((4, PICTURE_SIZE), 30, np.float32)
    film = footage([still, still], [np.zeros((4, 24), np.float32)] * 2)
    assert takes_of(moment(0.0, 4.0), film, film) == []


def three_takes() -> ScoresDocument:
    first = walk(1)
    return takes_document(
        [first, walk(2, scene=1), again(first, 3), walk(4, scene=2), again(first, 5)],
        [0.8, 0.7, 0.9, 0.6, 0.85],
    )


def test_of_three_takes_the_best_is_kept_and_the_others_are_alternatives() -> None:
    document = three_takes()
    moments = find_moments(document, Selection(top=5))
    assert [int(one.peak_seconds) // 8 for one in moments] == [2, 1, 3]
    kept = moments[0]
    assert [round(take.start_seconds / 8) for take in kept.alternatives] == [0, 4]
    assert [take.video for take in kept.alternatives] == [None, None]
    assert kept.reasons[-1].startswith("take 2 of 3, others at 0:0")
    assert not any(one.alternatives for one in moments[1:])
    value = document.with_moments(moments).to_json()
    jsonschema.validate(value, SCHEMA)
    again_read = ScoresDocument.from_json(value)
    # What chooses anew has the document alone.
    assert find_moments(again_read, Selection(top=5)) == moments


def test_every_take_is_kept_where_that_is_asked_for_or_pinned() -> None:
    document = three_takes()
    moments = find_moments(document, Selection(top=5, keep_takes=True))
    assert sorted(int(one.peak_seconds) // 8 for one in moments) == [0, 1, 2, 3, 4]
    pin = Stretch(start_seconds=1.0, end_seconds=7.0)
    pinned = find_moments(document, Selection(top=3, pins=(pin,)))
    assert (1.0, 7.0) in [(one.start_seconds, one.end_seconds) for one in pinned]
    assert not any(16 <= one.peak_seconds < 24 or one.peak_seconds >= 32 for one in pinned)


def test_a_target_is_met_without_repeats() -> None:
    moments = find_moments(three_takes(), Selection(target_duration_seconds=18))
    assert sum(one.duration_seconds for one in moments) == pytest.approx(18)
    assert len({int(one.peak_seconds) // 8 for one in moments} & {0, 2, 4}) == 1


def test_of_takes_in_two_files_one_is_kept() -> None:
    first = walk(1)
    a = takes_document([first, walk(2, scene=1)], [0.7, 0.6], "/a/one.mp4")
    b = takes_document([walk(3, scene=2), again(first, 4)], [0.6, 0.9], "/a/two.mp4")
    chosen = [one.with_moments(find_moments(one, Selection(top=1))) for one in (a, b)]
    told: list[str] = []
    on = Listener()
    on.remark = told.append  # type: ignore[method-assign]
    one, two = choose_across_files(chosen, Selection(top=1), on)
    assert int(two.moments[0].peak_seconds) // 8 == 1
    assert two.moments[0].reasons[-1] == "take 2 of 2, others at one.mp4 0:01"
    (take,) = two.moments[0].alternatives
    # As far into its shot as the moment is into its own.
    assert take.video == "/a/one.mp4"
    assert take.start_seconds == pytest.approx(two.moments[0].start_seconds - 8, abs=0.3)
    assert take.end_seconds == pytest.approx(two.moments[0].end_seconds - 8, abs=0.3)
    assert int(one.moments[0].peak_seconds) // 8 == 1
    assert len(told) == 1
    assert "one.mp4: 1 moment left out" in told[0]
    assert choose_across_files(chosen, Selection(top=1, keep_takes=True), on) == chosen


def test_documents_of_an_earlier_hl_and_of_another_model_are_left_alone() -> None:
    first = walk(1)
    a = takes_document([first, walk(2, scene=1)], [0.7, 0.6], "/a/one.mp4")
    b = takes_document([walk(3, scene=2), again(first, 4)], [0.6, 0.9], "/a/two.mp4")
    chosen = [one.with_moments(find_moments(one, Selection(top=1))) for one in (a, b)]
    old = dataclasses.replace(chosen[0], picture_fingerprints=None)
    other = dataclasses.replace(
        chosen[0], model=dataclasses.replace(chosen[0].model, sha256="0" * 64)
    )
    for changed in (old, other):
        assert choose_across([changed, chosen[1]], Selection(top=1), find_moments) == [
            changed,
            chosen[1],
        ]


def test_wrong_fingerprints_are_refused() -> None:
    value = three_takes().to_json()
    for wrong in ("no base64!", "AAAA"):
        with pytest.raises(DocumentError, match="picture_fingerprints"):
            ScoresDocument.from_json(value | {"picture_fingerprints": wrong})


def test_fingerprints_keep_angles_and_are_the_same_everywhere() -> None:
    rng = np.random.default_rng(0)
    rows = np.abs(rng.normal(size=(40, 1280))).astype(np.float16)
    rows[20:] = rows[:20] + rng.normal(0, 0.2, (20, 1280))
    text = fingerprints(rows, PICTURE_SIZE)
    made = np.frombuffer(base64.b64decode(text), np.int8).reshape(40, PICTURE_SIZE).astype(float)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    wide = rows.astype(float) / np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
    for row in range(20):
        assert made[row] @ made[row + 20] == pytest.approx(wide[row] @ wide[row + 20], abs=0.1)
    unit = np.eye(2, 1280, dtype=np.float32)
    assert base64.b64decode(fingerprints(unit, 4)) == bytes.fromhex(UNIT)


UNIT = "d62ad6d6d6d6d62a"
"""Two rows of the projection: they must never change, or documents could not be compared."""
