"""The scores document: survives a round trip, matches its schema, refuses what is wrong."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from document_factory import IDENTITY, WEIGHTS, make_document
from hypothesis import given, settings
from hypothesis import strategies as st

from hlcli import paths, scores_cache
from hlcli.document import (
    ScoresDocument,
    VideoRecord,
    documents_text,
    find_moments,
    read_documents,
    write_documents,
)
from hlcli.errors import LONGEST_MESSAGE, DocumentError, OutputError
from hlcli.moments import Selection, Take

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs/reference/scores.schema.json").read_text("utf-8")
)

documents = st.builds(
    make_document,
    num_frames=st.integers(1, 4000),
    frame_rate=st.sampled_from(
        [Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60)]
    ),
    start_timecode=st.sampled_from([None, "01:00:00:00", "16:37:10;02"]),
    audio=st.integers(0, 2),
    speech=st.sampled_from([None, (), ((0.0, 1.25), (1.5, 1.75))]),
    path=st.sampled_from(["/a/b.mp4", "C:\\Clips\\b c.mov", "/n\u00e4 \u65e5\u672c #1 100%.mp4"]),
)


@settings(max_examples=80, deadline=None)
@given(documents)
def test_round_trip_and_schema(document: ScoresDocument) -> None:
    value = json.loads(document.to_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    assert value == document.to_json()
    again = ScoresDocument.from_json(value)
    assert again.to_text() == document.to_text()
    assert again.video.frame_rate == document.video.frame_rate
    assert ScoresDocument.from_json(again.to_json()) == again


def test_the_schema_itself_is_valid_and_refuses() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    value = make_document().to_json()
    for name in value:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in value.items() if k != name}, SCHEMA)


def test_contract_fields() -> None:
    value = make_document(frame_rate=Fraction(30000, 1001)).to_json()
    assert list(value) == [
        "schema", "video", "model", "modality", "clip_seconds", "scores", "raw_scores",
        "picture_scores", "sound_scores", "shot_boundaries_seconds", "damage", "moments",
        "created_with",
    ]  # fmt: skip
    assert value["schema"] == "hl.scores/1"
    assert value["video"]["frame_rate"] == "30000/1001"
    assert value["video"]["audio"] == [{"channels": 2, "sample_rate": 48000}]
    assert list(value["moments"][0]) == [
        "start_seconds", "end_seconds", "score", "peak_seconds", "picture", "sound", "why",
        "reasons",
    ]  # fmt: skip
    assert value["scores"][4] == round(value["scores"][4], 6)


def changed(path: str, new: Any) -> dict[str, Any]:
    value = json.loads(make_document(num_frames=300).to_text())
    spot: Any = value
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for parent in parents:
        spot = spot[parent]
    if new is KeyError:
        del spot[last]
    else:
        spot[last] = new
    return value


@pytest.mark.parametrize(
    ("path", "new", "words"),
    [
        ("moments.0.score", 1.2, "score is 1.2, outside its range"),
        ("moments.0.picture", 1.2, "picture is 1.2, outside its range"),
        ("moments.0.sound", -0.1, "sound is -0.1, outside its range"),
        ("schema", "hl.scores/2", "schema is 'hl.scores/2'"),
        ("schema", KeyError, "schema is missing"),
        ("video", [], "video must be an object"),
        ("video.path", "", "video.path must be text"),
        ("video.duration_seconds", 0, "video.duration_seconds is 0"),
        ("video.duration_seconds", 99.5, "scores has 10 clips, the duration needs 100"),
        ("video.frame_rate", "30", "video.frame_rate has an unknown value '30'"),
        ("video.frame_rate", "30/0", "video.frame_rate has an unknown value"),
        ("video.frame_rate", "90000/1", "video.frame_rate must be at most 1000"),
        ("video.frame_rate", 29.97, "video.frame_rate must be text"),
        ("video.num_frames", 1.5, "video.num_frames must be a whole number"),
        ("video.num_frames", 10**400, "video.num_frames is too large a number"),
        ("video.path", "half \ud800.mp4", "video.path must be text"),
        ("video.num_frames", True, "video.num_frames must be a whole number"),
        ("video.is_variable_rate", 1, "video.is_variable_rate must be true or false"),
        ("video.start_timecode", "1:00", "video.start_timecode has an unknown value"),
        ("video.rotation_degrees", 45, "video.rotation_degrees must be 0, 90, 180 or 270"),
        ("video.has_audio", False, "video.has_audio disagrees with audio"),
        ("video.audio.0.channels", 0, "video.audio[0].channels must be a whole number from 1"),
        ("video.sha256_head", "abc", "video.sha256_head has an unknown value"),
        ("model.sha256", KeyError, "model.sha256 is missing"),
        ("modality", "av", "modality has an unknown value"),
        ("clip_seconds", -1, "clip_seconds is -1"),
        ("scores", [0.5] * 9, "scores has 9 clips, the duration needs 10"),
        ("scores", [0.5] * 12, "scores has 12 clips, the duration needs 10"),
        ("scores.3", 1.01, "scores[3] is 1.01"),
        ("scores.3", float("nan"), "scores[3] is nan"),
        ("scores.3", True, "scores[3] is True"),
        ("scores.3", "0.5", "scores[3] is '0.5'"),
        ("raw_scores", [0.5] * 9, "raw_scores has 9 clips, scores has 10"),
        ("raw_scores.0", float("inf"), "raw_scores[0] is inf"),
        ("raw_scores.0", 10**400, "raw_scores[0] is 1000"),
        ("sound_scores", [0.5], "sound_scores has 1 clips"),
        ("shot_boundaries_seconds", [2, 1], "shot_boundaries_seconds is not ascending"),
        ("speech", {}, "speech must be a list"),
        ("speech", [[0, 1], [2]], "speech[1] is [2], not a start and an end"),
        ("speech", [[1, 0.5]], "speech[0] is [1, 0.5], not a start and an end"),
        ("speech", [[0, 2], [1, 3]], "speech[1] begins before the one before it ends"),
        ("moments", {}, "moments must be a list"),
        ("moments.0.end_seconds", 1.0, "is not inside the video"),
        ("moments.0.end_seconds", 11.0, "is not inside the video"),
        ("moments.0.peak_seconds", 0.0, "moments[0].peak_seconds 0 s is not inside the moment"),
        ("moments.0.why", "luck", "moments[0].why has an unknown value"),
        ("created_with", None, "created_with must be text"),
    ],
)
def test_wrong_documents_are_refused_by_file_and_field(
    tmp_path: Path, path: str, new: Any, words: str
) -> None:
    file = tmp_path / "scores.json"
    file.write_text(json.dumps(changed(path, new)))
    with pytest.raises(DocumentError) as error:
        ScoresDocument.read(file)
    if isinstance(new, float) and new != new:
        words = "NaN is not a number"
    if new == float("inf"):
        words = "Infinity is not a number"
    assert words in error.value.message
    assert str(file) in error.value.message
    assert error.value.hint
    if "not a number" not in words:
        with pytest.raises(DocumentError):
            ScoresDocument.from_json(changed(path, new))


def test_a_value_as_long_as_the_file_is_quoted_in_part(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text(json.dumps(changed("moments.0.why", "both" + "[" * 5_000)), encoding="utf-8")
    with pytest.raises(DocumentError, match="why has an unknown value") as caught:
        ScoresDocument.read(path)
    assert len(caught.value.message) <= LONGEST_MESSAGE == len(str(caught.value))


def test_nan_is_refused_in_values_too() -> None:
    with pytest.raises(DocumentError, match="is nan, outside its range"):
        ScoresDocument.from_json(changed("scores.3", float("nan")))


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("scores.3", 0.0),
        ("scores.3", 1.0),
        ("moments.0.score", 1.0),
        ("moments.0.picture", 0.0),
        ("moments.0.picture", 1.0),
        ("moments.0.sound", 1.0),
        ("video.frame_rate", "1000/1"),
        ("video.rotation_degrees", 90),
        ("video.rotation_degrees", 180),
        ("video.rotation_degrees", 270),
        ("video.num_frames", 1),
        ("video.width", 1),
        ("video.height", 1),
        ("video.audio.0.channels", 1),
        ("video.audio.0.sample_rate", 1),
        ("video.audio.0.index", 0),
    ],
)
def test_the_ends_of_every_range_belong_to_it(path: str, new: Any) -> None:
    value = changed(path, new)
    assert ScoresDocument.from_json(value).to_json() == value


@pytest.mark.parametrize(
    ("duration", "clip_seconds", "allowed"),
    # A length at a whole number of clips is rounded up or down; any other has one number of them.
    [
        (10.0, 2.0, {5, 6}),
        (10.5, 2.0, {6}),
        (3.0, 0.5, {6, 7}),
        (0.4, 1.0, {1}),
        (5.0, 1.0, {5, 6}),
    ],
)
def test_the_number_of_clips_fits_the_duration(
    duration: float, clip_seconds: float, allowed: set[int]
) -> None:
    def is_read(num_clips: int) -> bool:
        value = make_document(scores=[0.5] * num_clips, audio=0, spans=[]).to_json()
        value["video"]["duration_seconds"] = duration
        value["clip_seconds"] = clip_seconds
        try:
            ScoresDocument.from_json(value)
        except DocumentError:
            return False
        return True

    assert {number for number in range(1, 25) if is_read(number)} == allowed


def test_no_document_is_written_that_is_not_json() -> None:
    document = dataclasses.replace(make_document(), clip_seconds=float("inf"))
    with pytest.raises(ValueError, match="JSON"):
        document.to_text()


def test_overlapping_moments_are_refused() -> None:
    value = make_document(spans=[(1.0, 3.0), (4.0, 6.0)]).to_json()
    value["moments"][1].update(start_seconds=2.5)
    with pytest.raises(DocumentError, match=r"moments overlap at 2\.5 s"):
        ScoresDocument.from_json(value)


def test_unknown_fields_are_passed_over() -> None:
    document = make_document()
    value = document.to_json() | {"later": 1}
    assert ScoresDocument.from_json(value).to_json() == document.to_json()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not a scores document"),
        (b"\xff\xfe\x00", "is not a scores document"),
        (b"[" * 100_000, "is not a scores document"),
        (b"{", "is not a scores document"),
        (b"[]", "is an empty list"),
        (b"[1]", "(document 1): the document must be an object"),
    ],
)
def test_files_that_are_no_documents(tmp_path: Path, data: bytes, words: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(data)
    with pytest.raises(DocumentError) as error:
        read_documents(file)
    assert words in error.value.message


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="does not exist"):
        read_documents(tmp_path / "no.json")
    with pytest.raises(DocumentError, match="cannot read"):
        read_documents(tmp_path)
    with pytest.raises(OutputError, match="does not exist"):
        make_document().write(tmp_path / "no" / "x.json")


def test_one_is_written_alone_and_several_as_a_list(tmp_path: Path) -> None:
    first, second = make_document(), make_document(path="/b.mp4", num_frames=77)
    write_documents(tmp_path / "one.json", [first])
    assert (tmp_path / "one.json").read_text() == first.to_text() == documents_text([first])
    write_documents(tmp_path / "two.json", [first, second])
    both = read_documents(tmp_path / "two.json")
    assert [document.to_json() for document in both] == [first.to_json(), second.to_json()]
    with pytest.raises(DocumentError, match="holds 2 scores documents"):
        ScoresDocument.read(tmp_path / "two.json")


def test_name_that_is_not_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    name = b"/clips/caf\xe9.mp4".decode("utf-8", "surrogateescape")
    document = make_document(path=name)
    document.write(tmp_path / "x.json")
    assert (tmp_path / "x.json").read_bytes().isascii()
    again = ScoresDocument.read(tmp_path / "x.json")
    assert again.video.path.encode("utf-8", "surrogateescape") == b"/clips/caf\xe9.mp4"


def test_from_media_takes_over_every_field() -> None:
    info = SimpleNamespace(
        path=Path("/a/b.mov"),
        duration_seconds=Fraction(1001, 125),
        frame_rate=Fraction(30000, 1001),
        num_frames=240,
        is_variable_rate=True,
        start_timecode="01:00:00;00",
        has_timecode_track=False,
        width=360,
        height=640,
        rotation_degrees=90,
        audio_streams=(SimpleNamespace(channels=1, sample_rate=44100, index=2),),
    )
    record = VideoRecord.from_media(info, IDENTITY)  # type: ignore[arg-type]
    assert record.duration_seconds == 8.008
    assert (record.num_frames, record.is_variable_rate) == (240, True)
    assert (record.width, record.height, record.rotation_degrees) == (360, 640, 90)
    assert [(t.channels, t.sample_rate, t.index) for t in record.audio] == [(1, 44100, 2)]
    assert record.sha256_head == IDENTITY
    assert not record.has_timecode_track


def test_a_document_of_an_earlier_hl_has_its_timecode_in_a_track() -> None:
    value = make_document(start_timecode="01:00:00:00").to_json()
    assert value["video"].pop("has_timecode_track") is True
    jsonschema.validate(value, SCHEMA)
    assert ScoresDocument.from_json(value).video.has_timecode_track
    value["video"]["has_timecode_track"] = False
    assert not ScoresDocument.from_json(value).video.has_timecode_track
    value["video"]["has_timecode_track"] = "no"
    with pytest.raises(DocumentError, match=r"video\.has_timecode_track must be true or false"):
        ScoresDocument.from_json(value)


def test_moments_are_chosen_anew() -> None:
    document = make_document()
    assert len(find_moments(document, Selection(top=1))) == 1
    assert len(find_moments(document, Selection(top=4))) == 4


# Stored scores -------------------------------------------------------------------------------


def age(path: Path, seconds: int) -> None:
    os.utime(path, (1_700_000_000 - seconds,) * 2)


def test_stored_scores_are_found_by_what_was_asked_for() -> None:
    silent = make_document(audio=0)
    scores_cache.put(silent, "va")
    assert scores_cache.find(IDENTITY, WEIGHTS, "va") == ScoresDocument.from_json(silent.to_json())
    assert scores_cache.find(IDENTITY, WEIGHTS, "v") is None
    assert scores_cache.find(IDENTITY, "c" * 64, "va") is None
    assert scores_cache.find("c" * 64) is None


def test_newest_stored_scores_win() -> None:
    age(scores_cache.put(make_document(scores=[0.1] * 60)), 100)
    age(scores_cache.put(make_document(scores=[0.2] * 60, model_sha256="c" * 64)), 50)
    age(scores_cache.put(make_document(scores=[0.3] * 60), "v"), 200)
    newest = scores_cache.find(IDENTITY)
    assert newest is not None
    assert newest.scores[0] == 0.2
    by_model = scores_cache.find(IDENTITY, WEIGHTS)
    assert by_model is not None
    assert by_model.scores[0] == 0.1
    by_picture = scores_cache.find(IDENTITY, None, "v")
    assert by_picture is not None
    assert by_picture.scores[0] == 0.3


def test_damaged_entry_counts_as_absent_and_is_removed() -> None:
    older = scores_cache.put(make_document(), "va")
    age(older, 100)
    damaged = scores_cache.put(make_document(), "v")
    damaged.write_bytes(damaged.read_bytes()[:-200])
    found = scores_cache.find(IDENTITY)
    assert found is not None
    assert not damaged.exists()
    assert older.exists()


def test_an_entry_of_a_newer_version_or_that_cannot_be_read_once_is_kept() -> None:
    path = scores_cache.put(make_document())
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"hl.scores/1"', b'"hl.scores/2"'))
    assert scores_cache.find(IDENTITY) is None
    assert path.exists()
    path.unlink()
    path.mkdir()  # the simplest of what cannot be read
    assert scores_cache.find(IDENTITY) is None
    path.rmdir()
    path.write_bytes(data)
    assert scores_cache.find(IDENTITY) is not None


@pytest.mark.parametrize("text", ["[]", "{}", '{"schema": "hl.scores/1"}', "null", "", "[" * 20000])
def test_an_entry_that_is_no_document_is_removed(text: str) -> None:
    path = scores_cache.put(make_document())
    path.write_text(text)
    assert scores_cache.find(IDENTITY) is None
    assert not path.exists()


def test_moments_that_touch_are_no_overlap() -> None:
    # Neighbours share the space for their handles, so that they meet.
    document = make_document(spans=[(1.0, 2.5), (2.5, 4.0)])
    again = ScoresDocument.from_json(document.to_json())
    assert [(one.start_seconds, one.end_seconds) for one in again.moments] == [
        (1.0, 2.5),
        (2.5, 4.0),
    ]


def test_an_entry_whose_name_lies_is_not_given_out() -> None:
    path = scores_cache.put(make_document())
    other = IDENTITY[:32] + "0" * 32  # the same start
    assert scores_cache.find(other) is None
    assert path.exists()


def test_store_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores_cache, "MAX_STORED", 3)
    for number in range(5):
        age(scores_cache.put(make_document(identity=f"{number:064x}"[::-1])), 100 - number)
    scores_cache.put(make_document(identity="f" * 64))
    assert len(list(paths.scores_dir().iterdir())) == 3
    assert scores_cache.find("f" * 64) is not None
    assert scores_cache.find(f"{0:064x}") is None


def test_unusable_cache_folder_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="cannot use the cache folder"):
        scores_cache.put(make_document())
    assert scores_cache.find(IDENTITY) is None


def test_document_needs_neither_torch_nor_av() -> None:
    import subprocess

    code = (
        "import sys, hlcli.document, hlcli.scores_cache;"
        "print([m for m in ('torch', 'av', 'opentimelineio', 'typer') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert output.stdout.strip() == "[]"


def test_other_takes_survive_a_round_trip_and_are_checked() -> None:
    document = make_document()
    others = (
        Take(start_seconds=1.25, end_seconds=2.5, score=0.25),
        Take(start_seconds=100.0, end_seconds=102.0, score=0.5, video="/n\u00e4/b.mp4"),
    )
    first = dataclasses.replace(document.moments[0], alternatives=others)
    document = document.with_moments([first, *document.moments[1:]])
    value = json.loads(document.to_text())
    jsonschema.validate(value, SCHEMA)
    assert ScoresDocument.from_json(value).moments[0].alternatives == others
    assert "video" not in value["moments"][0]["alternatives"][0]
    value["moments"][0]["alternatives"][0]["end_seconds"] = 1e6
    with pytest.raises(DocumentError, match="is not inside the video"):
        ScoresDocument.from_json(value)
