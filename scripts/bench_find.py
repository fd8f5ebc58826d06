"""Measure what `hl find` finds: precision and recall at five, three wordings for each thing.

    .venv/bin/python scripts/bench_find.py --clips CLIPS --animals ANIMALS --work FOLDER

Pictures are asked for in CLIPS, a folder with a `manifest.json` whose entries have `file` and
`label` (seven classes of UCF101 with sound, among clips of other things). Sounds are made here,
three of a kind, and mixed with the recordings of ANIMALS, a folder of `dog.mp3`, `cow.mp3`, ...
Each video counts as one result, by its best second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np

from hlcli import paths
from hlcli.features.concepts import meant_by, picture_relevance, sound_relevance
from hlcli.features.picture_classes import PictureClasses
from hlcli.features.sentences import Sentences, model_folder
from hlcli.features.store import FeatureStore
from hlcli.features.types import FeatureSpec, VideoFeatures
from hlcli.media.discover import find_videos
from hlcli.media.identity import content_identity
from hlcli.workflows.find import _embedded
from hlcli.workflows.score import score
from hlcli.zoo.manifest import default_model_name, find_detector, find_model
from hlcli.zoo.weights import weights_path

RATE = 44100
Wave: TypeAlias = Any
"""Samples in [-1, 1], float64, shape `(N,)`."""

PICTURES = {
    "ApplyEyeMakeup": ("eye makeup", "woman putting on mascara", "applying eyeshadow"),
    "ApplyLipstick": ("lipstick", "woman painting her lips", "applying lipstick"),
    "Archery": ("archery", "shooting with bow and arrow", "archer aiming at a target"),
    "BabyCrawling": ("baby crawling", "infant on the floor", "toddler crawling on the carpet"),
    "BalanceBeam": ("balance beam", "gymnast on a beam", "gymnastics competition"),
    "BandMarching": ("marching band", "parade with drums", "brass band in the street"),
    "BasketballDunk": ("slam dunk", "basketball game", "player dunking the ball"),
}
ANIMALS = {
    "dog": ("dog barking", "a barking puppy", "woof"),
    "cat": ("cat meowing", "kitten", "meow"),
    "cow": ("cow mooing", "cattle", "moo"),
    "horse": ("horse neighing", "a pony whinnies", "neigh"),
    "pig": ("pig grunting", "swine", "oink"),
    "sheep": ("sheep bleating", "a lamb", "baa"),
    "duck": ("duck quacking", "waterfowl", "quack"),
    "rooster": ("rooster crowing", "a cock in the morning", "cock-a-doodle-doo"),
    "owl": ("owl hooting", "night bird", "hoot"),
    "frog": ("frog croaking", "toads in a pond", "croak"),
}
MADE = {
    "speech": ("speech", "a man talking", "somebody speaks"),
    "white_noise": ("white noise", "static", "hiss of an untuned radio"),
    "silence": ("silence", "nothing to hear", "quiet"),
    "sine": ("sine wave", "a pure tone", "test tone"),
    "siren": ("siren", "police car", "emergency vehicle passing"),
    "dial_tone": ("dial tone", "telephone line", "waiting to dial"),
    "busy": ("busy signal", "engaged telephone", "line is busy"),
    "dialling": ("telephone dialing", "phone keypad", "touch tones"),
    "alarm": ("alarm clock", "beeping alarm", "wake-up call"),
    "bell": ("church bell", "bell ringing", "bells of a cathedral"),
    "music": ("music", "organ chords", "a tune"),
    "drum": ("drum", "drummer playing", "percussion solo"),
    "clock": ("ticking clock", "tick-tock", "wall clock"),
    "heartbeat": ("heartbeat", "beating heart", "pulse"),
    "gunshot": ("gunshot", "shooting a gun", "rifle fire"),
    "helicopter": ("helicopter", "chopper overhead", "rotor blades"),
    "foghorn": ("foghorn", "ship's horn", "harbour in the mist"),
    "thunder": ("thunder", "a storm with lightning", "rumble in the sky"),
    "applause": ("applause", "people clapping", "an ovation"),
    "guitar": ("guitar", "strumming", "plucked strings"),
}


def made(kind: str, seed: int) -> Wave:
    """Return four seconds of a made sound, in [-1, 1]."""
    random = np.random.default_rng(seed)
    t = np.arange(4 * RATE) / RATE
    pitch = 1 + 0.1 * (seed - 1)

    def tone(*hertz: float) -> Wave:
        return sum(np.sin(2 * np.pi * one * t) for one in hertz) / len(hertz)

    def strokes(times: Wave, sound: Callable[[Wave], Wave], length: float) -> Wave:
        whole = np.zeros(len(t))
        piece = sound(np.arange(round(length * RATE)) / RATE)
        for start in times:
            place = round(start * RATE)
            part = piece[: max(0, len(whole) - place)]
            whole[place : place + len(part)] += part
        return whole / max(1e-9, abs(whole).max())

    def noise(x: Wave) -> Wave:
        return random.normal(size=len(x))

    def low(x: Wave, width: int) -> Wave:
        return np.convolve(x, np.ones(width) / width, "same")

    on_off = (t % 1.0 < 0.5).astype(float)
    makers: dict[str, Callable[[], Wave]] = {
        "white_noise": lambda: 0.2 * noise(t),
        "silence": lambda: np.zeros(len(t)),
        "sine": lambda: tone(440 * pitch),
        "siren": lambda: np.sin(
            2 * np.pi * np.cumsum(900 * pitch + 400 * np.sin(2 * np.pi * 0.5 * t)) / RATE
        ),
        "dial_tone": lambda: tone(350 * pitch, 440 * pitch),
        "busy": lambda: on_off * tone(480 * pitch, 620 * pitch),
        "dialling": lambda: sum(
            ((t % 2.0 >= i * 0.25) & (t % 2.0 < i * 0.25 + 0.12)) * tone(a, b)
            for i, (a, b) in enumerate(
                random.permutation([(697, 1209), (770, 1336), (852, 1477), (941, 1336)] * 2)
            )
        ),
        "alarm": lambda: ((t * 8 % 2 < 1) & (t % 1 < 0.6)) * np.sign(tone(2000 * pitch)),
        "bell": lambda: strokes(
            np.arange(0, 4, 1.3),
            lambda x: sum(
                np.exp(-x * k) * np.sin(2 * np.pi * 400 * pitch * m * x)
                for m, k in ((0.5, 0.8), (1, 1), (1.2, 1.5), (1.5, 2), (2, 2), (2.7, 3))
            ),
            2.5,
        ),
        "music": lambda: sum(
            (t // 1 == bar) * tone(*(261.6 * pitch * 2 ** (n / 12) for n in chord))
            for bar, chord in enumerate([(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)])
        ),
        "drum": lambda: strokes(
            np.sort(random.choice(np.arange(0, 4, 0.125), 20, replace=False)),
            lambda x: np.exp(-x * 25) * (np.sin(2 * np.pi * 120 * pitch * x) + 0.6 * noise(x)),
            0.3,
        ),
        "clock": lambda: strokes(
            np.arange(0, 4, 0.5), lambda x: np.exp(-x * 400) * np.sin(2 * np.pi * 3000 * x), 0.05
        ),
        "heartbeat": lambda: strokes(
            np.sort(np.r_[np.arange(0, 4, 0.9), np.arange(0.3, 4, 0.9)]),
            lambda x: np.exp(-x * 25) * np.sin(2 * np.pi * 50 * pitch * x),
            0.2,
        ),
        "gunshot": lambda: strokes(
            np.array([0.3, 1.5, 2.4]), lambda x: np.exp(-x * 12) * low(noise(x), 4), 0.8
        ),
        "helicopter": lambda: low(noise(t), 60) * (1.1 + np.sign(np.sin(2 * np.pi * 14 * t))),
        "foghorn": lambda: (
            (t % 3 < 2) * np.sign(np.sin(2 * np.pi * 110 * pitch * t)) * np.minimum(1, t % 3 * 5)
        ),
        "thunder": lambda: strokes(
            np.array([0.2, 2.2]), lambda x: np.exp(-x * 1.5) * low(noise(x), 150), 2.0
        ),
        "applause": lambda: strokes(
            random.uniform(0, 3.9, 400), lambda x: np.exp(-x * 120) * noise(x), 0.05
        ),
        "guitar": lambda: strokes(
            np.arange(0, 4, 0.6),
            lambda x: sum(
                np.exp(-x * (1 + m)) * np.sin(2 * np.pi * 196 * pitch * m * x) / m
                for m in range(1, 9)
            ),
            1.5,
        ),
    }
    wave_N = np.asarray(makers[kind](), np.float64)
    peak = abs(wave_N).max()
    return 0.6 * wave_N / peak if peak > 0 else wave_N


def write_sounds(folder: Path, animals: Path | None) -> dict[Path, str]:
    """Write a video for each sound and return what is to be heard in it."""
    folder.mkdir(parents=True, exist_ok=True)
    sources: dict[str, tuple[str, Path]] = {}
    for kind in MADE:
        for seed in range(3):
            sound = folder / f"{kind}-{seed}.wav"
            if kind == "speech":
                voice = ("en-gb", "en-us", "en")[seed]
                words = "The meeting starts at ten and everybody is welcome to join us."
                subprocess.run(["espeak-ng", "-v", voice, "-w", str(sound), words], check=True)
            else:
                with wave.open(str(sound), "wb") as file:
                    file.setparams((1, 2, RATE, 0, "NONE", ""))
                    file.writeframes((made(kind, seed) * 32767).astype("<i2").tobytes())
            sources[f"{kind}-{seed}"] = (kind, sound)
    for name in ANIMALS if animals else ():
        sources[name] = (name, cast(Path, animals) / f"{name}.mp3")
    found = {}
    for name, (kind, sound) in sources.items():
        video = folder / f"{name}.mp4"
        if not video.exists():
            subprocess.run(
                ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "color=gray:s=160x90:r=10",
                 "-i", str(sound), "-shortest", "-t", "8", "-c:a", "aac", str(video)],
                check=True,
            )  # fmt: skip
        found[video] = kind
    return found


def features_of(videos: list[Path], spec: FeatureSpec) -> list[VideoFeatures]:
    """Return the features of videos, which are scored where that was not done yet."""
    store = FeatureStore(paths.features_dir())
    identities = [content_identity(path) for path in videos]
    missing = [
        p for p, identity in zip(videos, identities, strict=True) if not store.has(identity, spec)
    ]
    if missing:
        score(missing)
    found = [store.get(identity, spec) for identity in identities]
    assert all(one is not None for one in found)
    return cast(list[VideoFeatures], found)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--animals", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    spec = FeatureSpec.from_table(find_detector(default_model_name()).feature_spec)
    classes = PictureClasses(weights_path(find_model(spec.visual_encoder)))
    sentences = None if model_folder() is None else Sentences()

    def likeness(query: str, names: Any) -> Any:
        assert sentences is not None
        return _embedded(tuple(names), sentences) @ sentences.embed([query])[0]

    manifest = json.loads((arguments.clips / "manifest.json").read_text())
    labels = {one["file"]: one["label"] for one in manifest}
    clips = {path: labels.get(path.name) for path in find_videos([str(arguments.clips)])}
    sounds = write_sounds(arguments.work / "sounds", arguments.animals)
    sets: dict[str, tuple[dict[Path, Any], dict[str, tuple[str, str, str]]]] = {
        "pictures": (clips, PICTURES),
        "recorded sounds": (sounds, ANIMALS if arguments.animals else {}),
        "made sounds": (sounds, MADE),
    }
    ways: dict[str, dict[str, Any]] = {"names alone": {"synonyms": False}, "words": {}}
    if sentences is not None:
        ways["meaning"] = {"likeness": likeness}
    missed: dict[str, list[str]] = {}
    for title, (videos, wordings) in sets.items():
        if not wordings:
            continue
        features = features_of(list(videos), spec)
        pictures = [classes.probabilities(feature.visual_TV) for feature in features]
        kinds = np.array([str(kind) for kind in videos.values()])
        share = {kind: float((kinds == kind).mean()) for kind in wordings}
        print(f"\n{title}: {len(videos)} videos, {len(wordings)} things, three wordings each\n")
        print("| | precision at 5 | recall at 5 | first result right |")
        print("| --- | ---: | ---: | ---: |")
        counts = {kind: int((kinds == kind).sum()) for kind in wordings}
        chance = float(np.mean([share[kind] for kind in wordings]))
        print(f"| random | {chance:.2f} | {5 / len(videos):.2f} | {chance:.2f} |")
        most = np.mean([min(5, counts[kind]) / 5 for kind in wordings])
        for way, settings in ways.items():
            rows = []
            for kind, queries in wordings.items():
                for query in queries:
                    meant = meant_by(query, **settings)
                    relevance = []
                    for one, picture in zip(features, pictures, strict=True):
                        best = float(picture_relevance(meant.in_picture(picture)).max())
                        if one.events_TC is not None:
                            relevance_T = sound_relevance(meant.in_sound(one.events_TC))
                            best = max(best, float(relevance_T.max()))
                        relevance.append(best)
                    order = np.argsort(-np.array(relevance), kind="stable")[:5]
                    right = [kinds[i] == kind and relevance[i] >= 0.05 for i in order]
                    rows.append((sum(right) / 5, sum(right) / counts[kind], float(right[0])))
                    if not any(right):
                        missed.setdefault(f"{title}, {way}", []).append(query)
            precision, recall, first = np.mean(rows, axis=0)
            print(f"| {way} | {precision:.2f} | {recall:.2f} | {first:.2f} |")
        print(
            f"| the most there can be | {most:.2f} | "
            f"{np.mean([min(5, counts[kind]) / counts[kind] for kind in wordings]):.2f} | 1.00 |"
        )
    print()
    for name, failed in missed.items():
        print(f"{name}, nothing right among five: {', '.join(failed)}")


if __name__ == "__main__":
    main()
