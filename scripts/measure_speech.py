"""Count the ends of moments that fall inside words, with and without the rule about speech.

    python scripts/measure_speech.py [--words VIDEO WORDS.json]...

Speech is made on the spot by espeak-ng: phrases with pauses of known places at two paces, alone and
with the music of the demo film under it. VIDEO is one more, WORDS.json a list of segments with
`words`, each with `start` and `end`. Each video is scored once; its moments are chosen by its own
scores and by eleven made curves, so that there are ends enough to count, for each way of asking.
An end counts as avoidable if a pause of at least 0.1 s is within 0.5 s.
Prints the table in docs/benchmarks/moments.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

import hlcli
from hlcli.document import ScoresDocument, find_moments
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.moments import Selection

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from speech_factory import PHRASES, Spans, speech  # noqa: E402

RATE = 48000
SHORTEST_PAUSE = 0.1
REACH = 0.5
TOLERANCE = 0.03
"""Ends nearer to the edge of a word than this are beside it, in seconds."""
ASKED: dict[str, Selection] = {
    "nothing": Selection(),
    "`--top 3`": Selection(top=3),
    "`--top 8`": Selection(top=8),
    "`--top 10 --max-duration 4s`": Selection(top=10, max_duration_seconds=4),
    "`--threshold 0.55`": Selection(threshold=0.55),
    "`--target-duration 20s`": Selection(target_duration_seconds=20),
    "`--target-duration 45s`": Selection(target_duration_seconds=45),
}


def made_videos(folder: Path) -> list[tuple[str, Path, Spans]]:
    """Make the videos of espeak-ng; returns a title, the file and the phrases of each."""
    music = demo_sound()
    found = []
    for pace, under in itertools.product((150, 200), (None, 10)):
        sound, phrases = speech(
            folder,
            pauses=(0.15, 0.5, 0.25, 0.8, 0.35),
            phrases=PHRASES * 3,
            rate=RATE,
            words_a_minute=pace,
        )
        if under is not None:
            bed = np.resize(music, len(sound))
            level = np.sqrt(np.mean(sound**2) / np.mean(bed**2)) * 10 ** (-under / 20)
            sound = np.clip(sound + bed * level, -1, 1)
        title = f"espeak-ng, {pace} words a minute" + (f", music at -{under} dB" if under else "")
        path = folder / f"{pace}-{under}.mp4"
        write_video(path, sound)
        found.append((title, path, phrases))
    return found


def demo_sound() -> np.ndarray:
    """Return the demo film's sound, mono, shape `(N,)`."""
    with av.open(str(ROOT / "docs" / "demo" / "big-buck-bunny-excerpt.mp4")) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        frames = [
            part.to_ndarray()[0]
            for frame in container.decode(audio=0)
            for part in resampler.resample(frame)
        ]
    return np.concatenate(frames)


def write_video(path: Path, sound: np.ndarray) -> None:
    """Write a moving test picture with a sound in [-1, 1], shape `(N,)`."""
    command = [find_ffmpeg().path, "-v", "error", "-y", "-f", "lavfi", "-i"]
    command += ["testsrc2=size=320x180:rate=10", "-f", "f32le", "-ar", str(RATE), "-ac", "1"]
    command += ["-i", "-", "-shortest", "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, input=sound.astype("<f4").tobytes(), check=True)


def curves(document: ScoresDocument, number: int = 12) -> list[ScoresDocument]:
    """Return a document with its own scores, and with made ones."""
    found = [document]
    clips = np.arange(len(document.scores))
    for seed in range(1, number):
        random = np.random.default_rng(seed)
        waves = np.sin(clips * random.uniform(0.2, 0.9) + seed) * random.random(len(clips))
        row = tuple(np.clip(0.5 + 0.4 * waves, 0, 1).round(6).tolist())
        found.append(dataclasses.replace(document, scores=row, raw_scores=row))
    return found


def count(document: ScoresDocument, selection: Selection, words: Spans) -> tuple[int, int, int]:
    """Count the ends inside the video, those inside a word, and those of them to be avoided."""
    pauses = [
        (before[1], after[0])
        for before, after in itertools.pairwise(words)
        if after[0] - before[1] >= SHORTEST_PAUSE
    ]
    ends = [
        instant
        for moment in find_moments(document, selection)
        for instant in (moment.start_seconds, moment.end_seconds)
        if 1e-6 < instant < document.video.duration_seconds - 1e-6
    ]
    inside = [end for end in ends if any(a + TOLERANCE < end < b - TOLERANCE for a, b in words)]
    avoidable = [end for end in inside if any(a - REACH <= end <= b + REACH for a, b in pauses)]
    return len(ends), len(inside), len(avoidable)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", nargs=2, action="append", default=[], type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        videos = made_videos(Path(name))
        for video, words in arguments.words:
            segments = json.loads(words.read_text("utf-8"))
            spans = [(word["start"], word["end"]) for part in segments for word in part["words"]]
            videos.append((video.stem, video, spans))
        print("| speech | asked for | ends | inside words | avoidable | now: inside | avoidable |")
        print("|---|---|--:|--:|--:|--:|--:|")
        for title, path, words in videos:
            [document] = hlcli.score([path])
            for asked, selection in ASKED.items():
                total = np.zeros((2, 3), dtype=int)
                for curve in curves(document):
                    without = dataclasses.replace(curve, speech=None)
                    total += [count(without, selection, words), count(curve, selection, words)]
                (ends, inside, avoidable), (_, now_inside, now_avoidable) = total.tolist()
                print(
                    f"| {title} | {asked} | {ends} | {inside} | {avoidable} | {now_inside} | "
                    f"{now_avoidable} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
