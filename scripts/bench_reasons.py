"""How many moments get a reason in words, on joined clips, and a sheet of stills to judge them by.

    scripts/bench_reasons.py CLIPS [--videos FILE ...] [--sheet sheet.png]

CLIPS is a folder of short clips whose names say what they show. They are joined at random into
films of some 200 seconds, features after features, nothing is encoded again; the ten best moments
of each film are explained. The sheet shows a still of each sampled moment with its reasons.
"""

from __future__ import annotations

import argparse
import collections
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from hlcli.document import ModelRecord, ScoresDocument, VideoRecord, find_moments
from hlcli.features.types import VideoFeatures
from hlcli.media.discover import find_videos
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.media.still import read_stills
from hlcli.moments import Moment, Selection, in_words
from hlcli.workflows.score import Pipeline

FILM_SECONDS = 200
CELL = (320, 180)


@dataclass
class Film:
    """A joined film: its scores, and which second of which file each of its seconds is."""

    document: ScoresDocument
    seconds: list[tuple[Path, int]]


def main() -> None:
    """Print the table, and draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--videos", type=Path, nargs="*", default=[], help="films as they are")
    parser.add_argument("--films", type=int, default=8)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    pipeline = Pipeline()
    known: dict[Path, tuple[MediaInfo, VideoFeatures]] = {}
    for path in [*find_videos([str(arguments.clips)]), *arguments.videos]:
        info = probe(path)
        known[path] = info, pipeline.features(info, content_identity(path))
    clips = [path for path in known if path not in arguments.videos and known[path][1].has_audio]
    films = [_joined(pipeline, clips, known, seed=seed) for seed in range(arguments.films)] + [
        _joined(pipeline, [path], known, seed=0) for path in arguments.videos
    ]
    chosen: list[tuple[Film, Moment]] = []
    print("| moments | films | with a reason | that names a sound or sight | of the kind |")
    print("| --- | ---: | ---: | ---: | --- |")
    for title, selection in (("default", Selection()), ("--top 10", Selection(top=10))):
        moments = [
            (film, moment) for film in films for moment in find_moments(film.document, selection)
        ]
        kinds = collections.Counter(
            _kind(reason, film) for film, moment in moments for reason in moment.reasons
        )
        named = sum(
            any(_kind(reason, film) in ("sound", "sight") for reason in moment.reasons)
            for film, moment in moments
        )
        given = sum(bool(moment.reasons) for _, moment in moments)
        words = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        print(f"| {title}: {len(moments)} | {len(films)} | {given} | {named} | {words} |")
        chosen = moments
    sample = random.Random(7).sample(
        [pair for pair in chosen if pair[1].reasons], min(arguments.sample, len(chosen))
    )
    for number, (film, moment) in enumerate(sample, 1):
        shown = [film.seconds[second][0].stem for second in _inside(moment, film)]
        alike = [
            film.seconds[60 * int(minutes) + int(seconds)][0].stem
            for reason in moment.reasons
            if reason.startswith("like ")
            for minutes, seconds in re.findall(r"(\d+):(\d\d)", reason)
        ]
        words = ", ".join(dict.fromkeys(shown)) + (f" | {', '.join(alike)}" if alike else "")
        print(f"{number:3}. {in_words(moment.reasons)}  <- {words}")
    if arguments.sheet:
        _draw(arguments.sheet, sample, known)


def _joined(
    pipeline: Pipeline,
    clips: list[Path],
    known: dict[Path, tuple[MediaInfo, VideoFeatures]],
    *,
    seed: int,
) -> Film:
    """Join whole seconds of clips, in an order of chance, and score the film."""
    order = random.Random(seed).sample(clips, len(clips))
    parts: list[VideoFeatures] = []
    seconds: list[tuple[Path, int]] = []
    cuts: list[float] = []
    for path in order:
        features = known[path][1]
        count = int(features.duration_seconds) if len(clips) > 1 else features.num_clips
        if count < 2:
            continue
        cuts += [float(len(seconds))] * bool(seconds)
        cuts += [
            len(seconds) + float(cut) for cut in features.shot_boundaries_seconds if 0 < cut < count
        ]
        parts.append(features)
        seconds += [(path, second) for second in range(count)]
        if len(seconds) >= FILM_SECONDS and len(clips) > 1:
            break

    counts = list(collections.Counter(path for path, _ in seconds).values())

    def rows(name: str) -> Any:
        given = [getattr(part, name) for part in parts]
        if any(row is None for row in given):
            return None
        return np.concatenate([row[:count] for row, count in zip(given, counts, strict=True)])

    duration = float(len(seconds)) if len(clips) > 1 else parts[0].duration_seconds
    features = VideoFeatures(
        spec_digest=parts[0].spec_digest,
        duration_seconds=duration,
        shot_boundaries_seconds=np.asarray(cuts),
        visual_TV=rows("visual_TV"),
        audio_TA=rows("audio_TA"),
        events_TC=rows("events_TC"),
        motion_T=rows("motion_T"),
        loudness_T=rows("loudness_T"),
    )
    info = known[order[0]][0]
    scores = pipeline.scorer.score(features, modality="va" if features.has_audio else "v")
    video = VideoRecord.from_media(info, "0" * 64)
    video = replace(video, duration_seconds=duration)
    document = ScoresDocument(
        video=video,
        model=ModelRecord(name="x", version="1", sha256="0" * 64),
        modality="va" if features.has_audio else "v",
        clip_seconds=1.0,
        scores=tuple(map(float, scores.score_T)),
        raw_scores=tuple(map(float, scores.raw_T)),
        picture_scores=None if scores.picture_T is None else tuple(map(float, scores.picture_T)),
        sound_scores=None if scores.sound_T is None else tuple(map(float, scores.sound_T)),
        shot_boundaries_seconds=tuple(cuts),
        damage=None,
        moments=(),
        **pipeline.observed(features, duration),
    )
    return Film(document, seconds)


def _inside(moment: Moment, film: Film) -> Iterator[int]:
    for second in range(len(film.seconds)):
        if moment.start_seconds <= second + 0.5 < moment.end_seconds:
            yield second


def _kind(reason: str, film: Film) -> str:
    if reason in {sight.name for sight in film.document.sights or ()}:
        return "sight"
    if reason.startswith("like "):
        return "like"
    if reason.startswith("unlike "):
        return "unlike"
    if reason.endswith(" around it") or reason == "silence":
        return "loudness"
    return "movement" if reason.endswith(("movement", "cutting")) else "sound"


def _draw(
    path: Path,
    sample: list[tuple[Film, Moment]],
    known: dict[Path, tuple[MediaInfo, VideoFeatures]],
) -> None:
    """Draw three stills of each moment, from its first, middle and last second, in a row."""
    rows = Image.new("RGB", (3 * CELL[0], len(sample) * (CELL[1] + 18)))
    draw = ImageDraw.Draw(rows)
    for number, (film, moment) in enumerate(sample):
        top = number * (CELL[1] + 18)
        draw.text((4, top + 2), f"{number + 1}. {in_words(moment.reasons)}", fill="white")
        seconds = list(_inside(moment, film))
        for column, second in enumerate((seconds[0], seconds[len(seconds) // 2], seconds[-1])):
            file, inside = film.seconds[second]
            info = known[file][0]
            frame = min(info.num_frames - 1, round((inside + 0.5) * float(info.frame_rate)))
            for still in read_stills(info, [frame], height=CELL[1]):
                picture = Image.fromarray(still.rgb_HWC)
                picture.thumbnail(CELL)
                rows.paste(picture, (column * CELL[0], top + 18))
    rows.save(path)


if __name__ == "__main__":
    main()
