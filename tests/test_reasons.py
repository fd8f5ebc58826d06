"""Why a moment was chosen, in words: from measured rows to markers, chapters, tables and sheets."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from document_factory import make_document
from edit_list_factory import edit_of

from hlcli.document import ScoresDocument, find_moments
from hlcli.features.encoder import PictureClassifier
from hlcli.features.encoders import load_visual
from hlcli.features.naming import SIGHTS, SOUNDS, look_groups, named_sights, named_sounds
from hlcli.features.yamnet import event_names
from hlcli.moments import Evidence, Moment, Observation, Selection, in_words, reasons_of
from hlcli.moments.reasons import _inside
from hlcli.timeline.formats import write_format
from hlcli.timeline.formats.chapters import chapters_of
from hlcli.timeline.formats.table import table_text
from hlcli.timeline.read import read_timeline

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[1] / "docs/reference/scores.schema.json").read_text("utf-8")
)
LENGTH = 120
MOMENT = Moment(start_seconds=60.0, end_seconds=66.0, score=0.9, peak_seconds=63.5)


def observed(name: str, start: float, end: float, score: float = 0.8) -> Observation:
    return Observation(name=name, start_seconds=start, end_seconds=end, score=score)


def row(usual: float, here: float) -> np.ndarray:
    """Return one number per second: `here` in the moment, `usual` everywhere else."""
    values = np.full(LENGTH, usual)
    values[60:66] = here
    return values


def reasons(moment: Moment = MOMENT, **evidence: Any) -> tuple[str, ...]:
    known = {"clip_seconds": 1.0, "duration_seconds": float(LENGTH)} | evidence
    return reasons_of(moment, Evidence(**known))


def test_a_clip_belongs_to_the_stretch_that_its_middle_lies_in() -> None:
    # Ends between the middles of two clips, and on one: the clip whose middle is the end is out.
    loud = [-60.0, -60.0, -20.0, -60.0, -60.0]
    known = Evidence(clip_seconds=1.0, duration_seconds=5.0, loudness_T=np.array(loud))
    assert _inside(0.5, 2.5, known).tolist() == [True, True, False, False, False]
    assert _inside(0.6, 2.6, known).tolist() == [False, True, True, False, False]


def test_a_moment_is_compared_with_a_rest_of_at_least_half_its_length() -> None:
    moment = Moment(start_seconds=0.0, end_seconds=6.0, score=0.9, peak_seconds=3.0)
    sounds = [observed("cheering", 1, 5)]
    assert reasons(moment, sounds=sounds, duration_seconds=9.0) == ("cheering",)
    assert reasons(moment, sounds=sounds, duration_seconds=8.9) == ()


# Sounds and sights ----------------------------------------------------------------------------


def test_what_is_heard_in_the_moment_alone_is_a_reason() -> None:
    assert reasons(sounds=[observed("cheering", 61, 65)]) == ("cheering",)
    # Somewhere else, or too short to be noticed.
    assert reasons(sounds=[observed("cheering", 20, 25)]) == ()
    assert reasons(sounds=[observed("cheering", 65.5, 66)]) == ()


def test_what_is_heard_throughout_is_no_reason() -> None:
    assert reasons(sounds=[observed("cheering", 0, LENGTH)]) == ()
    # A third of the rest is still too much, a tenth is not.
    often = [observed("cheering", start, start + 2) for start in range(0, 60, 3)]
    assert reasons(sounds=[*often, observed("cheering", 60, 66)]) == ()
    seldom = [observed("cheering", start, start + 2) for start in range(0, 60, 12)]
    assert reasons(sounds=[*seldom, observed("cheering", 60, 66)]) == ("cheering",)


def test_a_moment_that_is_most_of_the_video_has_nothing_to_differ_from() -> None:
    whole = Moment(start_seconds=0, end_seconds=100, score=0.5, peak_seconds=50)
    assert reasons(whole, sounds=[observed("cheering", 10, 90)]) == ()


def test_the_most_telling_sounds_come_first_and_three_are_enough() -> None:
    sounds = [
        observed("speech", 60, 66), observed("laughter", 60, 64, 0.9),
        observed("applause", 60, 66, 0.9),
        observed("bang", 60, 62, 0.5),
    ]  # fmt: skip
    assert reasons(sounds=sounds) == ("applause", "laughter", "speech")


@pytest.mark.parametrize(
    ("sounds", "words"),
    [
        ([("music", 62, 66)], "music begins"),
        ([("drums", 62, 66)], "drums begin"),
        ([("music", 50, 66)], "music"),
        ([("music", 54, 59), ("music", 62, 66)], "music"),
    ],
)
def test_music_begins_where_there_was_none(sounds: list[Any], words: str) -> None:
    assert reasons(sounds=[observed(*one) for one in sounds]) == (words,)


def test_voices_are_raised_against_the_speech_of_the_same_video() -> None:
    talk = [observed("speech", start, start + 3) for start in range(0, 50, 12)]
    speech = [*talk, observed("speech", 60, 66)]
    assert "raised voices" in reasons(sounds=speech, loudness_T=row(-30.0, -22.0))
    assert reasons(sounds=speech, loudness_T=row(-30.0, -28.0)) == ("speech",)


def test_one_sight_is_named_where_the_video_does_not_always_show_it() -> None:
    sights = [observed("a dog", 60, 66, 0.9), observed("a beach", 62, 66, 0.7)]
    assert reasons(sights=sights) == ("a dog",)
    assert reasons(sights=[observed("a dog", 0, LENGTH)]) == ()


# Movement, loudness, cuts -----------------------------------------------------------------------


def test_movement_is_fast_or_still_against_the_usual() -> None:
    assert reasons(motion_T=row(0.02, 0.06)) == ("fast movement",)
    assert reasons(motion_T=row(0.05, 0.06)) == ()
    assert reasons(motion_T=row(0.001, 0.004)) == ()  # noise of a still picture
    assert reasons(motion_T=row(0.06, 0.01)) == ("hardly any movement",)


def test_loudness_is_compared_with_what_is_around_it() -> None:
    assert reasons(loudness_T=row(-30.0, -20.0)) == ("louder than around it",)
    assert reasons(loudness_T=row(-30.0, -27.0)) == ()
    assert reasons(loudness_T=row(-30.0, -45.0)) == ("quieter than around it",)
    assert reasons(loudness_T=row(-30.0, -80.0)) == ("silence",)
    # Minutes away it may be as loud as it likes.
    loudness_T = row(-40.0, -30.0)
    loudness_T[:25] = -5.0
    assert reasons(loudness_T=loudness_T) == ("louder than around it",)
    # Half a minute on each side; at an end of the film there is one side.
    loudness_T = row(-30.0, -25.0)
    loudness_T[30:60] = -50.0
    assert reasons(loudness_T=loudness_T) == ("louder than around it",)
    last = Moment(start_seconds=114.0, end_seconds=120.0, score=0.9, peak_seconds=117.0)
    loudness_T = np.full(LENGTH, -30.0)
    loudness_T[114:] = -20.0
    assert reasons(last, loudness_T=loudness_T) == ("louder than around it",)


def test_cutting_is_fast_against_the_usual() -> None:
    fast, usual = [61.0, 62.0, 63.0, 64.0], [float(cut) for cut in range(0, LENGTH, 10)]
    assert reasons(cuts=sorted({*fast, *usual})) == ("fast cutting",)
    assert reasons(cuts=[float(cut) for cut in range(1, LENGTH, 2)]) == ()


# Pictures that are alike ------------------------------------------------------------------------


def test_pictures_that_come_back_nowhere_are_unlike_the_rest() -> None:
    looks_T = np.arange(LENGTH) // 10 % 3
    looks_T[60:66] = 7
    assert reasons(looks_T=looks_T) == ("unlike the rest of the film",)


def test_a_video_of_which_no_picture_comes_back_is_all_unlike_the_rest() -> None:
    assert reasons(looks_T=np.arange(LENGTH) // 6) == ()
    # From one where more than half of it comes back, that says something.
    for returning, words in ((54, ()), (66, ("unlike the rest of the film",))):
        looks_T = np.arange(LENGTH) + 10
        looks_T[:returning] = np.arange(returning) % 2
        looks_T[60:66] = np.arange(6) % 2 if returning > 60 else 7
        moment = Moment(start_seconds=100.0, end_seconds=106.0, score=0.9, peak_seconds=103.0)
        assert reasons(moment, looks_T=looks_T) == words
    # One shot: what is near is no proof that it comes back.
    assert reasons(looks_T=np.zeros(LENGTH, dtype=int)) == ()


def test_the_few_other_places_that_look_alike_are_named() -> None:
    looks_T = np.arange(LENGTH) // 10 % 3
    looks_T[60:66] = looks_T[40:44] = looks_T[100:103] = 7
    cuts = [40.0, 44.0, 60.0, 66.0, 100.0, 103.0]
    assert reasons(looks_T=looks_T, cuts=cuts) == ("like 0:40 and 1:40",)
    # In one shot, 20 seconds before is the same and 40 seconds later is something to know.
    assert reasons(looks_T=looks_T) == ("like 1:40",)
    for start in (5, 20, 80):
        looks_T[start : start + 2] = 7
    assert reasons(looks_T=looks_T, cuts=cuts) == ()  # as often as that it is usual


def test_reasons_become_one_line() -> None:
    given = ("cheering", "fast movement", "louder than around it", "like 0:40 and 3:12")
    assert in_words(given) == ("cheering, fast movement; louder than around it; like 0:40 and 3:12")
    assert in_words(("unlike the rest of the film",)) == "unlike the rest of the film"
    assert in_words(()) == ""


def test_nothing_known_gives_no_reason() -> None:
    assert reasons() == ()


# Naming ----------------------------------------------------------------------------------------


def test_every_word_has_classes_of_the_networks() -> None:
    names = set(event_names())
    assert all(set(classes) <= names and 0 < least < 1 for least, classes in SOUNDS.values())
    assert all(0 <= index < 1000 for classes in SIGHTS.values() for index in classes)


def test_sounds_are_stretches_of_the_likeliest_class() -> None:
    names = event_names()
    events_TC = np.zeros((10, len(names)), dtype=np.float16)
    events_TC[2, names.index("Giggle")] = 0.5
    events_TC[4, names.index("Belly laugh")] = 0.75  # a second between is a pause
    events_TC[8, names.index("Laughter")] = 0.25
    events_TC[9, names.index("Laughter")] = 0.1
    found = [dataclasses.astuple(one) for one in named_sounds(events_TC, names)]
    assert found == [("laughter", 2, 4, 0.75), ("laughter", 8, 8, 0.25)]


def test_sights_are_named_by_the_shipped_image_encoder() -> None:
    encoder = load_visual("efficientnet-lite0", torch.device("cpu"))
    assert isinstance(encoder, PictureClassifier)
    # Embeddings that point to one class are that class and nothing else: a husky.
    towards = encoder.network.classifier.weight[250].detach().numpy()  # type: ignore[attr-defined]
    visual_TV = np.zeros((6, len(towards)), dtype=np.float16)
    visual_TV[2:5] = 20 * towards / np.abs(towards).max()
    assert encoder.class_probabilities(visual_TV).sum(axis=1) == pytest.approx(np.ones(6))
    (dog,) = named_sights(visual_TV, encoder.class_probabilities)
    assert (dog.name, dog.first_clip, dog.last_clip) == ("a dog", 2, 4)
    assert 0.9 < dog.score <= 1.0


def test_pictures_are_grouped_by_direction_in_order_of_appearance() -> None:
    random = np.random.default_rng(0)
    first, second = random.random((2, 1280))
    near = [first * scale + 0.05 * random.random(1280) for scale in (1.0, 2.0, 0.5)]
    second[::2] = 0.0
    visual_TV = np.array([near[0], second, near[1], near[2], 3 * second], dtype=np.float16)
    assert look_groups(visual_TV).tolist() == [0, 1, 0, 0, 1]
    assert look_groups(np.zeros((2, 8), dtype=np.float16)).tolist() == [0, 1]


# Into files --------------------------------------------------------------------------------------


def measured() -> ScoresDocument:
    """Return a document of a minute with one peak, cheered at, and everything that is kept."""
    scores = [0.1] * 60
    scores[30:34] = [0.9] * 4
    document = make_document(num_frames=1800, scores=scores)
    motion = [0.02] * 60
    motion[30:34] = [0.08] * 4
    return dataclasses.replace(
        document,
        motion=tuple(motion),
        loudness=(-30.0,) * 60,
        looks=(0, 1) * 30,
        sounds=(observed("cheering", 30.0, 34.0),),
        sights=(),
    )


def test_choosing_again_explains_again_and_the_document_keeps_all() -> None:
    document = measured()
    document = document.with_moments(find_moments(document, Selection(top=1)))
    (moment,) = document.moments
    assert moment.reasons == ("cheering", "fast movement")
    value = json.loads(document.to_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    assert value["moments"][0]["reasons"] == ["cheering", "fast movement"]
    again = ScoresDocument.from_json(value)
    assert again.to_text() == document.to_text()
    assert (again.sounds, again.sights) == (document.sounds, ())
    assert find_moments(again, Selection(top=1)) == [moment]


def test_a_document_of_an_earlier_hl_has_no_reasons() -> None:
    value = make_document(spans=[(5.0, 10.0)]).to_json()
    del value["moments"][0]["reasons"]
    document = ScoresDocument.from_json(value)
    assert document.moments[0].reasons == ()
    assert find_moments(document)[0].reasons == ()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("motion", [0.1]),
        ("motion", [2.0] * 60),
        ("loudness", [3.0] * 60),
        ("looks", ["a"] * 60),
        ("sounds", [{"name": "", "start_seconds": 0, "end_seconds": 1, "score": 1}]),
        ("sounds", [{"name": "a", "start_seconds": 2, "end_seconds": 1, "score": 1}]),
        ("sights", {}),
    ],
)
def test_a_damaged_field_is_named(name: str, wrong: object) -> None:
    value = measured().to_json() | {name: wrong}
    with pytest.raises(Exception, match=name):
        ScoresDocument.from_json(value)


GIVEN = ("cheering", "fast movement", "like 0:40")


def test_reasons_go_into_timelines_and_come_back(tmp_path: Path) -> None:
    document = make_document(spans=[(20.0, 25.0), (2.0, 4.0)], reasons=GIVEN)
    for markers_only in (False, True):
        edit = edit_of(document, markers_only=markers_only)
        best = max((m for event in edit.events for m in event.markers), key=lambda m: m.score or 0)
        assert best.comment == "score 0.90, cheering, fast movement; like 0:40"
        assert best.reasons == GIVEN
    write_format(tmp_path / "a.otio", [document])
    read = read_timeline(tmp_path / "a.otio").edit
    moments = [event.highlight.moment for event in read.events if event.highlight]
    assert [moment.reasons for moment in moments] == [(), GIVEN]
    assert [event.markers[0].reasons for event in read.events] == [(), GIVEN]
    assert [chapter.title for chapter in chapters_of(read)] == [
        "Moment 1",
        "Cheering, fast movement",
    ]


def test_strange_reasons_in_a_timeline_are_passed_over(tmp_path: Path) -> None:
    write_format(tmp_path / "a.otio", [make_document(spans=[(2.0, 4.0)], reasons=GIVEN)])
    value = (tmp_path / "a.otio").read_text("utf-8")
    for strange in ('"cheering"', "[1, 2]", "{}", "null"):
        listed = json.dumps(list(GIVEN), indent=None)
        changed = json.loads(value)
        text = json.dumps(changed).replace(listed, strange)
        assert text != json.dumps(changed)
        (tmp_path / "b.otio").write_text(text, "utf-8")
        (event,) = read_timeline(tmp_path / "b.otio").edit.events
        assert event.markers[0].reasons == ()


def test_chapters_that_are_joined_say_what_happens_in_both() -> None:
    document = make_document(num_frames=4000, spans=[(20.0, 24.0), (30.0, 50.0)], reasons=GIVEN)
    first, second = chapters_of(edit_of(document))
    assert (first.title, second.title) == ("Cheering, fast movement", "Moment 2")


def test_what_is_of_use_in_the_cutting_room_alone_is_no_title() -> None:
    document = make_document(spans=[(2.0, 4.0)], reasons=("hardly any movement", "fast cutting"))
    assert chapters_of(edit_of(document))[-1].title == "Moment 1"


def test_the_table_has_a_column_for_them() -> None:
    document = make_document(spans=[(20.0, 25.0), (2.0, 4.0)], reasons=("cheering", "bell, horn"))
    best, other = csv.DictReader(io.StringIO(table_text([document])))
    assert (best["why"], best["reasons"]) == ("both", "cheering, bell, horn")
    assert other["reasons"] == ""
