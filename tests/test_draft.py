"""A draft looks at keyframes alone, and is never taken for the full result."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from media_factory import AudioTrack, click_track, make_video, moving_square

from hlcli.document import ScoresDocument
from hlcli.errors import MediaError
from hlcli.features.extract import extract_features
from hlcli.media.clips import ClipGrid
from hlcli.media.frames import read_pictures
from hlcli.media.probe import probe
from hlcli.moments import Selection
from hlcli.progress import Listener
from hlcli.timeline.build import build_edit_list
from hlcli.timeline.formats.table import table_text
from hlcli.workflows.export import choose_moments, stored_documents
from hlcli.workflows.score import Pipeline, score

STEADY = (("x264-params", "scenecut=0"),)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds with a keyframe every four, and sound."""
    return make_video(
        tmp_path_factory.mktemp("draft"),
        rate=Fraction(10),
        num_frames=120,
        gop=40,
        options=STEADY,
        paint=moving_square,
        audio=(AudioTrack(click_track(12, (2.0, 9.0))),),
    )


def test_a_draft_takes_the_nearest_keyframe_for_each_clip(sparse: Path) -> None:
    info = probe(sparse)
    grid = ClipGrid.covering(info.duration_seconds)
    with read_pictures(info, grid, picture_size=32, num_workers=2, draft=True) as reader:
        reader.start()
        found = {picture.clip: picture.pts_seconds for picture in reader}
    assert reader.plan.is_draft
    assert reader.plan.keyframes_only
    assert [found[clip] for clip in range(12)] == [0.0] * 2 + [4.0] * 4 + [8.0] * 6
    assert reader.signals.damage is None


def test_where_keyframes_are_near_enough_a_draft_is_the_full_result(tmp_path: Path) -> None:
    path = make_video(tmp_path, rate=Fraction(10), num_frames=40, gop=10, options=STEADY)
    [draft] = score(path, draft=True, use_cache=False)
    [full] = score(path, use_cache=False)
    assert not draft.draft
    assert draft == full


def test_pictures_begun_before_the_networks_are_loaded_give_the_same_bits(sparse: Path) -> None:
    encoders = Pipeline().encoders
    info = probe(sparse)
    size = encoders.visual.picture_size
    grid = ClipGrid.covering(info.duration_seconds)
    begun = read_pictures(info, grid, picture_size=size, num_workers=2)
    begun.start()
    ahead = extract_features(info, encoders=encoders, pictures=begun)
    plain = extract_features(info, encoders=encoders)
    assert ahead.visual_TV.tobytes() == plain.visual_TV.tobytes()
    assert ahead.motion_T.tobytes() == plain.motion_T.tobytes()
    assert ahead.speech_S2 is not None
    assert plain.speech_S2 is not None
    assert ahead.speech_S2.tobytes() == plain.speech_S2.tobytes()


def test_a_draft_is_stored_apart_and_the_full_result_comes_first(sparse: Path) -> None:
    draft = Pipeline(draft=True).score(sparse)
    assert draft.draft
    assert Pipeline(draft=True).score(sparse).to_json() == draft.to_json()  # stored
    with pytest.raises(MediaError, match="there is a draft of it only"):
        stored_documents([str(sparse)], on=Listener())
    full = Pipeline().score(sparse)
    assert not full.draft
    assert full.sound_scores == draft.sound_scores
    assert full.scores != draft.scores
    assert Pipeline(draft=True).score(sparse).to_json() == full.to_json()


def test_a_draft_says_so_in_every_document_table_and_timeline(sparse: Path) -> None:
    [document] = score(sparse, Selection(top=1), draft=True)
    value = json.loads(document.to_text())
    assert value["draft"] is True
    assert ScoresDocument.from_json(value).to_text() == document.to_text()
    edit = build_edit_list([document], name="cut")
    assert edit.name == "cut (draft)"
    assert edit.events[0].markers[0].comment.startswith("draft score ")
    assert table_text([document]).splitlines()[1].split(",", 9)[9].strip('"').startswith("draft: ")
    full = choose_moments(Pipeline().score(sparse), Selection(top=1), Listener())
    assert "draft" not in full.to_json()
    assert build_edit_list([full], name="cut").name == "cut"
