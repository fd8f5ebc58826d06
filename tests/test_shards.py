"""Shards: the same numbers as in memory, resumable, bounded memory, damage found."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from media_factory import make_video, moving_square, plain, shots
from synthetic_features import SPEC, World, features_of
from test_training import DATA, Stop, losses, make_corpus, make_recipe, stop_at

from hlcli.errors import MediaError, MediaUnreadableError, RecipeError, TrainingError
from hlcli.features.encoders import load_encoders
from hlcli.features.extract import extract_features
from hlcli.features.types import VideoFeatures
from hlcli.media.probe import probe
from hlcli.model.config import SubspaceConfig
from hlcli.model.projection import ROWS_AT_ONCE, fit_projections, fit_projections_to_blocks
from hlcli.progress import silent
from hlcli.training import corpus as corpus_module
from hlcli.training import extraction, segments
from hlcli.training.clips import paired_blocks
from hlcli.training.corpus import Corpus, open_corpus
from hlcli.training.dataset import SequenceSampler
from hlcli.training.extraction import Extracted, fill_shards, open_shards
from hlcli.training.recipe import DataConfig, ObjectiveConfig, SubspaceRecipe, recipe_digest
from hlcli.training.run import train_on
from hlcli.training.segments import SegmentPool, cut_segments
from hlcli.training.shard_index import ShardIndex, ShardVideo, read_index, write_index
from hlcli.training.shards import ShardedCorpus, ShardWriter


def half(video: VideoFeatures) -> VideoFeatures:
    """As extraction gives features: float16 rows."""
    audio = None if video.audio_TA is None else video.audio_TA.astype(np.float16)
    return dataclasses.replace(video, visual_TV=video.visual_TV.astype(np.float16), audio_TA=audio)


def sharded(corpus: Corpus, folder: Path, *, per_shard: int = 7) -> ShardedCorpus:
    folder.mkdir()
    writer = ShardWriter(folder, ShardIndex(corpus.spec))
    for number, (name, video) in enumerate(zip(corpus.names, corpus.videos, strict=True)):
        place = ShardVideo(source=f"/{name}", size_bytes=1, changed_ns=1, identity=f"{number:016x}")
        writer.add(place, video)
        if number % per_shard == per_shard - 1:
            writer.flush()
    writer.flush()
    return ShardedCorpus.open(folder)


def half_corpus(num_videos: int = 24) -> Corpus:
    corpus = make_corpus(num_videos)
    videos = [half(one) for one in corpus.videos]
    videos[3] = videos[3].without_audio()
    return Corpus(spec=SPEC, names=corpus.names, videos=tuple(v.in_float32() for v in videos))


def test_shards_give_back_every_number(tmp_path: Path) -> None:
    corpus = half_corpus()
    on_disk = sharded(corpus, tmp_path / "shards")
    on_disk.check()
    assert on_disk.spec == SPEC
    assert on_disk.names == corpus.names
    assert on_disk.clip_counts == corpus.clip_counts
    assert on_disk.has_audio == corpus.has_audio
    assert on_disk.has_audio.count(False) == 1
    assert on_disk.duration_seconds == corpus.duration_seconds
    assert on_disk.digest() == corpus.digest()
    for video in (0, 3, 23):
        for start, stop in ((0, 7), (2, 3), (4, 7)):
            one, two = corpus.read(video, start, stop), on_disk.read(video, start, stop)
            assert one.duration_seconds == two.duration_seconds == stop - start
            for name in ("visual_TV", "audio_TA", "motion_T", "loudness_T"):
                a, b = getattr(one, name), getattr(two, name)
                assert (a is None) == (b is None)
                if a is not None:
                    assert b.dtype == np.float32
                    np.testing.assert_array_equal(a, b)
    files = sorted((tmp_path / "shards").glob("*.safetensors"))
    assert len(files) == 4
    stored = safetensors.numpy.load_file(files[0])
    # Other programs read the shards; rows take half the room where nothing is lost.
    assert stored["visual"].dtype == np.float16
    np.testing.assert_array_equal(stored["visual"][:7], corpus.videos[0].visual_TV)
    assert len(stored["visual"]) == 49
    assert len(stored["audio"]) == 42
    on_disk.close()
    assert on_disk.read(0, 0, 1).num_clips == 1


def test_numbers_that_need_float32_stay_float32(tmp_path: Path) -> None:
    corpus = make_corpus(5)
    on_disk = sharded(corpus, tmp_path / "shards")
    np.testing.assert_array_equal(on_disk.read(2, 0, 7).visual_TV, corpus.videos[2].visual_TV)
    assert on_disk.digest() == corpus.digest()


def test_training_from_shards_is_training_from_memory_bit_for_bit(tmp_path: Path) -> None:
    corpus = half_corpus()
    on_disk = sharded(corpus, tmp_path / "shards")
    one = train_on(corpus, make_recipe(tmp_path / "memory", ema_decay=0.9))
    two = train_on(on_disk, make_recipe(tmp_path / "disk", ema_decay=0.9))
    assert one.read_bytes() == two.read_bytes()
    # A run begun in memory goes on from shards, and ends as the uninterrupted one.
    broken = make_recipe(tmp_path / "broken", ema_decay=0.9)
    with pytest.raises(Stop):
        train_on(corpus, broken, on_step=stop_at(6))
    with pytest.raises(Stop):
        train_on(on_disk, broken, on_step=stop_at(9))
    resumed = train_on(on_disk, broken)
    assert resumed.read_bytes() == one.read_bytes()
    assert losses(tmp_path / "broken") == losses(tmp_path / "memory")
    subspace = SubspaceRecipe(
        output=str(tmp_path / "a"), data=DATA, model=SubspaceConfig(dim=5, visual_pca=20)
    )
    first = train_on(corpus, subspace)
    second = train_on(on_disk, dataclasses.replace(subspace, output=str(tmp_path / "b")))
    assert first.read_bytes() == second.read_bytes()


def test_where_features_lie_does_not_change_the_recipe(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    data = dataclasses.replace(recipe.data, shards="elsewhere")
    assert recipe_digest(dataclasses.replace(recipe, data=data)) == recipe_digest(recipe)


def many_clips(num_videos: int, clips: int) -> Corpus:
    world = World(num_types=5)
    videos = tuple(
        half(world.video([i % 5] * clips, seed=i)).in_float32() for i in range(num_videos)
    )
    return Corpus(spec=SPEC, names=tuple(f"{i}" for i in range(num_videos)), videos=videos)


def test_maps_of_many_clips_are_those_of_all_at_once(tmp_path: Path) -> None:
    corpus = many_clips(3, 3000)
    on_disk = sharded(corpus, tmp_path / "shards", per_shard=1)
    blocks = list(paired_blocks(corpus))
    assert [len(visual) for visual, _ in blocks] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 808]
    visual = np.concatenate([v.visual_TV for v in corpus.videos])
    audio = np.concatenate([v.audio_TA for v in corpus.videos if v.audio_TA is not None])
    for kind in ("pls", "pca"):
        expected = fit_projections(visual, audio, kind=kind, dim=3)  # type: ignore[arg-type]
        found = fit_projections_to_blocks(blocks, 9000, kind=kind, dim=3)  # type: ignore[arg-type]
        again = fit_projections_to_blocks(
            paired_blocks(on_disk),
            9000,
            kind=kind,  # type: ignore[arg-type]
            dim=3,
        )
        for side in ("visual", "audio"):
            a, b, c = (getattr(pair, side) for pair in (expected, found, again))
            np.testing.assert_allclose(b.mean_V, a.mean_V, atol=1e-6)
            np.testing.assert_allclose(b.weight_VD, a.weight_VD, atol=1e-5)
            assert b.rms == pytest.approx(a.rms, rel=1e-5)
            np.testing.assert_array_equal(c.weight_VD, b.weight_VD)
            np.testing.assert_array_equal(c.mean_V, b.mean_V)
            assert c.rms == b.rms
    same = [(np.ones_like(v), a) for v, a in blocks]
    with pytest.raises(TrainingError, match="the picture is the same in every clip"):
        fit_projections_to_blocks(same, 9000, kind="pls", dim=3)


def test_few_of_many_segments_make_the_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = many_clips(60, 8)
    whole = cut_segments(corpus, segment_clips=4, num_categories=5, seed=0)
    monkeypatch.setattr(segments, "MOST_POINTS", 50)
    monkeypatch.setattr(segments, "_AT_ONCE", 16)
    some = cut_segments(corpus, segment_clips=4, num_categories=5, seed=0)
    assert [(s.video, s.start, s.stop) for s in some] == [(s.video, s.start, s.stop) for s in whole]
    # The types are far apart, so both ways find them, under whatever number.
    pairs = {(a.category, b.category) for a, b in zip(whole, some, strict=True)}
    assert len(pairs) == 5
    assert some == cut_segments(corpus, segment_clips=4, num_categories=5, seed=0)


def test_pools_find_segments_by_category_in_order() -> None:
    every = cut_segments(many_clips(30, 8), segment_clips=4, num_categories=5, seed=0)
    pool = SegmentPool(every)
    assert list(pool) == every
    assert pool.categories == sorted({one.category for one in every})
    some = pool.of([3, 1])
    assert list(some) == [one for one in every if one.category in (1, 3)]
    assert list(some.of([1, 2])) == [one for one in every if one.category == 1]
    assert not pool.of([])


def test_damage_is_found_before_training(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    sharded(make_corpus(9), folder)
    shard = folder / "000000.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
    with pytest.raises(TrainingError, match=r"000000\.safetensors cannot be used: not what was"):
        ShardedCorpus.open(folder).check()
    shard.write_bytes(whole[:-8])
    with pytest.raises(TrainingError, match=r"000000\.safetensors is cut off"):
        ShardedCorpus.open(folder)
    shard.unlink()
    with pytest.raises(TrainingError, match="is missing"):
        ShardedCorpus.open(folder)
    shard.write_bytes(whole)
    (folder / "index.json").write_text("{")
    with pytest.raises(TrainingError, match="is damaged"):
        ShardedCorpus.open(folder)
    (folder / "index.json").unlink()
    with pytest.raises(TrainingError, match="there are no shards"):
        ShardedCorpus.open(folder)


class Eye:
    """Stands in for the encoders where nothing is decoded."""

    spec = SPEC


@pytest.fixture
def extracted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace decoding by made-up features of each file's number; returns what was decoded."""
    done: list[str] = []

    def extract_files(files: list[Path], *, encoders: Eye, progress: object, store: object):  # type: ignore[no-untyped-def]
        for file in files:
            text = file.read_text()
            if text == "stop":
                raise Stop
            done.append(file.name)
            if text == "bad":
                yield Extracted(file=file, identity="", result=MediaUnreadableError("not a video"))
                continue
            video = half(World().video([int(text) % 6] * 5, seed=int(text)))
            if text == "99":
                video = dataclasses.replace(video, motion_T=np.full(5, np.nan, np.float32))
            identity = extraction.content_identity(file)
            yield Extracted(file=file, identity=identity, result=video)

    for module in (extraction, corpus_module):
        monkeypatch.setattr(module, "extract_files", extract_files)
    monkeypatch.setattr("hlcli.features.encoders.load_encoders", lambda device, visual: Eye())
    monkeypatch.setattr("hlcli.training.shards._MOST_VIDEOS", 3)
    return done


def files_in(folder: Path, texts: list[str]) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number:02d}.mp4").write_text(text)
    return sorted(folder.glob("*.mp4"))


def test_a_stopped_extraction_goes_on_and_bad_files_are_left_out(
    tmp_path: Path, extracted: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    texts = [str(n) for n in range(10)]
    texts[2], texts[4], texts[8] = "bad", "99", "stop"
    files = files_in(tmp_path / "in", texts)
    folder = tmp_path / "shards"
    fill: Callable[[], None] = lambda: fill_shards(files, folder, visual_encoder="x")  # noqa: E731
    with pytest.raises(Stop):
        fill()
    assert extracted == [f"0{n}.mp4" for n in range(8)]
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings == [
        f"{files[2]} is left out: not a video",
        f"{files[4]} is left out: the features of {files[4]} are not all numbers",
    ]
    index = read_index(folder)
    assert index is not None
    assert len(index.videos) == 6
    assert [shard.file for shard in index.shards] == ["000000.safetensors", "000001.safetensors"]
    # The rest is extracted, and nothing twice.
    files[8].write_text("8")
    extracted.clear()
    caplog.clear()
    fill()
    assert extracted == ["08.mp4", "09.mp4"]
    assert "2 files that could not be read before" in caplog.records[0].getMessage()
    extracted.clear()
    fill()
    assert not extracted
    corpus = open_shards(files, folder)
    assert list(corpus.names) == [f"0{n}.mp4" for n in (0, 1, 3, 5, 6, 7, 8, 9)]
    # Order and numbers are those of the same files in memory.
    files[4].write_text("bad")
    data = DataConfig(folders=(str(tmp_path / "in"),))
    memory, lost = open_corpus(data)
    assert lost == 2
    assert memory.digest() == corpus.digest()
    both, lost = open_corpus(dataclasses.replace(data, shards=str(folder)))
    assert (both.digest(), lost) == (memory.digest(), 2)
    alone, lost = open_corpus(DataConfig(shards=str(folder)))
    assert (set(alone.names), lost) == (set(memory.names), 0)


def test_two_runs_that_fill_one_folder_take_turns(
    tmp_path: Path,
    extracted: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = files_in(tmp_path / "in", [str(n) for n in range(8)])
    folder = tmp_path / "shards"
    plain = extraction.extract_files
    is_begun, may_go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def slow(*arguments: Any, **options: Any) -> Any:
        for number, one in enumerate(plain(*arguments, **options)):
            yield one
            if number == 4:
                is_begun.set()
                assert may_go_on.wait(60)

    def fill() -> None:
        try:
            fill_shards(files, folder, visual_encoder="x")
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    monkeypatch.setattr(extraction, "extract_files", slow)
    first = threading.Thread(target=fill)
    first.start()
    assert is_begun.wait(60)
    second = threading.Thread(target=fill)
    second.start()
    waiting = f"another run fills the shards in {folder}: waiting for it"
    while waiting not in [record.getMessage() for record in caplog.records]:
        assert second.is_alive()
        time.sleep(0.05)
    # It has read nothing yet, or it would write the shards that the first is about to write.
    assert extracted == [f"0{n}.mp4" for n in range(5)]
    may_go_on.set()
    for thread in (first, second):
        thread.join(60)
    assert errors == []
    assert extracted == [f"0{n}.mp4" for n in range(8)]
    corpus = open_shards(files, folder)
    corpus.check()
    assert len(corpus.names) == 8
    for number in range(8):
        expected = half(World().video([number % 6] * 5, seed=number)).in_float32()
        np.testing.assert_array_equal(corpus.read(number, 0, 5).visual_TV, expected.visual_TV)


def test_shards_that_a_killed_run_did_not_list_are_found(
    tmp_path: Path, extracted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hlcli.training.shards._MOST_VIDEOS", 1)
    files = files_in(tmp_path / "in", [str(n) for n in range(40)])
    folder, whole = tmp_path / "shards", tmp_path / "whole"
    fill_shards(files, whole, visual_encoder="x")
    written: list[int] = []

    def note(folder: Path, index: ShardIndex) -> None:
        written.append(len(index.shards))
        if len(index.shards) == 40:
            raise Stop  # as if it were killed: nothing is tidied
        write_index(folder, index)

    monkeypatch.setattr("hlcli.training.shards.write_index", note)
    with pytest.raises(Stop):
        fill_shards(files, folder, visual_encoder="x")
    # Not with every shard: the index would take longer than the shards.
    assert written == [*range(1, 12), 13, 15, 17, 19, 21, 24, 27, 30, 33, 37, 40]
    listed = json.loads((folder / "index.json").read_text())
    assert len(listed["videos"]) == 37
    index, expected = read_index(folder), read_index(whole)
    assert index is not None
    assert expected is not None
    assert index.shards == expected.shards
    assert index.videos == expected.videos
    # One of another index is none of them: it is written over.
    other = folder / "000040.safetensors"
    for data in ((folder / "000003.safetensors").read_bytes(), b"half a shard"):
        other.write_bytes(data)
        again = read_index(folder)
        assert again is not None
        assert len(again.shards) == 40


def test_moved_files_are_known_and_changed_files_are_read_again(
    tmp_path: Path, extracted: list[str]
) -> None:
    files = files_in(tmp_path / "in", ["0", "1", "2"])
    folder = tmp_path / "shards"
    fill_shards(files, folder, visual_encoder="x")
    moved = tmp_path / "in" / "moved.mp4"
    files[0].rename(moved)
    files[1].write_text("77")
    files = [moved, *files[1:]]
    extracted.clear()
    fill_shards(files, folder, visual_encoder="x")
    assert extracted == ["01.mp4"]
    corpus = open_shards(files, folder)
    assert list(corpus.names) == ["moved.mp4", "01.mp4", "02.mp4"]
    for number, seed in enumerate((0, 77, 2)):
        expected = half(World().video([seed % 6] * 5, seed=seed)).in_float32()
        np.testing.assert_array_equal(corpus.read(number, 0, 5).visual_TV, expected.visual_TV)
    # What became unreadable is not learned from its old features.
    files[2].write_text("bad")
    fill_shards(files, folder, visual_encoder="x")
    assert list(open_shards(files, folder).names) == ["moved.mp4", "01.mp4"]


def test_shards_of_other_encoders_are_refused(tmp_path: Path, extracted: list[str]) -> None:
    files = files_in(tmp_path / "in", ["0"])
    (tmp_path / "shards").mkdir()
    other = dataclasses.replace(SPEC, visual_encoder="other")
    ShardWriter(tmp_path / "shards", ShardIndex(other)).flush()
    with pytest.raises(TrainingError, match="made with other encoders"):
        fill_shards(files, tmp_path / "shards", visual_encoder="x")
    assert not extracted
    with pytest.raises(TrainingError, match="none of the 1 videos"):
        open_shards(files, tmp_path / "shards")
    with pytest.raises(RecipeError, match="names no data"):
        open_corpus(DataConfig(), progress=silent)


LARGE = """
import resource, sys
from pathlib import Path
import numpy as np, torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from synthetic_features import SPEC
import dataclasses
from hlcli.features.types import VideoFeatures
from hlcli.training.recipe import DataConfig, RaslRecipe, TrainingConfig
from hlcli.model.config import RaslConfig
from hlcli.training.run import train_on
from hlcli.training.shard_index import ShardIndex, ShardVideo
from hlcli.training.shards import ShardWriter, ShardedCorpus
folder, hours = Path({folder!r}), {hours}
spec = dataclasses.replace(SPEC, visual_size=1280, audio_size=1024)
rng = np.random.default_rng(0)
looks = rng.normal(size=(16, 2304)).astype(np.float32)
writer = ShardWriter(folder, ShardIndex(spec))
clips = 600
for number in range(hours * 6):
    mixed = looks[rng.integers(16, size=clips // 20)].repeat(20, axis=0)
    rows = (mixed + rng.normal(size=(clips, 2304), scale=0.5)).astype(np.float16)
    video = VideoFeatures(
        spec_digest=spec.digest(), duration_seconds=float(clips),
        visual_TV=rows[:, :1280], audio_TA=rows[:, 1280:], events_TC=None,
        motion_T=rng.random(clips, np.float32), loudness_T=rng.random(clips, np.float32),
        shot_boundaries_seconds=np.zeros(0),
    )
    name = f"{{number:016x}}"
    writer.add(ShardVideo(source="/" + name, size_bytes=1, changed_ns=1, identity=name), video)
writer.flush()
corpus = ShardedCorpus.open(folder)
corpus.check()
recipe = RaslRecipe(
    output=str(folder / "run"),
    data=DataConfig(calibration_sequences=8),
    model=RaslConfig(width=32),
    training=TrainingConfig(steps=3, batch_size=16),
)
train_on(corpus, recipe)
# Linux counts what the process was before exec, pytest, into ru_maxrss; VmHWM starts anew.
status = Path("/proc/self/status")
if status.exists():
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    print(int(line.split()[1]) // 1024)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20)
print(sum(one.stat().st_size for one in folder.iterdir() if one.is_file()))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    peaks = []
    for hours in (3, 12):
        folder = tmp_path / str(hours)
        folder.mkdir()
        code = LARGE.format(tests=str(root / "tests"), folder=str(folder), hours=hours)
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
        )
        peak, size = map(int, done.stdout.split())
        # Two bytes for each of 2304 numbers a second; four of each of two signals.
        assert size == pytest.approx(hours * 3600 * (2304 * 2 + 8), rel=0.01)
        peaks.append(peak)
    # Nine more hours are 144 MiB as they lie on disk, and 288 MiB to calculate with.
    assert peaks[1] - peaks[0] < 40
    assert peaks[1] < 1024


def test_sequences_are_drawn_alike_from_memory_and_from_disk(tmp_path: Path) -> None:
    world = World()
    videos = tuple(half(world.video([i % 6] * (8 + 5 * i), seed=i)).in_float32() for i in range(12))
    corpus = Corpus(spec=SPEC, names=tuple(map(str, range(12))), videos=videos)
    on_disk = sharded(corpus, tmp_path / "shards", per_shard=5)
    one, two = (SequenceSampler(source, DATA, seed=1) for source in (corpus, on_disk))
    for step in range(1, 5):
        a, b = (
            sampler.batch(step, batch_size=4, objective=ObjectiveConfig(), period_clips=256)
            for sampler in (one, two)
        )
        for field in dataclasses.fields(a):
            left, right = getattr(a, field.name), getattr(b, field.name)
            if isinstance(left, torch.Tensor):
                assert torch.equal(left, right), field.name
            else:
                assert left == right, field.name


def test_a_shard_of_silent_videos_alone(tmp_path: Path) -> None:
    video = features_of(np.ones((3, 48), np.float32))
    folder = tmp_path / "shards"
    folder.mkdir()
    writer = ShardWriter(folder, ShardIndex(SPEC))
    writer.add(ShardVideo(source="/a", size_bytes=1, changed_ns=1, identity="0" * 16), video)
    writer.flush()
    index = json.loads((folder / "index.json").read_text())
    assert index["videos"][0]["sound_row"] is None
    assert index["videos"][0]["num_clips"] == 3
    assert ShardedCorpus.open(folder).read(0, 1, 3).audio_TA is None


def test_files_side_by_side_give_what_each_gives_alone(tmp_path: Path) -> None:
    encoders = load_encoders(torch.device("cpu"), visual="efficientnet-lite0")
    files = []
    for number, painter in enumerate((plain, moving_square, shots(0, 9), plain)):
        video = make_video(tmp_path, paint=painter, num_frames=30)
        files.append(video.rename(tmp_path / f"{number}.mp4"))
    files[2].write_bytes(b"not a video")
    found = list(extraction.extract_files(files, encoders=encoders))
    assert [one.file for one in found] == files
    assert isinstance(found[2].result, MediaError)
    for one in (found[0], found[1], found[3]):
        assert isinstance(one.result, VideoFeatures)
        alone = extract_features(probe(one.file), encoders=encoders)
        np.testing.assert_array_equal(one.result.visual_TV, alone.visual_TV)
        np.testing.assert_array_equal(one.result.motion_T, alone.motion_T)
    # Whoever stops looking stops the threads too.
    reported: list[float] = []
    rest = extraction.extract_files(
        files, encoders=encoders, progress=lambda stage, done, total: reported.append(done)
    )
    next(rest)
    rest.close()
    assert reported == [0, 1]
    assert not [one for one in threading.enumerate() if one.name.startswith("hl-file")]
