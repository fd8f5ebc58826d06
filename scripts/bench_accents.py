"""How well accents of music are found, and how many cuts lie on them: tables.

    .venv/bin/python scripts/bench_accents.py FOOTAGE... --song SONG...

Makes four pieces of music whose drums are known, two of them played unevenly by 20 ms. Of the
footage up to `--top` moments of each file are laid on a timeline by themselves, as they are, with
cuts moved to the accents of a song, and moved to as many random instants; what counts is where the
song's accents are.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from bench import hardware

from hlcli import score
from hlcli.atomic import write_text
from hlcli.document import ScoresDocument
from hlcli.media import accents as finder
from hlcli.media.accents import find_accents
from hlcli.moments import Selection
from hlcli.timeline.build import Layout, build_edit_list

SAMPLE_RATE = 44_100
SECONDS = 60
NEAR_SECONDS = 0.02
PIECES = ((120, 0.0), (97, 0.0), (140, 0.02), (75, 0.02))
Floats = npt.NDArray[np.float64]


def make_song(path: Path, *, beats_a_minute: int, uneven: float, seed: int) -> Floats:
    """Write chords, a drum on each beat, soft notes between; returns when the drums are."""
    chance = np.random.default_rng(seed)
    beat = 60 / beats_a_minute
    at = np.arange(SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    chord = np.array([110.0, 98.0, 130.8, 87.3])[(at // (4 * beat)).astype(int) % 4]
    since = at % (4 * beat)
    sound = (
        0.06
        * np.minimum(1, since / 0.2)
        * sum(np.sin(2 * np.pi * chord * part * since) for part in (1, 1.25, 1.5, 2))
    )

    def add(instant: float, level: float, seconds: float, decay: float, hertz: float) -> None:
        place = round(instant * SAMPLE_RATE)
        inside = at[: min(round(seconds * SAMPLE_RATE), len(at) - place)]
        noise = chance.standard_normal(len(inside))
        tone = np.sin(2 * np.pi * hertz * inside) if hertz else noise
        sound[place : place + len(inside)] += level * np.exp(-decay * inside) * tone

    drums: list[float] = []
    for half in range(int(SECONDS / beat * 2) - 1):
        instant = max(0.05, half * beat / 2 + uneven * float(chance.standard_normal()))
        if half % 2 == 0:
            is_low = half % 4 == 0
            add(instant, 0.9 if is_low else 0.6, 0.18, 20, 60 if is_low else 0)
            drums.append(instant)
        add(instant, 0.06, 0.05, 80, 0)
        if chance.random() < 0.3:
            add(instant, 0.08, 0.4, 5, 440 * 2 ** (int(chance.integers(12)) / 12))
    samples = (sound / np.abs(sound).max() * 26_000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
    return np.array(drums)


def found_row(name: str, drums: Floats, accents: Floats) -> str:
    distances = np.abs(accents[:, None] - drums)
    right = float((distances.min(axis=1) <= NEAR_SECONDS).mean())
    recalled = float((distances.min(axis=0) <= NEAR_SECONDS).mean())
    late = float(np.median(accents - drums[distances.argmin(axis=1)]))
    return (
        f"| {name} | {len(drums)} | {len(accents)} | {right:.3f} | {recalled:.3f} "
        f"| {late * 1000:+.0f} |"
    )


def given(accents: Floats | None, path: Path, seconds: float) -> Floats | None:
    return accents


def cut_rows(name: str, accents: Floats, documents: Sequence[ScoresDocument]) -> list[str]:
    """Return the rows of one song, which starts again as often as the films need."""
    period = accents[-1] + 0.5
    accents = np.concatenate([accents + turn * period for turn in range(60)])
    random = np.sort(np.random.default_rng(0).uniform(0, accents[-1], len(accents)))
    rows = []
    for way, goals in (("as they are", None), ("to accents", accents), ("to random", random)):
        distances: list[float] = []
        num_moved = 0
        finder.find_accents = functools.partial(given, goals)  # type: ignore[assignment]
        for document in documents:
            plain = build_edit_list([document], name="cut")
            edit = plain
            if goals is not None:
                edit = build_edit_list([document], name="cut", layout=Layout(music=Path("song")))
            frames = np.round(accents * float(edit.frame_rate))
            distances += [
                float(np.abs(frames - event.record.start).min()) for event in edit.events[1:]
            ]
            num_moved += sum(
                one.frames != other.frames
                for one, other in zip(plain.events, edit.events, strict=True)
            )
        far = np.array(distances)
        rate = 60 * len(accents) / accents[-1]
        rows.append(
            f"| {name}, {rate:.0f} accents a minute | {way} | {len(far)} "
            f"| {(far == 0).mean():.2f} | {(far <= 1).mean():.2f} | {num_moved} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("footage", nargs="*", type=Path)
    parser.add_argument("--song", action="append", type=Path, default=[], help="real music, too")
    parser.add_argument("--top", type=int, default=40)
    parser.add_argument("--write", type=Path, help="also write the Markdown here")
    options = parser.parse_args()
    lines = [
        "# Accents of music",
        "",
        f"Made by `scripts/bench_accents.py`. {' '.join(hardware())}",
        "",
        f"Made music, {SECONDS} s each, whose drums are known; right is within "
        f"{NEAR_SECONDS * 1000:.0f} ms.",
        "",
        "| beats a minute | drums | accents | right | drums found | late, ms |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    songs: list[tuple[str, Floats]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed, (tempo, uneven) in enumerate(PIECES):
            path = Path(folder) / f"{seed}.wav"
            drums = make_song(path, beats_a_minute=tempo, uneven=uneven, seed=seed)
            name = f"{tempo}{', uneven' if uneven else ''}"
            songs.append((f"made, {name}", find_accents(path)))
            lines.append(found_row(name, drums, songs[-1][1]))
    songs += [(f"real, {path.stem}", find_accents(path)) for path in options.song]
    if options.footage:
        documents = score(options.footage, Selection(top=options.top, min_duration_seconds=1.0))
        documents = [document for document in documents if document.moments]
        lines += [
            "",
            f"Cuts of {len(documents)} films of up to {options.top} moments.",
            "",
            "| music | cuts | how many | on an accent's frame | within one frame | clips changed |",
            "| --- | --- | --: | --: | --: | --: |",
        ]
        for name, accents in songs:
            lines += cut_rows(name, accents, documents)
    text = "\n".join([*lines, ""])
    print(text)
    if options.write:
        write_text(options.write, text)


if __name__ == "__main__":
    main()
