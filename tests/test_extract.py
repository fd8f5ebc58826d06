"""Extraction: which picture and which stretch of sound each row was made from, and how it ends."""

from __future__ import annotations

import dataclasses
import random
import threading
from collections.abc import Iterator
from fractions import Fraction
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from hlcli.errors import DeviceError, MediaUnreadableError
from hlcli.features import extract as extract_module
from hlcli.features.device import memory_errors
from hlcli.features.encoder import Encoders
from hlcli.features.encoders import load_encoders
from hlcli.features.extract import extract_features
from hlcli.features.pictures import encode_pictures
from hlcli.features.sound import encode_sound
from hlcli.features.store import FeatureStore
from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.media.clips import ClipGrid
from hlcli.media.frames import Picture, read_pictures
from hlcli.media.measures import PictureMeasures
from hlcli.media.probe import probe
from tests.media_factory import AudioTrack, make_video, moving_square, shots

RATE = 16000


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    return load_encoders(torch.device("cpu"))


class PatchRecorder:
    """Keeps the patches it is given; embeds each as its first and its last sample."""

    name = "recorder"
    sha256 = "0" * 64
    size = 2
    sample_rate = RATE
    patch_samples = 15600
    batch_size = 4
    class_names = ("level",)

    def __init__(self) -> None:
        self.patches: list[FloatArray] = []

    def encode(self, sound_NS: FloatArray) -> tuple[FloatArray, FloatArray]:
        self.patches.extend(sound_NS.copy())
        return sound_NS[:, [0, -1]], np.abs(sound_NS).mean(axis=1, keepdims=True)


def counting(num_samples: int) -> FloatArray:
    """Sound whose every sample says where it is; exact in float32."""
    return np.arange(num_samples, dtype=np.float32) / 2**24


def in_blocks(sound: FloatArray, size: int) -> Iterator[FloatArray]:
    for start in range(0, len(sound), size):
        yield sound[start : start + size]


def starts_of(patches: list[FloatArray]) -> list[int]:
    return [round(float(patch[0]) * 2**24) for patch in patches]


def same_bits(one: VideoFeatures, other: VideoFeatures) -> bool:
    names = [field.name for field in dataclasses.fields(VideoFeatures) if field.name != "pictures"]
    names += [f"pictures.{field.name}" for field in dataclasses.fields(PictureMeasures)]
    return all(
        left.tobytes() == right.tobytes()
        if isinstance(left, np.ndarray) and isinstance(right, np.ndarray)
        else left == right
        for left, right in ((attrgetter(name)(one), attrgetter(name)(other)) for name in names)
    )


# Sound


@pytest.mark.parametrize("block_size", [37, 1600, 16000, 15999, 480000])
def test_each_patch_is_centred_on_its_clip(block_size: int) -> None:
    recorder = PatchRecorder()
    sound = counting(6 * RATE + 3200)  # the seventh clip is 0.2 s long
    encode_sound(in_blocks(sound, block_size), ClipGrid(7), recorder)
    # 8000 - 7800 samples into each clip; the last patch ends with the sound.
    expected = [200 + RATE * clip for clip in range(6)] + [len(sound) - 15600]
    assert starts_of(recorder.patches)[:7] == expected
    for patch, start in zip(recorder.patches, expected, strict=False):
        assert np.array_equal(patch, sound[start : start + 15600])


def test_patches_reach_into_the_neighbourhood_of_short_clips() -> None:
    recorder = PatchRecorder()
    sound = counting(2 * RATE)
    encode_sound(in_blocks(sound, 1000), ClipGrid(4, Fraction(1, 2)), recorder)
    # Centres at 4000, 12000, 20000, 28000: moved inwards at both ends, never filled with zeros.
    assert starts_of(recorder.patches)[:4] == [0, 4200, 12200, 16400]


def test_sound_shorter_than_a_patch_is_filled_with_zeros() -> None:
    recorder = PatchRecorder()
    sound = counting(5000) + 0.25
    found = encode_sound([sound], ClipGrid(1), recorder)
    assert np.array_equal(recorder.patches[0][:5000], sound)
    assert not recorder.patches[0][5000:].any()
    level = 10 * np.log10(np.mean(sound.astype(np.float64) ** 2))
    assert found.loudness_T == pytest.approx([level], abs=1e-4)


def test_clips_after_the_end_of_the_sound_are_silent() -> None:
    recorder = PatchRecorder()
    found = encode_sound([np.full(RATE, 0.5, np.float32)], ClipGrid(3), recorder)
    assert found.loudness_T.tolist() == pytest.approx([20 * np.log10(0.5), -100, -100])
    assert not recorder.patches[1].any()
    assert not recorder.patches[2].any()
    empty = encode_sound([], ClipGrid(2), recorder)
    assert empty.loudness_T.tolist() == [-100, -100]


def test_hours_of_silence_are_heard_once() -> None:
    recorder = PatchRecorder()
    batch = recorder.batch_size
    sound = np.zeros(5 * batch * RATE, np.float32)
    sound[3 * batch * RATE + 8000] = 0.5
    found = encode_sound(in_blocks(sound, 30 * RATE), ClipGrid(5 * batch), recorder)
    # One silent batch, and the one with the click.
    assert len(recorder.patches) == 2 * batch
    assert np.array_equal(found.audio_TA[:batch], found.audio_TA[4 * batch :])


def test_loudness_is_rms_in_dbfs() -> None:
    seconds = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 440 * seconds).astype(np.float32)
    sound = np.concatenate([sine, 0.1 * sine, np.zeros(RATE), np.full(RATE, 3.0), sine[:8000]])
    found = encode_sound(in_blocks(sound.astype(np.float32), 4321), ClipGrid(5), PatchRecorder())
    assert found.loudness_T.tolist() == pytest.approx(
        [-3.0103, -23.0103, -100, 0, -3.0103], abs=1e-3
    )


def test_the_window_stays_small_however_long_the_sound() -> None:
    longest = 0

    class Watching(PatchRecorder):
        def encode(self, sound_NS: FloatArray) -> tuple[FloatArray, FloatArray]:
            nonlocal longest
            window = sound_NS.base if sound_NS.base is not None else sound_NS
            longest = max(longest, window.size)
            return sound_NS[:, [0, -1]], sound_NS[:, :1]

    import tracemalloc

    def hour() -> Iterator[FloatArray]:
        for _ in range(120):
            yield np.full(30 * RATE, 0.5, np.float32)

    tracemalloc.start()
    try:
        found = encode_sound(hour(), ClipGrid(3600), Watching())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.loudness_T.tolist() == pytest.approx([20 * np.log10(0.5)] * 3600)
    assert longest == 4 * 15600
    # Three blocks of 30 s at most, against 230 MB for the hour.
    assert peak < 3.5 * 30 * RATE * 4 + 1e6


def test_not_a_number_in_the_sound_spoils_nothing(encoders: Encoders) -> None:
    sound = 0.1 * np.sin(np.arange(2 * RATE, dtype=np.float32) / 7)
    sound[500:520] = [np.nan, np.inf, -np.inf, 1.0] * 5
    found = encode_sound([sound], ClipGrid(2), encoders.audio)
    assert np.isfinite(found.audio_TA).all()
    assert np.isfinite(found.loudness_T).all()


def test_block_size_changes_no_bit(encoders: Encoders) -> None:
    sound = np.random.default_rng(5).normal(scale=0.1, size=19 * RATE + 777).astype(np.float32)
    whole = encode_sound([sound], ClipGrid(20), encoders.audio)
    for size in (1234, RATE, 5 * RATE):
        found = encode_sound(in_blocks(sound, size), ClipGrid(20), encoders.audio)
        assert found.audio_TA.tobytes() == whole.audio_TA.tobytes()
        assert found.events_TC.tobytes() == whole.events_TC.tobytes()
        assert found.loudness_T.tobytes() == whole.loudness_T.tobytes()
    alone, _ = encoders.audio.encode(sound[None, 17 * RATE + 200 : 17 * RATE + 15800])
    np.testing.assert_allclose(whole.audio_TA[17], alone[0], rtol=1e-3, atol=1e-4)


# Pictures


def made_pictures(clips: list[int]) -> list[Picture]:
    made = []
    for clip in clips:
        noise = np.random.default_rng(clip).integers(0, 256, (7, 7, 3), dtype=np.uint8)
        made.append(
            Picture(
                clip=clip,
                pts_seconds=clip + 0.5,
                rgb_HWC=noise.repeat(32, axis=0).repeat(32, axis=1),
            )
        )
    return made


def test_order_of_arrival_changes_no_bit(encoders: Encoders) -> None:
    pictures = made_pictures(list(range(11)))
    expected = encode_pictures(pictures, 11, encoders.visual)
    for seed in range(3):
        shuffled = random.Random(seed).sample(pictures, len(pictures))
        found = encode_pictures(shuffled, 11, encoders.visual)
        assert found.tobytes() == expected.tobytes()
    alone = encoders.visual.encode(pictures[7].rgb_HWC[None])
    np.testing.assert_allclose(expected[7], alone[0], atol=5e-3, rtol=0)
    assert expected.dtype == np.float16


def test_a_clip_without_a_picture_takes_its_neighbour_s(encoders: Encoders) -> None:
    found = encode_pictures(made_pictures([1, 2, 6]), 9, encoders.visual)
    expected = encoders.visual.encode(np.stack([p.rgb_HWC for p in made_pictures([1, 2, 6])]))
    nearest = [0, 0, 1, 1, 1, 2, 2, 2, 2]
    np.testing.assert_allclose(found, expected[nearest], atol=5e-3, rtol=0)
    with pytest.raises(MediaUnreadableError):
        encode_pictures([], 3, encoders.visual)


def test_a_frame_that_lasts_for_many_clips_is_looked_at_once(
    encoders: Encoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = made_pictures([0, 1])
    shape = [0] * 14 + [1] * 6  # batches of four: three of the first frame alone, a mixed one, ...
    pictures = [
        dataclasses.replace((first, second)[frame], clip=clip) for clip, frame in enumerate(shape)
    ]
    monkeypatch.setattr(encoders.visual, "batch_size", 4)
    expected = encode_pictures(pictures, len(shape), encoders.visual)
    encode, sizes = encoders.visual.encode, list[int]()

    def counted(rgb_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        sizes.append(len(rgb_NHWC))
        return encode(rgb_NHWC)

    monkeypatch.setattr(encoders.visual, "encode", counted)
    found = encode_pictures(pictures, len(shape), encoders.visual)
    assert sizes == [1, 2, 1]
    alone = [encode(picture.rgb_HWC[None])[0] for picture in (first, second)]
    np.testing.assert_allclose(found, np.stack(alone)[shape], atol=5e-3, rtol=0)
    assert found.tobytes() == expected.tobytes()
    backwards = encode_pictures(pictures[::-1], len(shape), encoders.visual)
    assert backwards.tobytes() == expected.tobytes()


# The whole pass


def chord(seconds: float, *, sample_rate: int = 48000) -> FloatArray:
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    wave = sum(np.sin(2 * np.pi * hertz * t) for hertz in (261.6, 329.6, 392.0))
    return np.asarray([0.2 * wave], dtype=np.float32)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Four and a half seconds, a new shot at 2 s, sound that stops at 3 s."""
    wave = chord(4.5)
    wave[:, 3 * 48000 :] = 0
    return make_video(
        tmp_path,
        num_frames=135,
        gop=150,
        paint=shots(60),
        audio=(AudioTrack(wave=wave),),
    )


def test_one_row_per_clip(encoders: Encoders, video: Path) -> None:
    reports: list[tuple[str, float, float]] = []
    info = probe(video)
    found = extract_features(
        info, encoders=encoders, progress=lambda *report: reports.append(report)
    )
    assert found.spec_digest == encoders.spec.digest()
    assert found.duration_seconds == pytest.approx(4.5)
    assert found.visual_TV.shape == (5, 1280)
    assert found.audio_TA is not None
    assert found.events_TC is not None
    assert found.loudness_T is not None
    assert found.audio_TA.shape == (5, 1024)
    assert found.events_TC.shape == (5, 521)
    assert found.motion_T.shape == (5,)
    # The frame numbers painted on it make boundaries of their own.
    assert np.abs(found.shot_boundaries_seconds - 2.0).min() < 0.05
    assert found.damage is None
    for rows in (found.visual_TV, found.audio_TA, found.events_TC):
        assert rows.dtype == np.float16
    with read_pictures(info, ClipGrid(5), picture_size=224, num_workers=1) as reader:
        for picture in reader:
            expected_V = encoders.visual.encode(picture.rgb_HWC[None])[0]
            np.testing.assert_allclose(found.visual_TV[picture.clip], expected_V, atol=5e-3, rtol=0)
    level = 10 * np.log10(3 * 0.2**2 / 2)
    assert found.loudness_T[:3] == pytest.approx([level] * 3, abs=0.5)
    assert found.loudness_T[4] < -60
    names = encoders.audio.class_names
    silence_T = found.events_TC[:, names.index("Silence")]
    assert silence_T[:3].max() < 0.1
    assert silence_T[4] > 0.9
    assert ("looking", 5, 5) in reports


def test_cold_and_cached_features_are_the_same_bits(
    encoders: Encoders, video: Path, tmp_path: Path
) -> None:
    info = probe(video)
    cold = extract_features(info, encoders=encoders)
    store = FeatureStore(tmp_path / "cache")
    store.put("ab" * 32, encoders.spec, cold)
    cached = store.get("ab" * 32, encoders.spec)
    assert cached is not None
    assert same_bits(cold, cached)
    assert store.size() < 5 * (1280 + 1024 + 521) * 2 + 3000  # the head and the measurements


def test_number_of_workers_and_block_length_change_no_bit(
    encoders: Encoders, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe(video)
    one = extract_features(info, encoders=encoders, num_workers=1)
    three = extract_features(info, encoders=encoders, num_workers=3)
    assert same_bits(one, three)
    real = extract_module.read_waveform
    monkeypatch.setattr(
        extract_module,
        "read_waveform",
        lambda info, *, sample_rate: real(info, sample_rate=sample_rate, block_seconds=1),
    )
    assert same_bits(one, extract_features(info, encoders=encoders))


def test_without_sound(encoders: Encoders, video: Path, tmp_path: Path) -> None:
    info = probe(video)
    heard = extract_features(info, encoders=encoders)
    ignored = extract_features(info, encoders=encoders, use_audio=False)
    assert not ignored.has_audio
    assert same_bits(ignored, heard.without_audio())
    folder = tmp_path / "silent"
    folder.mkdir()
    silent = extract_features(probe(make_video(folder, paint=moving_square)), encoders=encoders)
    assert silent.audio_TA is None
    assert silent.events_TC is None
    assert silent.loudness_T is None
    assert silent.num_clips == 2


def test_says_what_was_lost(encoders: Encoders, tmp_path: Path) -> None:
    path = make_video(
        tmp_path,
        num_frames=300,
        paint=moving_square,
        audio=(AudioTrack(wave=chord(10)),),
        container_options=(("movflags", "faststart"),),
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    found = extract_features(probe(path), encoders=encoders)
    assert found.num_clips == 10
    assert found.damage is not None
    assert "could not be decoded" in found.damage
    assert np.isfinite(found.visual_TV).all()
    assert found.visual_TV.any(axis=1).all()


def hl_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hl-")]


def test_ctrl_c_ends_every_thread(encoders: Encoders, video: Path) -> None:
    def interrupt(stage: str, done: float, total: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(probe(video), encoders=encoders, progress=interrupt)
    assert hl_threads() == []


def test_a_device_out_of_memory_says_so_and_ends_every_thread(
    encoders: Encoders, video: Path
) -> None:
    class TooLarge:
        name, sha256, size = encoders.visual.name, encoders.visual.sha256, encoders.visual.size
        picture_size, batch_size = encoders.visual.picture_size, encoders.visual.batch_size

        def encode(self, rgb_NHWC: np.ndarray) -> FloatArray:
            with memory_errors(torch.device("cpu")):
                return torch.empty(2**60).numpy()

    small = dataclasses.replace(encoders, visual=TooLarge())
    with pytest.raises(DeviceError, match="out of memory") as caught:
        extract_features(probe(video), encoders=small)
    assert caught.value.hint
    assert hl_threads() == []


@pytest.mark.shared
@pytest.mark.slow
def test_real_clips_sound_like_what_they_show(encoders: Encoders, shared_dir: Path) -> None:
    """Class means over real dunks and marching bands, never seen with these labels."""
    names = encoders.audio.class_names

    def mean_events(pattern: str, count: int) -> FloatArray:
        paths = sorted((shared_dir / "data" / "clips").glob(pattern))[:count]
        assert len(paths) == count
        rows = [extract_features(probe(path), encoders=encoders).events_TC for path in paths]
        return np.asarray(np.concatenate([row for row in rows if row is not None]).mean(axis=0))

    dunk = mean_events("*_BasketballDunk_*", 10)
    band = mean_events("*_BandMarching_*", 6)
    bounce, music = names.index("Basketball bounce"), names.index("Music")
    assert bounce in np.argsort(dunk)[-5:]
    assert dunk[bounce] > 4 * band[bounce]
    assert names[int(band.argmax())] == "Music"
    assert band[music] > dunk[music]
