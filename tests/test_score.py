"""`hl score` from the command line to the files, on real videos and the bundled model."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import opentimelineio as otio
import pytest
from cli_runner import run
from jsonschema import Draft202012Validator

from hlcli.errors import FfmpegMissingError
from hlcli.media import ffmpeg
from hlcli.media.probe import probe
from hlcli.workflows.score import Pipeline
from hlcli.zoo.manifest import default_model_name, find_model
from tests.media_factory import AudioTrack, Image, click_track, make_video

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "docs/demo/big-buck-bunny-excerpt.mp4"
SCHEMA = json.loads((ROOT / "docs/reference/scores.schema.json").read_text(encoding="utf-8"))


def detector() -> str:
    """Return what is taken without --model, as words name it."""
    manifest = find_model(default_model_name())
    return f"{manifest.name} {manifest.version}"


def event(index: int, image: Image) -> None:
    """Paint a busy, colourful stretch from second 8 to second 12 of a calm gray video at 25/s."""
    if 200 <= index < 300:
        noise = np.random.default_rng(index // 2).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        image[:] = np.kron(noise, np.ones((10, 10, 1), np.uint8))[: image.shape[0]]
        image[:, :, 2] //= 4


def make_match(folder: Path, name: str = "match.mp4", **changes: object) -> Path:
    settings: dict[str, object] = {
        "name": name, "rate": Fraction(25), "num_frames": 500, "width": 160, "height": 120,
        "paint": event, "audio": (AudioTrack(wave=click_track(20.0, (8.5, 9.0, 9.5, 10.0, 11.0))),),
    }  # fmt: skip
    return make_video(folder, **(settings | changes))


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def match(tmp_path: Path) -> Path:
    return make_match(tmp_path)


def test_finds_the_event_and_writes_every_format(match: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"out.{suffix}" for suffix in ("otio", "json", "csv")]
    code, stdout, stderr = run(
        "score",
        match,
        "--model",
        "rasl",
        "--top",
        "1",
        *(word for path in outputs for word in ("-o", path)),
    )

    assert code == 0, stderr
    assert "match.mp4" in stdout
    for path in outputs:
        assert f"wrote {path}" in stderr
    document = json.loads(outputs[1].read_text())
    Draft202012Validator(SCHEMA).validate(document)
    assert len(document["scores"]) == 20
    [moment] = document["moments"]
    assert 7.0 <= moment["start_seconds"] <= 8.5
    assert 11.0 <= moment["end_seconds"] <= 13.0
    timeline = otio.adapters.read_from_file(str(outputs[0]))
    [clip] = [item for item in timeline.video_tracks()[0] if isinstance(item, otio.schema.Clip)]
    start = round(moment["start_seconds"] * 25)
    assert clip.source_range.start_time == otio.opentime.RationalTime(start, 25)
    # Its stretch of noise changes in every second frame, and nothing else looks like it.
    assert "fast movement" in moment["reasons"]
    assert len(document["motion"]) == len(document["loudness"]) == len(document["looks"]) == 20
    [row] = read_csv(outputs[2])
    assert row["reasons"].startswith("fast movement")
    assert float(row["start_seconds"]) == pytest.approx(moment["start_seconds"], abs=1e-3)


def test_json_is_all_there_is_on_stdout(match: Path) -> None:
    code, stdout, _ = run("score", match, "--json")
    assert code == 0
    Draft202012Validator(SCHEMA).validate(json.loads(stdout))


def test_the_same_video_gets_the_same_scores_cold_cached_and_uncached(match: Path) -> None:
    cold = json.loads(run("score", match, "--json")[1])
    cached = json.loads(run("score", match, "--json")[1])
    uncached = json.loads(run("score", match, "--json", "--no-cache")[1])
    assert cold == cached == uncached


def test_a_scored_video_needs_no_encoders_wherever_it_was_moved(match: Path) -> None:
    first = Pipeline()
    before = first.score(match)
    moved = match.rename(match.with_name("moved # 100% ü.mp4"))
    second = Pipeline()
    after = second.score(moved)
    assert second._encoders is None
    assert second._scorer is None
    assert after.scores == before.scores
    assert after.video.path == str(moved)


def test_visual_only_does_not_listen(match: Path) -> None:
    both = json.loads(run("score", match, "--json")[1])
    picture = json.loads(run("score", match, "--json", "--visual-only")[1])
    assert (both["modality"], picture["modality"]) == ("va", "v")
    assert picture["sound_scores"] is None
    assert picture["scores"] != both["scores"]
    assert picture["scores"] == both["picture_scores"]


def test_a_video_without_sound_is_scored_by_its_picture(tmp_path: Path) -> None:
    video = make_match(tmp_path, audio=())
    document = json.loads(run("score", video, "--json")[1])
    assert document["modality"] == "v"
    assert document["video"]["has_audio"] is False
    # And it is found again without being decoded again.
    pipeline = Pipeline()
    pipeline.score(video)
    assert pipeline._encoders is None


def test_several_videos_go_into_one_timeline_or_one_each(tmp_path: Path) -> None:
    footage = tmp_path / "footage"
    footage.mkdir()
    make_match(footage, "shot10.mp4", num_frames=400)
    make_match(footage, "shot2.mp4")
    one, each = tmp_path / "all.otio", tmp_path / "each"
    each.mkdir()
    code, _, stderr = run("score", footage, "-o", one, "-o", each, "--top", "1")
    assert code == 0, stderr
    track = otio.adapters.read_from_file(str(one)).video_tracks()[0]
    names = [item.name for item in track if isinstance(item, otio.schema.Clip)]
    assert names == ["shot2.mp4", "shot10.mp4"]
    assert sorted(path.name for path in each.iterdir()) == ["shot10.otio", "shot2.otio"]


def test_a_dull_video_leaves_the_other_outputs_alone(match: Path, tmp_path: Path) -> None:
    output = tmp_path / "x.otio"
    code, _, stderr = run(
        "score", match, "--threshold", "1", "-o", output, "-o", tmp_path / "x.csv", "--quiet"
    )
    assert code == 6
    assert stderr.splitlines() == [
        "error: there is no moment to put on the timeline x",
        "hint: --top 3 or --target-duration takes the best all the same, a lower --threshold more",
    ]
    assert not output.exists()
    assert (tmp_path / "x.csv").exists()


def test_one_bad_video_among_many_is_named_and_the_others_are_done(
    match: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "notes.mp4"
    bad.write_text("this is text\n" * 50)
    output = tmp_path / "out.csv"
    code, _, stderr = run("score", match, bad, tmp_path / "gone.mp4", "-o", output, "--top", "1")
    assert code == 3
    assert "notes.mp4" in stderr
    assert "gone.mp4" in stderr
    assert stderr.count("hint: ") == 2
    assert {Path(row["file"]).name for row in read_csv(output)} == {"match.mp4"}


def nothing_written(folder: Path, *expected: str) -> bool:
    return sorted(path.name for path in folder.iterdir()) == sorted(expected)


def test_bad_input_gets_one_line_and_a_hint(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "folder").mkdir()
    output = tmp_path / "out.otio"
    for name in ("missing.mp4", "empty.mp4", "text.mp4", "folder"):
        code, stdout, stderr = run("score", tmp_path / name, "-o", output)
        assert code == 3, (name, stderr)
        assert stdout == ""
        assert stderr.startswith("error: "), stderr
        assert name in stderr
        assert "\nhint: " in stderr
        assert "Traceback" not in stderr
        assert not output.exists()


def test_sound_without_picture_is_refused(tmp_path: Path, match: Path) -> None:
    import av

    path = tmp_path / "sound.m4a"
    with av.open(str(match)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    code, _, stderr = run("score", path)
    assert code == 3
    assert "sound.m4a" in stderr


def test_a_cut_off_video_is_scored_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_match(tmp_path, "whole.ts")
    part = tmp_path / "part.mp4"
    source = make_match(tmp_path, "front.mp4", container_options=(("movflags", "faststart"),))
    data = source.read_bytes()
    part.write_bytes(data[: len(data) * 2 // 3])
    code, stdout, stderr = run("score", part, "--json")
    assert code == 0, stderr
    assert "warning: part.mp4: " in stderr
    document = json.loads(stdout)
    assert document["damage"]
    assert len(document["scores"]) == 20
    assert whole.exists()


def test_a_tenth_of_a_second_is_a_video(tmp_path: Path) -> None:
    video = make_match(tmp_path, num_frames=3, audio=())
    code, stdout, stderr = run("score", video, "--json")
    assert code == 0, stderr
    document = json.loads(stdout)
    assert len(document["scores"]) == 1
    [moment] = document["moments"]
    assert moment["start_seconds"] == 0
    assert moment["end_seconds"] == pytest.approx(0.12)


def test_unknown_words_are_said_before_any_work(match: Path, tmp_path: Path) -> None:
    cases = {
        ("--model", "subspce"): 4,
        ("--device", "cuda:7"): 5,
        ("--device", "gpu"): 2,
        ("-o", tmp_path / "out.doc"): 2,
        ("-o", tmp_path / "nowhere" / "out.otio"): 6,
        ("--top", "3", "--threshold", "0.5"): 2,
        ("--min-duration", "soon"): 2,
        ("--no-such-option",): 2,
    }
    for extra, expected in cases.items():
        code, stdout, stderr = run("score", match, *extra)
        assert code == expected, (extra, stderr)
        assert stdout == ""
        assert "Traceback" not in stderr
    assert not (Path(os.environ["HL_CACHE_DIR"]) / "features").exists()


def test_an_encoder_is_no_detector(match: Path) -> None:
    code, _, stderr = run("score", match, "--model", "yamnet")
    assert code == 4
    assert "encoder" in stderr


def test_an_unusable_cache_folder_has_a_way_out(
    match: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    monkeypatch.setenv("HL_CACHE_DIR", str(blocked))
    code, stdout, stderr = run("score", match, "--json")
    assert code == 6
    assert stdout == ""
    assert "--no-cache" in stderr
    code, stdout, stderr = run("score", match, "--json", "--no-cache", "--top", "1")
    assert code == 0, stderr
    assert json.loads(stdout)["moments"]


def test_a_full_disk_leaves_no_half_file(
    match: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.otio"
    output.write_text("the cut of yesterday")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run("score", match)
    monkeypatch.setattr(os, "fsync", full)
    code, _, stderr = run("score", match, "-o", output, "--top", "1")
    assert code == 6
    assert "disk is full" in stderr
    assert output.read_text() == "the cut of yesterday"
    assert nothing_written(tmp_path, "match.mp4", "out.otio")


def test_a_film_and_its_timeline_in_one_step(match: Path, tmp_path: Path) -> None:
    film = tmp_path / "reel.mp4"
    code, _, stderr = run("score", match, "-o", film, "--top", "2")
    assert code == 0, stderr
    assert stderr == f"wrote {film}: 2 moments by {detector()}; its timeline is reel.otio\n"
    timeline = otio.adapters.read_from_file(str(tmp_path / "reel.otio"))
    assert probe(film).num_frames == timeline.duration().value
    # The film is what `hl render` makes of the timeline.
    assert run("render", tmp_path / "reel.otio", "-o", tmp_path / "again.mp4")[0] == 0
    assert (tmp_path / "again.mp4").read_bytes() == film.read_bytes()
    # A program may be named, and a timeline that was edited is kept.
    (tmp_path / "reel.fcpxml").write_text("mine")
    code, _, stderr = run(
        "score", match, "-o", film, "--for", "fcp", "--map-path", "/=Z:\\", "--top", "1"
    )
    assert code == 0, stderr
    assert "its timeline is reel.fcpxml" in stderr
    assert (tmp_path / "reel.fcpxml.backup-1").read_text() == "mine"
    assert "file:///Z:/" in (tmp_path / "reel.fcpxml").read_text("utf-8")


def test_a_film_that_cannot_be_made_is_said_before_any_work(
    match: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, stdout, stderr = run("score", match, "-o", match)
    assert (code, stdout) == (2, "")
    assert "is one of the videos" in stderr
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(ffmpeg, "_bundled", lambda: None)
    code, stdout, stderr = run("score", match, "-o", tmp_path / "reel.mp4")
    assert (code, stdout) == (FfmpegMissingError.exit_code, "")
    assert "imageio-ffmpeg" in stderr
    assert nothing_written(tmp_path, "match.mp4")


def test_a_device_that_is_named_must_be_there_also_for_stored_scores(match: Path) -> None:
    assert run("score", match, "-q")[0] == 0
    code, stdout, stderr = run("score", match, "--device", "cuda:99", "--top", "1")
    assert code == 5
    assert stderr.startswith("error: there is no CUDA device")
    assert "1 moment" in stdout  # What is stored is shown all the same.
    assert run("score", match, "--device", "gpu")[0] == 2
    assert run("score", match, "--device", "cpu")[0] == 0


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are another thing there")
def test_a_reader_that_leaves_costs_no_file(match: Path, tmp_path: Path) -> None:
    assert run("score", match, "-q")[0] == 0
    output = tmp_path / "x.otio"
    reading, writing = os.pipe()
    os.close(reading)  # As `hl score VIDEO -o x.otio | head` with a head that is done.
    command = [sys.executable, "-m", "hlcli", "score", str(match), "-o", str(output), "--top", "1"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert output.exists()
    assert f"wrote {output}: 1 moment by {detector()}" in done.stderr


def test_options_without_a_file_to_write_are_said(match: Path, tmp_path: Path) -> None:
    code, _, stderr = run("score", match, "--for", "resolve", "--order", "rank")
    assert code == 0
    assert stderr == "warning: --for, --order: without -o FILE there is no timeline to write\n"
    _, _, stderr = run("score", match, "--for", "resolve", "-o", tmp_path / "x.otio", "--top", "1")
    assert stderr == f"wrote {tmp_path / 'x.otio'}: 1 moment by {detector()}\n"


def test_of_two_videos_that_were_named_one_was_scored(match: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    for names, words in (
        ([match, tmp_path / "none.mp4"], "1 of 2 videos were scored"),
        ([tmp_path / "none.mp4", tmp_path / "bad.mp4", match], "1 of 3 videos were scored"),
        ([tmp_path / "none.mp4"], None),
    ):
        code, _, stderr = run("score", *names)
        assert code == 3
        assert stderr.splitlines()[-1] == words or words is None
        assert "were scored" not in stderr or words is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["score", "x.mp4"], "what was finished is kept, run the same command to go on"),
        (["score", "x.mp4", "--no-cache"], "what was not finished is gone"),
        (["render", "x.otio", "-o", "x.mp4"], "what was not finished is gone"),
    ],
)
def test_a_stopped_command_promises_only_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hlcli.media.discover.find_videos", stop)
    monkeypatch.setattr("hlcli.workflows.render.render", stop)
    code, _, stderr = run(*words)
    assert (code, stderr) == (130, f"stopped; {said}\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_ctrl_c_leaves_no_litter(tmp_path: Path) -> None:
    output = tmp_path / "out.otio"
    cache = tmp_path / "cache"
    environment = os.environ | {"HL_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "hlcli", "score", str(DEMO), "-o", str(output)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    # The remembered hashes of the weights are the first thing written: decoding starts after.
    deadline = time.monotonic() + 60
    while not cache.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not output.exists()
    assert not list(tmp_path.rglob("*.part"))


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom hlcli.cli import app\n"
        "heavy = {'torch', 'av', 'numpy', 'opentimelineio', 'safetensors'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert result.stdout.decode().strip() == "[]"


def test_version() -> None:
    code, stdout, _ = run("--version")
    assert code == 0
    assert stdout == "hl 0.1.0\n"
