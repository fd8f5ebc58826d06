"""The feature cache: what goes in comes out, damage never does, two processes may share it."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys
import time
import tracemalloc
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from hlcli.errors import OutputError
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.measures import PictureMeasures

SPEC = FeatureSpec(
    visual_encoder="v",
    visual_sha256="a" * 64,
    visual_size=8,
    picture_size=32,
    audio_encoder="a",
    audio_sha256="b" * 64,
    audio_size=4,
)
IDENTITY = "0123456789abcdef" * 4


def make_measures(num_clips: int, random: np.random.Generator) -> PictureMeasures:
    names = [field.name for field in dataclasses.fields(PictureMeasures)]
    rows = {name: random.random(num_clips, dtype=np.float32) for name in names}
    return PictureMeasures(
        **{**rows, "sharpest_seconds_T": random.random(num_clips)}  # type: ignore[arg-type]
    )


def make_features(*, num_clips: int = 5, seed: int = 0, spec: FeatureSpec = SPEC) -> VideoFeatures:
    """Features with the precision that extraction gives: float16 rows, float32 signals."""
    random = np.random.default_rng(seed)

    def rows(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float16).astype(np.float32)

    return VideoFeatures(
        spec_digest=spec.digest(),
        duration_seconds=num_clips - 0.25,
        visual_TV=rows(num_clips, spec.visual_size),
        audio_TA=rows(num_clips, spec.audio_size),
        events_TC=rows(num_clips, 3),
        motion_T=random.random(num_clips, dtype=np.float32),
        loudness_T=-random.random(num_clips, dtype=np.float32),
        shot_boundaries_seconds=np.array([0.1, 1 / 3]),
        pictures=make_measures(num_clips, random),
        speech_S2=np.array([[0.0, 1 / 7], [0.5, 4.75]]),
        damage="cut off after 4 s",
    )


def assert_same(found: VideoFeatures | None, expected: VideoFeatures) -> None:
    assert found is not None
    names = [field.name for field in dataclasses.fields(VideoFeatures) if field.name != "pictures"]
    names += [f"pictures.{field.name}" for field in dataclasses.fields(PictureMeasures)]
    if expected.pictures is None:
        assert found.pictures is None
        names = names[: -len(dataclasses.fields(PictureMeasures))]
    for name in names:
        one, other = attrgetter(name)(found), attrgetter(name)(expected)
        if isinstance(other, np.ndarray):
            # Rows may come back in half the width where that loses nothing.
            assert one.astype(other.dtype).tobytes() == other.tobytes(), name
            assert one.dtype in (other.dtype, np.float16)
            assert one.shape == other.shape
        else:
            assert one == other


def stored_file(store: FeatureStore) -> Path:
    (path,) = store.root.iterdir()
    return path


def test_returns_the_same_bits(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "new" / "cache")
    assert store.get(IDENTITY, SPEC) is None
    assert store.size() == 0
    features = make_features()
    store.put(IDENTITY, SPEC, features)
    assert_same(store.get(IDENTITY, SPEC), features)
    assert store.size() == stored_file(store).stat().st_size
    assert store.clear() == 1
    assert store.get(IDENTITY, SPEC) is None


def test_keeps_values_that_float16_cannot_hold(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    exact = np.full((5, 8), 1 / 3, dtype=np.float32)
    features = dataclasses.replace(make_features(), visual_TV=exact)
    store.put(IDENTITY, SPEC, features)
    assert_same(store.get(IDENTITY, SPEC), features)


def test_stores_rounded_rows_in_half_the_space(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.put(IDENTITY, SPEC, make_features())
    arrays = load(stored_file(store).read_bytes())
    dtypes = {name: array.dtype for name, array in arrays.items()}
    seconds = dtypes.pop("pictures.sharpest_seconds_T")
    assert seconds == np.float64
    pictures = {name for name in dtypes if name.startswith("pictures.")}
    assert {dtypes.pop(name) for name in pictures} == {np.dtype(np.float32)}
    assert dtypes == {
        "visual_TV": np.float16,
        "audio_TA": np.float16,
        "events_TC": np.float16,
        "motion_T": np.float32,
        "loudness_T": np.float32,
        "shot_boundaries_seconds": np.float64,
        "speech_S2": np.float64,
    }


def test_a_long_video_is_never_in_memory_twice(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    rows = np.ones((100_000, SPEC.visual_size), dtype=np.float16)
    features = dataclasses.replace(
        make_features(num_clips=100_000), visual_TV=rows, pictures=None
    ).without_audio()
    tracemalloc.start()
    try:
        store.put(IDENTITY, SPEC, features)
        put_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        found = store.get(IDENTITY, SPEC)
        got_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found is not None
    assert found.visual_TV.dtype == np.float16
    assert_same(found, features)
    # The signals are float32: another 400 kB, looked at once more.
    assert put_bytes < 0.9 * rows.nbytes
    assert got_bytes < 1.9 * rows.nbytes


def test_other_programs_read_it(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    features = make_features()
    store.put(IDENTITY, SPEC, features)
    arrays = load(stored_file(store).read_bytes())
    for name, array in arrays.items():
        assert np.array_equal(array, attrgetter(name)(features)), name


def test_keeps_a_silent_file_silent(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    features = make_features().without_audio()
    store.put(IDENTITY, SPEC, features)
    found = store.get(IDENTITY, SPEC)
    assert_same(found, features)
    assert found is not None
    assert not found.has_audio


def test_another_specification_is_another_entry(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.put(IDENTITY, SPEC, make_features())
    other = dataclasses.replace(SPEC, extraction_version=2)
    assert store.get(IDENTITY, other) is None
    with pytest.raises(ValueError, match="another specification"):
        store.put(IDENTITY, other, make_features())


@pytest.mark.parametrize("length", [0, 7, 40, 300, -1])
def test_a_cut_off_file_counts_as_absent(tmp_path: Path, length: int) -> None:
    store = FeatureStore(tmp_path)
    store.put(IDENTITY, SPEC, make_features())
    path = stored_file(store)
    path.write_bytes(path.read_bytes()[:length])
    assert store.get(IDENTITY, SPEC) is None
    assert not path.exists()


def test_any_flipped_bit_counts_as_absent(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    features = make_features()
    store.put(IDENTITY, SPEC, features)
    path = stored_file(store)
    data = path.read_bytes()
    for position in range(0, len(data), 7):
        damaged = bytearray(data)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        assert store.get(IDENTITY, SPEC) is None, position
        assert not path.exists()
    path.write_bytes(data)
    assert_same(store.get(IDENTITY, SPEC), features)


def test_a_file_of_another_video_or_shape_counts_as_absent(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.put(IDENTITY, SPEC, make_features())
    path = stored_file(store)
    other_identity = "f" * 64
    other = path.with_name(path.name.replace(IDENTITY, other_identity))
    other.write_bytes(path.read_bytes())
    assert store.get(other_identity, SPEC) is None
    assert not other.exists()

    path.write_bytes(save({"visual_TV": np.zeros((5, 8), np.float16)}))
    assert store.get(IDENTITY, SPEC) is None
    assert not path.exists()

    wide = dataclasses.replace(make_features(), visual_TV=np.zeros((5, 9), np.float32))
    store.put(IDENTITY, SPEC, wide)
    assert store.get(IDENTITY, SPEC) is None


def test_removes_the_least_recently_used(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    store.put("a" * 16, SPEC, make_features(seed=1))
    one = store.size()
    store.max_bytes = 3 * one + one // 2
    store.put("b" * 16, SPEC, make_features(seed=2))
    store.put("c" * 16, SPEC, make_features(seed=3))
    hour_ago = time.time() - 3600
    for age, path in enumerate(sorted(tmp_path.iterdir())):
        os.utime(path, (hour_ago + age, hour_ago + age))
    assert store.get("a" * 16, SPEC) is not None  # a is now the most recently used
    store.put("d" * 16, SPEC, make_features(seed=4))
    kept = sorted(path.name[0] for path in tmp_path.iterdir())
    assert kept == ["a", "c", "d"]


def test_does_not_store_what_is_larger_than_the_cache(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, max_bytes=4000)
    store.put("a" * 16, SPEC, make_features(num_clips=5))
    store.put("b" * 16, SPEC, make_features(num_clips=5000))
    assert [path.name[0] for path in tmp_path.iterdir()] == ["a"]


def test_removes_what_killed_processes_left(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    left = tmp_path / ".x.safetensors.hl-01234567.part"
    left.write_bytes(b"half")
    os.utime(left, (time.time() - 48 * 3600,) * 2)
    store.put(IDENTITY, SPEC, make_features())
    assert not left.exists()


def test_a_cache_folder_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    root.write_text("not a folder")
    store = FeatureStore(root)
    for action in (
        lambda: store.get(IDENTITY, SPEC),
        lambda: store.put(IDENTITY, SPEC, make_features()),
    ):
        with pytest.raises(OutputError) as caught:
            action()
        assert str(root) in caught.value.message
        assert "HL_CACHE_DIR" in caught.value.hint
        assert "--no-cache" in caught.value.hint
    assert root.read_text() == "not a folder"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything"
)
def test_a_locked_cache_folder_is_an_output_error(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "cache")
    store.put(IDENTITY, SPEC, make_features())
    store.root.chmod(0o000)
    try:
        with pytest.raises(OutputError, match="cannot be read"):
            store.get(IDENTITY, SPEC)
        with pytest.raises(OutputError, match="disk is full"):
            store.put(IDENTITY, SPEC, make_features())
    finally:
        store.root.chmod(0o700)


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path)
    features = make_features(seed=1)
    store.put(IDENTITY, SPEC, features)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        store.put(IDENTITY, SPEC, make_features(seed=2))
    assert "--no-cache" in caught.value.hint
    assert_same(store.get(IDENTITY, SPEC), features)
    assert len(list(tmp_path.iterdir())) == 1


def test_refuses_identities_that_are_not_hex(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    for identity in ("", "../" * 10 + "a" * 20, "A" * 64, "a" * 15):
        with pytest.raises(ValueError, match="lowercase hex"):
            store.get(identity, SPEC)


WORKER = """
import sys
from pathlib import Path
from tests.test_store import SPEC, assert_same, make_features
from hlcli.features.store import FeatureStore

root, max_bytes, offset = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = FeatureStore(root, max_bytes)
hits = 0
for step in range(120):
    # Both processes write and read the same twelve videos, half a turn apart.
    seed = (step + offset) % 12
    identity = f"{seed:016x}"
    store.put(identity, SPEC, make_features(seed=seed, num_clips=40))
    for other in range(12):
        found = store.get(f"{other:016x}", SPEC)
        if found is not None:
            assert_same(found, make_features(seed=other, num_clips=40))
            hits += 1
print(hits)
"""


def test_two_processes_write_read_and_evict_at_once(tmp_path: Path) -> None:
    probe = FeatureStore(tmp_path / "probe")
    probe.put(IDENTITY, SPEC, make_features(num_clips=40))
    max_bytes = probe.size() * 4 + 100
    root = tmp_path / "cache"
    checkout = Path(__file__).resolve().parents[1]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(root), str(max_bytes), str(offset)],
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for offset in (0, 6)
    ]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert int(output) >= 120
    store = FeatureStore(root, max_bytes)
    assert 0 < store.size() <= max_bytes
    assert not [path for path in root.iterdir() if path.suffix != ".safetensors"]
