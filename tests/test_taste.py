"""The taste head: learned from marks, opposite tastes alike, stored with the model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from synthetic_features import SPEC, World
from test_subspace import make_scorer

from hlcli.errors import CheckpointError, TrainingError
from hlcli.evaluation.metrics import average_precision
from hlcli.model.checkpoint import Checkpoint
from hlcli.model.load import load_scorer, save_scorer
from hlcli.model.taste import TasteHead, smoothed, unit_rows
from hlcli.tuning.compare import Comparison, comparisons, notes_of
from hlcli.tuning.fit_taste import MarkedVideo, fit_taste

TYPES = [0] * 5 + [1] * 5 + [2] * 5 + [3] * 5 + [0] * 5 + [1] * 5


def video(seed: int, *, with_sound: bool = True) -> tuple[np.ndarray, object]:
    types = np.random.default_rng(seed).permutation(6)
    order = [t for block in types for t in TYPES[5 * block : 5 * block + 5]]
    return np.array(order), World().video(order, seed=seed, with_sound=with_sound)


def marked(keep: int, seeds: range, *, with_sound: bool = True) -> list[MarkedVideo]:
    made = []
    for seed in seeds:
        types, features = video(seed, with_sound=with_sound)
        marks = (types == keep).astype(np.int8)
        made.append(MarkedVideo(name=f"{seed}.mp4", features=features, marks_T=marks))
    return made


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("modality", ["v", "a", "va"])
def test_opposite_tastes_on_the_same_footage_are_both_learned(keep: int, modality) -> None:
    scorer = make_scorer()
    tuned = scorer.with_taste(fit_taste(scorer, marked(keep, range(2))))
    before, after = [], []
    for seed in range(100, 106):
        types, features = video(seed)
        for found, one in ((before, scorer), (after, tuned)):
            raw = one.raw_scores(features, (modality,))[modality]
            found.append(average_precision(types == keep, raw, seed=0))
    assert np.mean(before) < 0.6
    assert np.mean(after) > 0.95
    assert scorer.taste is None


def test_score_is_the_parents_plus_the_smoothed_preference() -> None:
    scorer = make_scorer()
    head = fit_taste(scorer, marked(1, range(2)))
    _, features = video(7)
    weight = head.visual.weight_V["v"].astype(np.float64)
    liked = (unit_rows(features.visual_TV).astype(np.float64) - head.visual.centre_V) @ weight
    expected = scorer.raw_scores(features, ("v",))["v"] + smoothed(liked)
    raw = scorer.with_taste(head).raw_scores(features, ("v",))["v"]
    np.testing.assert_allclose(raw, expected, atol=1e-5)


def test_smoothing_keeps_constants_and_spreads_a_peak() -> None:
    assert smoothed(np.full(4, 3.0)).tolist() == [3.0] * 4
    assert (16 * smoothed(np.array([0.0, 0, 0, 1, 0, 0, 0]))).tolist() == [0, 1, 4, 6, 4, 1, 0]
    assert smoothed(np.array([2.0])).tolist() == [2.0]


def test_same_marks_give_the_same_taste() -> None:
    scorer = make_scorer()
    first, second = (fit_taste(scorer, marked(2, range(2))).tensors() for _ in range(2))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_clips_nobody_spoke_of_do_not_count() -> None:
    scorer = make_scorer()
    part = marked(1, range(2))
    unknown = [
        dataclasses.replace(one, marks_T=np.where(np.arange(30) < 20, one.marks_T, -1))
        for one in part
    ]
    shorter = [dataclasses.replace(one, marks_T=one.marks_T.copy()) for one in unknown]
    for one in shorter:
        one.marks_T[20:] = -1
    first, second = fit_taste(scorer, unknown), fit_taste(scorer, shorter)
    np.testing.assert_array_equal(first.visual.weight_V["v"], second.visual.weight_V["v"])
    assert not np.array_equal(
        first.visual.weight_V["v"], fit_taste(scorer, part).visual.weight_V["v"]
    )


def test_silent_footage_teaches_the_picture() -> None:
    scorer = make_scorer()
    head = fit_taste(scorer, marked(0, range(2), with_sound=False))
    assert head.audio is None
    np.testing.assert_array_equal(head.visual.weight_V["v"], head.visual.weight_V["va"])
    _, features = video(9)
    tuned = scorer.with_taste(head)
    np.testing.assert_array_equal(
        tuned.raw_scores(features, ("a",))["a"], scorer.raw_scores(features, ("a",))["a"]
    )
    assert np.isfinite(tuned.score(features).score_T).all()


def test_one_sided_marks_are_refused() -> None:
    videos = [dataclasses.replace(one, marks_T=np.ones(30, np.int8)) for one in marked(0, range(2))]
    with pytest.raises(TrainingError, match="both kept and passed-over"):
        fit_taste(make_scorer(), videos)


def test_model_file_keeps_the_taste(tmp_path: Path) -> None:
    scorer = make_scorer()
    tuned = scorer.with_taste(fit_taste(scorer, marked(1, range(2))))
    path = tmp_path / "model.safetensors"
    save_scorer(tuned, path, feature_spec=SPEC, recipe={})
    loaded = load_scorer(path, kind="subspace", feature_spec=SPEC)
    _, features = video(5)
    for modality in ("v", "a", "va"):
        np.testing.assert_array_equal(
            tuned.score(features, modality=modality).score_T,
            loaded.score(features, modality=modality).score_T,
        )
    # Other weights keep the taste.
    assert loaded.with_fusion(loaded.fusion).taste is loaded.taste


@pytest.mark.parametrize("damage", ["missing", "shape", "nan", "extra"])
def test_damaged_taste_is_refused(tmp_path: Path, damage: str) -> None:
    scorer = make_scorer()
    path = tmp_path / "model.safetensors"
    tuned = scorer.with_taste(fit_taste(scorer, marked(1, range(2))))
    save_scorer(tuned, path, feature_spec=SPEC, recipe={})
    checkpoint = Checkpoint.read(path)
    name = "taste.visual.weight_v"
    tensors = dict(checkpoint.tensors)
    if damage == "missing":
        del tensors[name]
    elif damage == "shape":
        tensors[name] = tensors[name][:-1]
    elif damage == "nan":
        tensors[name] = np.full_like(tensors[name], np.nan)
    else:
        tensors["taste.smell"] = tensors[name]
    dataclasses.replace(checkpoint, tensors=tensors).write(path)
    with pytest.raises(CheckpointError, match="the taste in the model is damaged"):
        load_scorer(path)


def test_a_model_without_taste_reads_none() -> None:
    assert TasteHead.from_tensors({"visual.mean": np.zeros(3)}, visual_size=3, audio_size=2) is None


def short(kind: int, seed: int, *, kept: bool, camera: str = "", tint: float = 0.0) -> MarkedVideo:
    """A file of one shot that was used whole or not at all."""
    features = World().video(np.full(6, kind), seed=seed)
    if tint:
        rows = features.visual_TV.astype(np.float32)
        rows[:, : rows.shape[1] // 4] += tint
        features = dataclasses.replace(features, visual_TV=rows)
    marks = np.full(6, int(kept), np.int8)
    return MarkedVideo(name=f"{seed}.mp4", features=features, marks_T=marks, camera=camera)


def test_files_used_whole_or_not_at_all_teach() -> None:
    scorer = make_scorer()
    files = [short(kind, 10 * kind + n, kept=kind == 2) for kind in range(4) for n in range(3)]
    tuned = scorer.with_taste(fit_taste(scorer, files))
    found = []
    for seed in range(100, 104):
        types, features = video(seed)
        raw = tuned.raw_scores(features, ("v",))["v"]
        found.append(average_precision(types == 2, raw, seed=0))
    assert np.mean(found) > 0.95


def test_what_a_second_camera_recorded_is_compared_among_itself() -> None:
    """Nearly all that was kept is of one camera: its look must not become the taste."""
    scorer = make_scorer()

    def card(cameras: tuple[str, str]) -> list[MarkedVideo]:
        own, other = cameras
        return [
            *(short(2, n, kept=True, camera=own, tint=3.0) for n in range(4)),
            short(1, 20, kept=False, camera=own, tint=3.0),
            short(2, 30, kept=True, camera=other),
            *(short(k, 40 + 10 * k + n, kept=False, camera=other) for k in (1, 3) for n in (0, 1)),
        ]

    def lead_of_look(files: list[MarkedVideo]) -> float:
        head = fit_taste(scorer, files)
        plain = short(1, 70, kept=False).features
        tinted = short(1, 70, kept=False, tint=3.0).features
        return float(np.mean(head.preferences(tinted, "v")) - np.mean(head.preferences(plain, "v")))

    assert lead_of_look(card(("", ""))) > 2 * abs(lead_of_look(card(("GoPro", "phone"))))


def test_what_is_compared() -> None:
    def marked_so(*verdicts: int, camera: str = "") -> MarkedVideo:
        return MarkedVideo(
            name="",
            features=None,
            marks_T=np.array(verdicts, np.int8),
            camera=camera,  # type: ignore[arg-type]
        )

    kept, passed, both = marked_so(1, -1), marked_so(0, 0), marked_so(1, 0)
    other = [marked_so(1, camera="b"), marked_so(0, camera="c")]
    assert comparisons([kept, marked_so(-1), passed]) == [Comparison((0,), (2,))]
    assert comparisons([both, passed, kept]) == [
        Comparison((0,), (0,)),
        Comparison((0, 2), (1,)),
    ]
    assert comparisons([kept, passed, *other]) == [Comparison((0,), (1,))]
    assert comparisons([kept, kept]) == comparisons([passed]) == []
    assert comparisons(other) == [Comparison((0,), (1,))]
    assert "different cameras (b, c)" in notes_of(other)[0]
    assert "2 files have nothing of the same camera" in notes_of([kept, passed, *other])[1]
    assert notes_of([both]) == []
    trimmed = Comparison((0,), (1,)).marks([both, passed], 0)
    assert trimmed.tolist() == [1, -1]
