"""`hl finetune` from end to end: real models and files, features made up and stored."""

from __future__ import annotations

import dataclasses
import errno
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import media_factory
import numpy as np
import pytest
from cli_runner import hl
from finetune_factory import make_take, raw_file, store_features, types_of, write_cut
from synthetic_features import World
from test_subspace import make_scorer

from hlcli.paths import own_models_dir
from hlcli.tuning import held_out as held_out_module
from hlcli.tuning.fit_taste import MarkedVideo, fit_taste
from hlcli.tuning.held_out import tied_average_precision
from hlcli.tuning.plan import FinetuneSettings, make_plan
from hlcli.tuning.run import run_plan
from hlcli.zoo.manifest import default_model_name, find_model
from hlcli.zoo.own import read_card
from hlcli.zoo.reservation import reserve

Result = Any


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for number in range(3):
        make_take(tmp_path / "raw", number)
    return tmp_path / "raw"


def cut_of(raw: Path, kind: int, path: Path) -> Path:
    """A cut that keeps whatever is of one kind, in every take."""
    events = []
    for number in range(3):
        types = types_of(number)
        for start in range(0, 40, 5):
            if types[start] == kind:
                events.append((str(raw / f"take{number}.mp4"), start, start + 5))
    assert len(events) >= 3
    return write_cut(path, events)


def precision(model: str, path: Path, kind: int) -> float:
    result = hl("score", path, "--model", model, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    scores = np.array(json.loads(result.stdout)["scores"])
    return tied_average_precision(np.array(types_of(7)) == kind, scores)


def test_opposite_cuts_of_one_footage_give_opposite_models(tmp_path: Path, raw: Path) -> None:
    unseen = make_take(tmp_path / "new", 7)
    for name, kind in (("first", 0), ("second", 3)):
        cut = cut_of(raw, kind, tmp_path / f"{name}.otio")
        result = hl("finetune", raw, "--name", name, "--from-cut", cut)
        assert result.exit_code == 0, result.output
        assert result.stdout.strip() == str(own_models_dir() / name)
        assert f"next: hl score VIDEO --model {name}" in result.stderr
        assert "spans kept" in result.stderr
    assert precision("first", unseen, 0) == 1.0
    assert precision("second", unseen, 3) == 1.0
    assert precision("first", unseen, 3) < 0.5
    assert precision("second", unseen, 0) < 0.5
    listed = hl("models", "list")
    assert "first" in listed.stdout
    assert "own, from rarity" in listed.stdout
    assert default_model_name() == "rarity"
    card = read_card("first")
    assert [one.file for one in card.footage] == ["take0.mp4", "take1.mp4", "take2.mp4"]
    assert card.footage[0].sha256_head == raw_file(raw / "take0.mp4").identity
    (lesson,) = card.lessons
    assert (lesson.way, lesson.file, lesson.num_unmatched) == ("cut", "first.otio", 0)
    assert card.parent is not None
    assert card.parent.sha256 == find_model("rarity").sha256
    (figure,) = card.figures
    assert figure.held_out
    assert figure.after > (figure.before or 1) + 0.2


def test_from_score_to_export_to_a_model_of_that_cut(tmp_path: Path, raw: Path) -> None:
    cut = tmp_path / "film.otio"
    assert hl("score", raw, "-o", cut, "--target-duration", "30s", "-q").exit_code == 0
    result = hl("finetune", raw, "--name", "mine", "--from-cut", cut, "--json", "--quiet")
    assert result.exit_code == 0, result.output
    reported = json.loads(result.stdout)
    assert reported["name"] == "mine"
    assert reported["card"]["lessons"][0]["num_kept"] > 0
    assert reported["sha256"] == find_model("mine").sha256
    assert find_model("mine").scores == {
        "held_out_average_precision": reported["card"]["figures"][0]["after"]
    }


def labels(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(("file,start,end,label", *rows)))
    return path


MARKS = (
    "take0.mp4,0,5,keep",
    "take0.mp4,5,10,drop",
    "take0.mp4,20,25,drop",
    "take1.mp4,20,25,keep",
    "take1.mp4,0,10,drop",
)


def test_the_same_marks_give_the_same_model(tmp_path: Path, raw: Path) -> None:
    marks = labels(tmp_path / "marks.csv", *MARKS)
    for name in ("one", "two"):
        assert hl("finetune", raw, "--name", name, "--labels", marks).exit_code == 0
    assert find_model("one").sha256 == find_model("two").sha256


def test_a_model_that_is_not_better_says_so_and_is_not_recommended(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = held_out_module.fit_taste

    def contrary(scorer: Any, videos: Any) -> Any:
        return real(
            scorer,
            [
                dataclasses.replace(v, marks_T=np.where(v.marks_T < 0, -1, 1 - v.marks_T))
                for v in videos
            ],
        )

    monkeypatch.setattr(held_out_module, "fit_taste", contrary)
    cut = cut_of(raw, 0, tmp_path / "cut.otio")
    result = hl("finetune", raw, "--name", "worse", "--from-cut", cut, "--json")
    assert result.exit_code == 0
    assert "it is not better than its parent rarity" in result.stderr
    assert "hl models default" not in result.stderr
    assert json.loads(result.stdout)["recommended"] is False
    assert default_model_name() == "rarity"
    assert find_model("worse").parent == "rarity"


def test_a_cut_of_whole_short_clips_teaches(tmp_path: Path) -> None:
    """A card of clips of five seconds, each used whole or not at all."""
    card = tmp_path / "card"
    card.mkdir()
    events = []
    for number in range(12):
        path = media_factory.make_video(
            card, name=f"clip{number:02d}.mp4", rate=Fraction(5), num_frames=25, width=48,
            height=32, first_number=100 * number, b_frames=0,
        )  # fmt: skip
        kind = number % 3
        store_features(path, [kind] * 5, seed=number)
        if kind == 1:
            events.append((str(path), 0, 5))
    cut = write_cut(tmp_path / "cut.otio", events, length=5.0)
    result = hl("finetune", card, "--name", "card", "--from-cut", cut, "--json")
    assert result.exit_code == 0, result.output
    assert "8 files shorter than 30 seconds" in result.stderr
    assert "12 files are compared with each other" in result.stderr
    reported = json.loads(result.stdout)
    (figure,) = reported["card"]["figures"]
    assert figure["num_files"] == 12
    assert figure["after"] > 0.95 > figure["before"]
    assert reported["recommended"] is True
    unseen = make_take(tmp_path / "new", 7)
    assert precision("card", unseen, 1) == 1.0


def test_one_file_is_checked_on_stretches_of_itself(tmp_path: Path) -> None:
    take = make_take(tmp_path, 0)
    types = types_of(0)
    rows = [
        f"take0.mp4,{start},{start + 5},{'keep' if types[start] == 0 else 'drop'}"
        for start in range(0, 40, 5)
    ]
    marks = labels(tmp_path / "marks.csv", *rows)
    result = hl("finetune", take, "--name", "one", "--labels", marks, "--json")
    assert result.exit_code == 0, result.output
    card = json.loads(result.stdout)["card"]
    assert card["figures"][0]["num_files"] == 1
    assert any("within one file" in text for text in card["warnings"])


def test_one_span_teaches_but_cannot_be_checked(tmp_path: Path, raw: Path) -> None:
    marks = labels(tmp_path / "marks.csv", "take0.mp4,5,10,keep")
    result = hl("finetune", raw, "--name", "one", "--labels", marks, "--json")
    assert result.exit_code == 0, result.output
    reported = json.loads(result.stdout)
    assert reported["card"]["figures"] == []
    assert reported["recommended"] is False
    assert (
        "Too few spans to hold some out: it is not known whether it is better."
        in (reported["card"]["warnings"])
    )


def test_stretches_of_one_file_share_no_clip_and_keep_a_distance() -> None:
    marks = np.array([0] * 6 + [1] * 4 + [0] * 6 + [1] * 2 + [-1] * 2 + [0] * 5, np.int8)
    found = list(held_out_module._stretches(marks))
    assert len(found) == 2
    for learned, asked in found:
        assert {0, 1} <= set(asked[asked >= 0])
        near = np.convolve(asked >= 0, np.ones(5), "same") > 0
        assert not (near & (learned >= 0)).any()
    assert sum((asked >= 0).sum() for _, asked in found) == (marks >= 0).sum()
    assert list(held_out_module._stretches(np.array([0, 1, 1, 0], np.int8))) == []


def test_files_are_held_out_whole_and_once() -> None:
    marks = np.array([0, 1, 0], np.int8)
    nobody = np.full(3, -1, np.int8)
    videos = [
        MarkedVideo(name=str(n), features=None, marks_T=marks if n != 3 else nobody)  # type: ignore[arg-type]
        for n in range(8)
    ]
    asked_of = []
    for train, asked in held_out_module._folds(videos):
        asked_of += [index for ((index, _),) in asked]
        for ((index, _),) in asked:
            assert (train[index].marks_T == -1).all()
    assert sorted(asked_of) == [0, 1, 2, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--name", "rasl"), 2, "there is a model called 'rasl' already"),
        (("--name", "My Model"), 2, "cannot be the name"),
        (("--name", "x", "--steps", "0"), 2, "--steps is at least 1"),
        (("--name", "x", "--seed", "-1"), 2, "--seed is at least 0"),
        (("--name", "x", "--no-adapt"), 2, "leaves nothing to learn from"),
        (("--name", "x", "--parent", "nobody"), 4, "there is no model 'nobody'"),
        (("--name", "x", "--parent", "yamnet"), 4, "is an encoder"),
        (("--name", "x", "--parent", "subspace"), 7, "cannot learn from footage alone"),
        (("--name", "x", "--device", "cuda:9"), 5, ""),
        (("--name", "x", "--labels", "gone.csv"), 2, "no such file of marks"),
        (("--name", "x", "--from-cut", "gone.otio"), 3, "no such timeline"),
        (("--name", "x", "--search", "gone"), 3, "no folder gone"),
    ],
)
def test_wrong_command_lines(raw: Path, options: tuple[str, ...], code: int, words: str) -> None:
    result = hl("finetune", raw, *options)
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert not (own_models_dir() / "x").exists()


def test_three_seconds_teach_nothing(tmp_path: Path) -> None:
    take = make_take(tmp_path, 0, seconds=5)
    result = hl("finetune", take, "--name", "x")
    assert result.exit_code == 7
    assert "the footage is 5.0 seconds long: too little to learn from" in result.stderr


def test_a_cut_of_other_footage(tmp_path: Path, raw: Path) -> None:
    cut = write_cut(tmp_path / "cut.otio", [("/gone/other.mp4", 0, 4), ("/gone/b.mp4", 0, 1)])
    result = hl("finetune", raw, "--name", "x", "--from-cut", cut)
    assert result.exit_code == 7
    assert "1 span is not matched: no file of the footage is other.mp4" in result.stderr
    assert "--search" in result.stderr


def test_contradictory_marks_and_one_sided_ones(tmp_path: Path, raw: Path) -> None:
    marks = labels(tmp_path / "m.csv", "take0.mp4,0,5,keep", "take0.mp4,4,9,drop")
    result = hl("finetune", raw, "--name", "x", "--labels", marks)
    assert result.exit_code == 7
    assert "contradict each other: take0.mp4 from 4.00 s to 5.00 s" in result.stderr
    marks = labels(tmp_path / "m.csv", "take0.mp4,0,5,drop")
    result = hl("finetune", raw, "--name", "x", "--labels", marks)
    assert result.exit_code == 7
    assert "no file has both kept and passed-over footage" in result.stderr


def test_two_runs_under_one_name(tmp_path: Path, raw: Path) -> None:
    marks = labels(tmp_path / "m.csv", *MARKS)
    with reserve("twice"):
        result = hl("finetune", raw, "--name", "twice", "--labels", marks)
    assert result.exit_code == 2
    assert "another run is making or removing a model called 'twice'" in result.stderr
    assert hl("finetune", raw, "--name", "twice", "--labels", marks).exit_code == 0
    result = hl("finetune", raw, "--name", "twice", "--labels", marks)
    assert result.exit_code == 2
    assert "there is a model called 'twice' already" in result.stderr


def test_too_little_room_is_said_before_it_starts(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    class Usage:
        free = 5 << 10

    monkeypatch.setattr("hlcli.tuning.estimate.shutil.disk_usage", lambda _: Usage)
    marks = labels(tmp_path / "m.csv", *MARKS)
    result = hl("finetune", raw, "--name", "x", "--labels", marks)
    assert result.exit_code == 6
    assert "has room for 0 MiB" in result.stderr


def test_a_disk_that_fills_up_loses_nothing(
    tmp_path: Path, raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = labels(tmp_path / "m.csv", *MARKS)
    with monkeypatch.context() as patch:

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr("hlcli.atomic.os.fsync", full)
        result = hl("finetune", raw, "--name", "x", "--labels", marks)
    assert result.exit_code == 6
    assert "the disk is full" in result.stderr
    assert not (own_models_dir() / "x").exists()
    assert hl("finetune", raw, "--name", "x", "--labels", marks).exit_code == 0


def test_files_that_vanish_are_named_and_left_out(tmp_path: Path, raw: Path) -> None:
    from hlcli import paths

    late = make_take(raw, 5)
    for path in paths.features_dir().glob(f"{raw_file(late).identity}*"):
        path.unlink()
    settings = FinetuneSettings(
        name="left",
        footage=(str(raw),),
        labels=(labels(tmp_path / "m.csv", *MARKS, "take5.mp4,0,5,keep"),),
        adapt=False,
    )
    plan = make_plan(settings)
    assert (plan.estimate.video_seconds, plan.estimate.new_seconds) == (160.0, 40.0)
    late.unlink()
    with reserve("left") as reservation:
        outcome = run_plan(plan, reservation, created="2025-11-23")
    assert outcome is not None
    assert [one.path.name for one in outcome.left_out] == ["take5.mp4"]
    assert [one.file for one in outcome.card.footage] == ["take0.mp4", "take1.mp4", "take2.mp4"]
    assert "Left out, because they could not be read: take5.mp4." in outcome.card.warnings


def test_a_sense_to_which_all_clips_are_alike_has_no_say() -> None:
    scorer = make_scorer()
    features = World().video([0] * 6 + [1] * 6, seed=0)
    assert features.audio_TA is not None
    features = dataclasses.replace(features, audio_TA=np.ones_like(features.audio_TA))
    marks = np.array([0] * 6 + [1] * 6, np.int8)
    video = MarkedVideo(name="a.mp4", features=features, marks_T=marks)
    head = fit_taste(scorer, [video])
    assert head.audio is not None
    assert not head.audio.weight_V["a"].any()
    assert head.visual.weight_V["va"].any()


def test_average_precision_shares_thresholds() -> None:
    kept = np.array([True, False, True, False])
    assert tied_average_precision(kept, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx(5 / 6)
    assert tied_average_precision(kept, np.zeros(4)) == 0.5
    assert tied_average_precision(kept, np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(
        (1 / 2 + 2 / 4) / 2
    )


@pytest.mark.slow
def test_new_footage_is_looked_at_and_listened_to_once(tmp_path: Path) -> None:
    sound = media_factory.AudioTrack(media_factory.click_track(8, (1.0, 2.0)))
    for number in range(2):
        take = media_factory.make_video(
            tmp_path,
            name=f"take{number}.mp4",
            num_frames=80,
            rate=Fraction(10),
            first_number=100 * number,
            paint=media_factory.shots(20, 60),
            audio=(sound,),
        )
    marks = labels(tmp_path / "m.csv", "take0.mp4,2,6,keep", "take1.mp4,2,6,keep")
    settings = FinetuneSettings(name="one", footage=(str(tmp_path),), labels=(marks,))
    reported = []
    plan = make_plan(settings)
    assert (plan.estimate.new_seconds, plan.adapts) == (16.0, False)
    with reserve("one") as reservation:
        outcome = run_plan(
            plan,
            reservation,
            created="2025-11-23",
            progress=lambda stage, done, total: reported.append((stage, done, total)),
        )
    assert outcome is not None
    assert reported[-1] == ("looking and listening", 16.0, 16.0)
    assert make_plan(dataclasses.replace(settings, name="two")).estimate.new_seconds == 0
    assert hl("score", take, "--model", "one", "--json").exit_code == 0
