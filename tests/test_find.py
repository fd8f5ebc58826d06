"""`hl find`: which classes words mean, where they are, transcripts, and what is written."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from cli_runner import hl
from document_factory import make_document
from media_factory import AudioTrack, make_video
from speech_factory import needs_espeak
from test_report import document_of
from typer.testing import Result

import hlcli
from hlcli import paths, scores_cache
from hlcli.document import ScoresDocument, read_transcript, write_documents
from hlcli.errors import UsageError
from hlcli.features.concepts import concepts, meant_by, stems
from hlcli.features.encoders import load_encoders_of
from hlcli.features.picture_classes import PictureClasses, picture_names
from hlcli.features.sentences import Sentences, model_folder
from hlcli.features.sound_classes import NUM_CLASSES, event_names
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.identity import content_identity
from hlcli.workflows.find import stretches
from hlcli.workflows.transcripts import transcript_beside
from hlcli.zoo.manifest import default_model_name, find_detector, find_model
from hlcli.zoo.weights import weights_path


def run(*arguments: object) -> Result:
    return hl("find", *arguments)


def default_spec() -> FeatureSpec:
    return FeatureSpec.from_table(find_detector(default_model_name()).feature_spec)


def stored(path: Path, heard: dict[str, tuple[int, int, float]]) -> ScoresDocument:
    """Put a video into the caches as if it had been scored, with what is heard in which clips."""
    document = document_of(path, [])
    spec, count = default_spec(), len(document.scores)
    events_TC = np.zeros((count, NUM_CLASSES), np.float16)
    for name, (first, last, probability) in heard.items():
        events_TC[first : last + 1, event_names().index(name)] = probability
    features = VideoFeatures(
        spec_digest=spec.digest(),
        duration_seconds=document.video.duration_seconds,
        visual_TV=np.zeros((count, spec.visual_size), np.float16),
        audio_TA=np.zeros((count, spec.audio_size), np.float16),
        events_TC=events_TC,
        motion_T=np.zeros(count, np.float32),
        loudness_T=np.full(count, -20, np.float32),
        shot_boundaries_seconds=np.zeros(0),
    )
    FeatureStore(paths.features_dir()).put(document.video.sha256_head, spec, features)
    scores_cache.put(document)
    return document


def meant_sounds(query: str, **settings: Any) -> dict[str, float]:
    sound_C = meant_by(query, **settings).sound_C
    return {event_names()[i]: round(float(sound_C[i]), 2) for i in np.flatnonzero(sound_C)}


def test_words_are_compared_without_their_endings() -> None:
    assert stems("Dogs are BARKING in the parties") == {"dog", "bark", "party"}
    assert stems("clapping, clapped; claps") == {"clap"}
    assert stems("the of a") == frozenset()


def test_class_names_are_found_by_their_words() -> None:
    dog = meant_sounds("dog barking", synonyms=False)
    assert {"Dog", "Bark"} <= set(dog)
    assert "Cat" not in dog
    assert meant_by("basketball").picture_C[430] == 1.0
    golden = meant_by("golden retriever").picture_C
    assert picture_names()[int(golden.argmax())] == "golden retriever"
    # A dog is every kind of dog.
    assert meant_by("dog").picture_C[151:269].min() > 0.5


def test_synonyms_reach_names_that_share_no_word() -> None:
    assert meant_sounds("ovation", synonyms=False) == {}
    assert "Applause" in meant_sounds("ovation")
    assert "Speech" in meant_sounds("somebody talks")
    assert not meant_by("quaternion").is_known


def test_every_concept_has_a_name_and_classes() -> None:
    known = concepts()
    assert len(known) > NUM_CLASSES + 1000
    for one in known:
        assert one.name
        assert one.columns
        most = NUM_CLASSES if one.side == "sound" else 1000
        assert all(0 <= column < most for column in one.columns)


def test_spans_follow_relevance_and_stop_at_cuts() -> None:
    document = make_document(num_frames=1800)
    row = np.zeros(60, np.float32)
    row[10:13] = (0.5, 0.9, 0.6)  # 10 to 13 s
    row[30] = 0.4
    row[32] = 0.3  # a clip apart: one span
    row[50:56] = 0.8
    row[20] = 0.04  # too little
    spans = stretches(row, document, 9)
    assert [(start, end) for (start, end), _ in spans] == [(9.5, 13.5), (49.5, 56.5), (29.5, 33.5)]
    assert [peak for _, peak in spans] == [11, 50, 30]
    cut = replace(document, shot_boundaries_seconds=(9.8, 13.0))
    assert stretches(row, cut, 1)[0][0] == (9.8, 13.0)
    row[:] = 1.0
    long = stretches(row, document, 2)
    assert [end - start for (start, end), _ in long] == [20.0, 20.5]
    assert long[0][0][1] <= long[1][0][0]


def test_results_of_stored_videos_are_exported_like_moments(tmp_path: Path) -> None:
    first = make_video(tmp_path, name="a.mp4", num_frames=600)
    second = make_video(tmp_path, name="b.mp4", num_frames=450)
    stored(first, {"Dog": (5, 6, 0.5), "Speech": (10, 15, 1.0)})
    stored(second, {"Bark": (2, 2, 0.9)})
    table = tmp_path / "dogs.csv"
    result = run("dog barking", first, second, "-o", table, "-o", tmp_path / "dogs.otio", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    places = [(Path(one["path"]).name, one["start_seconds"], one["end_seconds"]) for one in found]
    assert places == [("b.mp4", 1.5, 3.5), ("a.mp4", 4.5, 7.5)]
    assert [one["reasons"] for one in found] == [["sounds like bark"], ["sounds like dog"]]
    assert found[0]["start_timecode"] == "00:00:01:15"
    assert found[0]["score"] > found[1]["score"]
    assert len(table.read_text().splitlines()) == 3
    timeline = otio.adapters.read_from_file(str(tmp_path / "dogs.otio"))
    names = [Path(clip.media_reference.target_url).name for clip in timeline.video_tracks()[0]]
    assert names == ["a.mp4", "b.mp4"]
    assert len(json.loads(run("dog barking", first, second, "--top", 1, "--json").stdout)) == 1
    shown = run("dog", first, second).stdout
    assert "sounds like dog" in shown
    assert "00:00:04:15" in shown


def test_what_is_heard_in_a_real_video_is_found(tmp_path: Path) -> None:
    """White noise for three seconds in a video of silence, scored on the way."""
    wave = np.zeros((1, 12 * 48000), np.float32)
    noise = np.random.default_rng(0).normal(size=3 * 48000)
    wave[0, 6 * 48000 : 9 * 48000] = 0.2 * noise
    video = make_video(tmp_path, num_frames=360, audio=(AudioTrack(wave),))
    (document,) = hlcli.find("white noise", video, widening="words")
    best = document.moments[0]
    assert 5.0 <= best.start_seconds < best.peak_seconds < best.end_seconds <= 10.0
    assert "noise" in best.reasons[0] or "static" in best.reasons[0]
    assert document.model.name == "find white noise"


def test_nothing_found_is_said(tmp_path: Path) -> None:
    video = make_video(tmp_path, num_frames=90)
    stored(video, {"Dog": (0, 2, 0.01)})
    result = run("dog", video)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing found for 'dog'" in result.stderr
    assert json.loads(run("dog", video, "--json").stdout) == []
    said = run("quaternion", video).stderr
    assert "no class of sound or picture is called 'quaternion'" in said or model_folder()


@pytest.mark.parametrize("query", ["", " ", "the", "?!"])
def test_a_query_without_words_is_refused(tmp_path: Path, query: str) -> None:
    result = run(query, make_video(tmp_path))
    assert result.exit_code == 2
    assert "nothing to look for" in result.stderr


def test_words_of_a_transcript_are_found(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="talk.mp4", num_frames=600)
    stored(video, {})
    (tmp_path / "talk.en.srt").write_text(
        "1\n00:00:02,000 --> 00:00:04,500\n<i>Welcome</i> to the\nfarm\n\n"
        "2\n00:00:12,000 --> 00:00:13,000\nThe quaternions are turning\n",
        encoding="utf-8",
    )
    (found,) = json.loads(run("quaternion", video, "--json").stdout)
    assert (found["start_seconds"], found["end_seconds"]) == (11.5, 13.5)
    assert found["reasons"] == ['"The quaternions are turning"']
    (tmp_path / "talk.en.srt").write_text("nothing")
    result = run("quaternion", video)
    assert result.exit_code == 0
    assert "it is not searched" in result.stderr


@pytest.mark.parametrize("name", ["a.srt", "A.en.SRT", "a.pt-br.vtt", "a.json"])
def test_transcripts_beside_a_video(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        json.dumps([{"result": [{"word": "moin", "start": 1.5, "end": 3.25, "conf": 1.0}]}])
        if name.endswith(".json")
        else "1\n00:00:01,500 --> 00:00:03,250\nmoin\n"
    )
    (tmp_path / "ab.srt").touch()
    path = transcript_beside(tmp_path / "a.mp4")
    assert path == tmp_path / name
    (caption,) = read_transcript(path)
    assert (caption.start_seconds, caption.end_seconds, caption.text) == (1.5, 3.25, "moin")


def test_scores_beside_a_video_are_no_transcript(tmp_path: Path) -> None:
    write_documents(tmp_path / "a.json", [make_document()])
    assert transcript_beside(tmp_path / "a.mp4") is None
    assert transcript_beside(tmp_path / "none" / "a.mp4") is None


def test_pictures_are_classified_as_the_network_does() -> None:
    spec = default_spec()
    rows_TV = np.random.default_rng(0).uniform(0, 3, (5, spec.visual_size)).astype(np.float16)
    ours = PictureClasses(weights_path(find_model(spec.visual_encoder))).probabilities(rows_TV)
    import torch

    encoder = load_encoders_of(spec, torch.device("cpu")).visual
    expected = encoder.class_probabilities(rows_TV)  # type: ignore[attr-defined]
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    np.testing.assert_allclose(ours.sum(axis=1), 1.0, atol=1e-5)
    assert (picture_names()[281], len(picture_names())) == ("tabby, tabby cat", 1000)


def test_meaning_without_the_extra_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.features.sentences.PACKAGE", "hl_has_no_such_package")
    video = make_video(tmp_path, num_frames=30)
    stored(video, {})
    with pytest.raises(UsageError, match="extra search") as caught:
        hlcli.find("dog", video, widening="meaning")
    assert caught.value.hint == 'pip install "hlcli[search]"'


@pytest.fixture
def sentences(one_thread: None) -> Sentences:
    if model_folder() is None:
        pytest.skip("the extra search is not installed")
    return Sentences()


def test_meaning_widens_words(sentences: Sentences) -> None:
    texts = ["people cheering at a football match", "crowd applause in a stadium", "a bowl of soup"]
    cheering, applause, soup = sentences.embed(texts)
    # As sentence-transformers gives them, and in any company.
    assert float(cheering @ applause) == pytest.approx(0.64, abs=0.01)
    assert float(cheering @ soup) < 0.15
    np.testing.assert_allclose(sentences.embed(texts[2:])[0], soup, atol=1e-5)
    names = ["Applause", "Frying (food)", "Siren"]

    def likeness(query: str, known: Any) -> Any:
        rows = np.full(len(known), -1.0, np.float32)
        places = [list(known).index(name) for name in names]
        rows[places] = sentences.embed(names) @ sentences.embed([query])[0]
        return rows

    assert "Applause" in meant_sounds("thunderous ovation", synonyms=False, likeness=likeness)


def said_in(path: Path, phrases: list[tuple[float, float, str]]) -> None:
    """Put into the cache what a recogniser understood of a video."""
    captions = [
        {"start_seconds": start, "end_seconds": end, "text": text} for start, end, text in phrases
    ]
    kept = paths.cache_dir() / "speech" / f"{content_identity(path)[:32]}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"model": "m", "captions": captions}))


def test_what_was_recognised_before_is_searched(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="talk.mp4", num_frames=300)
    stored(video, {})
    said_in(video, [(4.0, 6.0, "the budget was cut")])
    (document,) = hlcli.find("budgets", video)
    assert document.moments[0].reasons == ('"the budget was cut"',)
    # A transcript beside the video is better.
    (tmp_path / "talk.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nnothing of it\n")
    assert hlcli.find("budgets", video) == []


def test_a_damaged_memory_of_speech_is_no_speech(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="talk.mp4", num_frames=300)
    stored(video, {})
    said_in(video, [])
    kept = paths.cache_dir() / "speech" / f"{content_identity(video)[:32]}.json"
    for text in ("{", '{"model": "m", "captions": [1]}', "[]"):
        kept.write_text(text)
        assert hlcli.find("budget", video) == []


@pytest.mark.skipif(importlib.util.find_spec("vosk") is not None, reason="vosk is installed")
def test_listening_needs_its_extra(tmp_path: Path) -> None:
    done = run("budget", make_video(tmp_path), "--listen", tmp_path)
    assert done.exit_code == 2
    assert 'hint: pip install "hlcli[listen]"' in done.stderr


needs_vosk = pytest.mark.skipif(
    importlib.util.find_spec("vosk") is None, reason="the extra [listen] is not installed"
)


@needs_vosk
def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path, name="talk.mp4", num_frames=60)
    stored(video, {})
    done = run("budget", video, "--listen", tmp_path)
    assert done.exit_code == 2
    assert f"{tmp_path} is no model of vosk" in done.stderr
    (tmp_path / "final.mdl").write_bytes(b"no model")
    done = run("budget", video, "--listen", tmp_path)
    assert done.exit_code == 4
    assert "unpack it again" in done.stderr


@needs_vosk
@needs_espeak
@pytest.mark.skipif("HL_VOSK_MODEL" not in os.environ, reason="HL_VOSK_MODEL names no model")
def test_speech_is_recognised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = tmp_path / "said.wav"
    words = "the people of london and paris have seen the river this morning"
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", str(wave), words], check=True)
    video = tmp_path / "talk.mp4"
    picture = ["-f", "lavfi", "-i", "color=gray:s=64x64:r=25:d=8"]
    command = ["ffmpeg", "-v", "error", *picture, "-i", str(wave), "-t", "8", str(video)]
    subprocess.run(command, check=True)
    stored(video, {})
    (document,) = hlcli.find("london", video, listen=os.environ["HL_VOSK_MODEL"])
    assert "london" in document.moments[0].reasons[0]
    # Nobody listens again.
    monkeypatch.setattr("hlcli.workflows.listen.read_waveform", None)
    (again,) = hlcli.find("london", video, listen=os.environ["HL_VOSK_MODEL"])
    assert again.moments == document.moments
