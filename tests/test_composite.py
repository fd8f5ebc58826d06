"""Composites: what is in them, whose clips they use, and what is measured on them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hlcli.errors import UsageError
from hlcli.evaluation.composite import (
    compose_features,
    evaluate_feature_composites,
    plan_part,
    read_manifest,
)
from hlcli.evaluation.composite_plan import (
    ACTION_LABELS,
    CALM_LABELS,
    FRAME_RATE,
    HEADLINE_KINDS,
    KINDS,
    CompositePlan,
    CompositeSegment,
)
from hlcli.evaluation.report import Report, Row
from hlcli.features.types import VideoFeatures
from hlcli.model.scorer import ClipScores, Modality
from hlcli.training.split import assign_splits

LABELS = sorted(CALM_LABELS | ACTION_LABELS)


def manifest() -> list[dict[str, object]]:
    """Make a manifest like the real one: 7 labels of 20 groups, and 10 unlabelled sources."""
    rows: list[dict[str, object]] = [
        {
            "file": f"{label}-{group:02d}-{take}.mp4",
            "source": "ucf",
            "label": label,
            "group": f"g{group:02d}",
            "duration_seconds": 5.0 + (group + take) % 4,
        }
        for label in LABELS
        for group in range(20)
        for take in range(2)
    ]
    rows += [
        {
            "file": f"web{site}-{i}.mp4",
            "source": f"web{site}",
            "label": None,
            "group": None,
            "duration_seconds": 9.0,
        }
        for site in range(10)
        for i in range(3)
    ]
    return rows


def clip_features(rows: list[dict[str, object]]) -> dict[int, VideoFeatures]:
    """Give every label a direction of its own, with noise; action moves and is loud."""
    random = np.random.default_rng(0)
    found = {}
    for index, row in enumerate(rows):
        num_clips = int(np.ceil(float(str(row["duration_seconds"]))))
        label = row["label"]
        column = LABELS.index(str(label)) if label else 7
        visual = random.normal(0, 0.1, (num_clips, 8)).astype(np.float32)
        visual[:, column] += 1
        active = label in ACTION_LABELS
        found[index] = VideoFeatures(
            spec_digest="x",
            duration_seconds=float(str(row["duration_seconds"])),
            visual_TV=visual,
            audio_TA=visual.copy(),
            events_TC=None,
            motion_T=np.full(num_clips, 0.5 if active else 0.1, np.float32),
            loudness_T=np.full(num_clips, -10.0 if active else -40.0, np.float32),
            shot_boundaries_seconds=np.array([]),
        )
    return found


class ByDirection:
    """Scores a clip by one entry of its picture feature."""

    spec_digest = "x"

    def __init__(self, columns: list[int]) -> None:
        self.columns = columns

    def score(self, features: VideoFeatures, *, modality: Modality = "va") -> ClipScores:
        raw = features.visual_TV[:, self.columns].max(axis=1)
        return ClipScores(raw_T=raw, score_T=np.clip(raw, 0, 1), picture_T=None, sound_T=None)


def plans(split: str = "test", seed: int = 0) -> list[CompositePlan]:
    return plan_part(manifest(), split=split, videos_per_kind=12, seed=seed)


def test_groups_never_cross_the_parts_and_composites_use_one_part_only() -> None:
    rows = manifest()
    parts = assign_splits(rows)
    by_group: dict[tuple[str, str, str], set[str]] = {}
    for row, part in zip(rows, parts, strict=True):
        key = (str(row["source"]), str(row["label"]), str(row["group"]))
        if row["label"] is not None:
            by_group.setdefault(key, set()).add(part)
    assert all(len(found) == 1 for found in by_group.values())
    for split in ("train", "dev", "test"):
        used = {segment.clip for plan in plans(split) for segment in plan.segments}
        assert {parts[clip] for clip in used} == {split}


def test_same_seed_same_plans_other_seed_other_plans() -> None:
    assert plans() == plans()
    assert plans(seed=1) != plans()


def test_lengths_and_shares() -> None:
    for plan in plans():
        seconds = plan.num_frames / FRAME_RATE
        assert 58 <= seconds <= 152, plan.name
        highlight = sum(float(end - start) for start, end in plan.highlight_spans()) / seconds
        share = int(plan.kind.split("-")[1]) / 100 if "-" in plan.kind else 0.2
        share = 0.15 if plan.kind == "block" else share
        assert highlight == pytest.approx(share, abs=0.03), plan.name
        for segment in plan.segments:
            assert 1 <= segment.num_frames / FRAME_RATE <= 10


def test_each_kind_is_what_its_name_says() -> None:
    rows = manifest()
    for plan in plans():
        inside = {rows[s.clip]["label"] for s in plan.segments if s.highlight}
        outside = [rows[s.clip] for s in plan.segments if not s.highlight]
        around = {row["label"] for row in outside}
        if plan.kind.startswith("action"):
            assert len(inside) == 1
            assert inside <= ACTION_LABELS
            assert around <= CALM_LABELS
        elif plan.kind == "foreign":
            assert len(inside) == 1
            assert {str(row["source"])[:3] for row in outside} == {"web"}
        elif plan.kind == "block":
            assert len(around) == 2
            assert None not in around
            # One stretch, of the label that fills less of the video.
            labels = [None if s.highlight else rows[s.clip]["label"] for s in plan.segments]
            block = min(around, key=labels.count)
            first = labels.index(block)
            assert labels[first : first + labels.count(block)] == [block] * labels.count(block)
            for segment in plan.segments:
                if segment.highlight:
                    assert str(rows[segment.clip]["source"])[:3] == "web"
                    assert segment.num_frames <= 6 * FRAME_RATE
        else:
            assert len(inside) == 1
            assert len(around - {None}) == 1
            assert not inside & around
            assert (None in around) == (plan.kind == "distractors")


def test_no_clip_comes_twice_where_there_is_enough_material() -> None:
    assert {plan.num_repeats for plan in plans("train")} == {0}


def test_rare_uses_many_pairs_of_labels() -> None:
    rows = manifest()
    pairs = {
        tuple(sorted({(str(rows[s.clip]["label"]), s.highlight) for s in plan.segments}))
        for plan in plans()
        if plan.kind == "rare"
    }
    assert len(pairs) == 12


def test_labels_need_half_of_the_clip() -> None:
    def plan(*pieces: tuple[int, bool]) -> CompositePlan:
        return CompositePlan(
            name="x",
            kind="rare",
            segments=tuple(
                CompositeSegment(clip=0, start_frame=0, num_frames=frames, highlight=highlight)
                for frames, highlight in pieces
            ),
        )

    one = plan((12, False), (26, True), (37, False))
    assert one.highlight_spans() == [(Fraction(12, 25), Fraction(38, 25))]
    # 13 of 25 frames, then 13 of 25, then none.
    assert list(one.positive_T(3)) == [True, True, False]
    assert list(plan((13, False), (24, True), (38, False)).positive_T(3)) == [False, False, False]
    # A partial last clip: half of what there is of it.
    assert list(plan((30, False), (5, True)).positive_T(2)) == [False, True]
    assert list(plan((31, False), (4, True)).positive_T(2)) == [False, False]


def test_joined_features_keep_rows_and_labels_together() -> None:
    rows = manifest()
    features_of = clip_features(rows)
    for plan in plans()[:30]:
        joined, positive_T = compose_features(plan, features_of)
        assert joined.num_clips == len(positive_T) == joined.duration_seconds
        assert abs(joined.num_clips - plan.num_frames / FRAME_RATE) < len(plan.segments)
        direction = joined.visual_TV.argmax(axis=1)
        expected = {
            flag: {
                LABELS.index(str(rows[s.clip]["label"])) if rows[s.clip]["label"] else 7
                for s in plan.segments
                if s.highlight == flag
            }
            for flag in (True, False)
        }
        assert set(direction[positive_T]) == expected[True]
        assert set(direction[~positive_T]) == expected[False]
        assert len(joined.shot_boundaries_seconds) == len(plan.segments) - 1


def test_measured_rows_tell_good_from_bad() -> None:
    rows = manifest()
    calm = [LABELS.index(label) for label in sorted(CALM_LABELS)]
    action = [LABELS.index(label) for label in sorted(ACTION_LABELS)]
    found = evaluate_feature_composites(
        {"finds-action": ByDirection(action), "finds-calm": ByDirection(calm)},
        rows,
        clip_features(rows),
        split="test",
        kinds=("rare", "action"),
        videos_per_kind=10,
    )
    report = Report(
        dataset="composite", protocol="", rows=tuple(found), headline_kinds=HEADLINE_KINDS
    )
    mean = {(row.name, row.looks): report.of_kind(row, "action").mean for row in found}
    assert mean["oracle", "labels"] == 1.0
    assert mean["finds-action", "v"] > 0.99
    assert mean["finds-calm", "v"] < 0.2
    assert mean["motion", "v"] > 0.99
    assert mean["loudness", "a"] > 0.99
    assert 0.2 < mean["random", "none"] < 0.33
    headline = {row.name: report.headline(row) for row in found}
    assert headline["random"].n == 20
    assert headline["deviation-from-mean"].mean == pytest.approx(
        np.mean(
            [
                report.of_kind(row, kind).mean
                for kind in ("rare", "action")
                for row in found
                if row.name == "deviation-from-mean"
            ]
        )
    )
    # Bit for bit the same a second time.
    again = evaluate_feature_composites(
        {"finds-action": ByDirection(action), "finds-calm": ByDirection(calm)},
        rows,
        clip_features(rows),
        split="test",
        kinds=("rare", "action"),
        videos_per_kind=10,
    )
    assert again == found


def test_json_and_verdicts() -> None:
    kinds = ("rare",) * 10 + ("action",) * 10 + ("action-50",) * 10
    steps = np.linspace(0, 0.1, 30)
    rows = (
        Row(name="ours", looks="v", is_baseline=False, kinds=kinds, values=tuple(0.8 + steps)),
        Row(name="ours", looks="va", is_baseline=False, kinds=kinds, values=tuple(0.6 + steps)),
        Row(name="motion", looks="v", is_baseline=True, kinds=kinds, values=tuple(0.7 + steps)),
        Row(name="loudness", looks="a", is_baseline=True, kinds=kinds, values=tuple(0.9 + steps)),
        Row(name="oracle", looks="labels", is_baseline=True, kinds=kinds, values=(1.0,) * 30),
    )
    report = Report(dataset="composite", protocol="p", rows=rows, headline_kinds=("rare", "action"))
    json_report = json.loads(json.dumps(report.to_json()))
    assert json_report["dataset"] == "composite"
    assert json_report["headline_kinds"] == ["rare", "action"]
    first = json_report["rows"][0]
    assert (first["name"], first["modality"], first["n"]) == ("ours", "v", 20)
    assert first["map"] == pytest.approx(0.8 + steps[:20].mean(), abs=1e-4)
    assert first["ci95"][0] < first["map"] < first["ci95"][1]
    assert set(first["kinds"]) == {"rare", "action", "action-50"}
    assert [
        (one["name"], one["modality"], one["best_trivial"], one["wins"])
        for one in json_report["comparisons"]
    ] == [("ours", "v", "motion", "detector"), ("ours", "va", "loudness", "baseline")]


def test_bad_manifests_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*manifest\.json"):
        read_manifest(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(UsageError, match="not JSON"):
        read_manifest(tmp_path)
    path.write_text('[{"file": "a.mp4"}]', encoding="utf-8")
    with pytest.raises(UsageError, match="not a list of objects"):
        read_manifest(tmp_path)
    path.write_text(json.dumps(manifest()), encoding="utf-8")
    assert len(read_manifest(tmp_path)) == len(manifest())


def test_material_that_cannot_make_a_kind_is_refused() -> None:
    rows = [row for row in manifest() if row["source"] == "ucf"]
    with pytest.raises(UsageError, match="'foreign'"):
        plan_part(rows, split="test", kinds=("foreign",), videos_per_kind=2, seed=0)
    with pytest.raises(UsageError, match="unknown kind"):
        plan_part(rows, split="test", kinds=("odd",), videos_per_kind=2, seed=0)
    with pytest.raises(UsageError, match="no clip is in the part"):
        plan_part(rows, split="validation", kinds=KINDS, videos_per_kind=2, seed=0)
