"""Compare a recording in one file with the same one in two: are the same moments chosen?

    python scripts/measure_recordings.py --work FOLDER VIDEO...

Each video is encoded once at 15 frames per second with running timecode, and cut into two chapters
by stream copy at the keyframe that is nearest to the middle of its best moment. Keyframes are 22
frames apart, so that the second chapter begins on no whole second. Prints the table of
docs/benchmarks/moments.md; the baseline chooses from each chapter alone.
"""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

import hlcli
from hlcli.document import ScoresDocument, find_moments
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.moments import Selection
from hlcli.progress import Listener
from hlcli.workflows.export import choose_across_files

_RATE, _KEYFRAMES = 15, 22


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for what is made")
    parser.add_argument("videos", type=Path, nargs="+")
    arguments = parser.parse_args()
    rules = {
        "nothing": Selection(),
        "`--top 3`": Selection(top=3),
        "`--target-duration 15s`": Selection(target_duration_seconds=15.0),
    }
    rows: dict[str, list[list[float]]] = {rule: [] for rule in rules}
    for video in arguments.videos:
        whole, chapters = make(video, arguments.work / video.stem)
        for rule, selection in rules.items():
            alone = [one.with_moments(find_moments(one, selection)) for one in chapters]
            joined = choose_across_files(alone, selection, Listener())
            wanted = spans([whole.with_moments(find_moments(whole, selection))])
            row = [float(len(wanted)), total(wanted)]
            for found in (alone, joined):
                row.append(sum(not m.continues for one in found for m in one.moments))
                row += [total(spans(found)), shared(wanted, spans(found))]
            rows[rule].append(row)
    print("| asked for | chosen from | moments | seconds | of those of one file | of these |")
    print("| --- | --- | --: | --: | --: | --: |")
    for rule, counted in rows.items():
        sums = [sum(column) for column in zip(*counted, strict=True)]
        seconds = sums[1]
        print(f"| {rule} | one file | {sums[0]:.0f} | {seconds:.0f} | | |")
        for name, at in (("each chapter alone", 2), ("**the recording**", 5)):
            print(
                f"| {rule} | {name} | {sums[at]:.0f} | {sums[at + 1]:.0f} | "
                f"{sums[at + 2] / seconds:.0%} | {sums[at + 2] / sums[at + 1]:.0%} |"
            )


def make(video: Path, folder: Path) -> tuple[ScoresDocument, list[ScoresDocument]]:
    """Return the scores of a recording in one file and in two."""
    (folder / "split").mkdir(parents=True, exist_ok=True)
    one, names = folder / "GX010042.MP4", [folder / "split" / f"GX0{n}0042.MP4" for n in (1, 2)]
    encode = ["-r", str(_RATE), "-c:v", "libx264", "-preset", "veryfast", "-bf", "0"]
    encode += ["-g", str(_KEYFRAMES), "-sc_threshold", "0", "-c:a", "aac"]
    run("-i", video, *encode, "-timecode", "10:00:00:00", one)
    (whole,) = hlcli.score([one])
    best = find_moments(whole, Selection(top=1))[0]
    middle = (best.start_seconds + best.end_seconds) / 2 * _RATE
    at = max(1, round(middle / _KEYFRAMES)) * _KEYFRAMES
    minutes, frames = divmod(at, 60 * _RATE)
    label = f"10:{minutes:02d}:{frames // _RATE:02d}:{frames % _RATE:02d}"
    # Half a frame early: the first frame of the next chapter stays out, or is the first.
    place = f"{(at - 0.5) / _RATE:.6f}"
    run("-i", one, "-c", "copy", "-t", place, "-timecode", "10:00:00:00", names[0])
    run("-ss", f"{at / _RATE:.6f}", "-i", one, "-c", "copy", "-timecode", label, names[1])
    chapters = hlcli.score(names)
    frames_of = [chapter.video.num_frames for chapter in chapters]
    assert frames_of == [at, whole.video.num_frames - at], (frames_of, at)
    return whole, chapters


def run(*arguments: object) -> None:
    """Run ffmpeg."""
    subprocess.run([find_ffmpeg().path, "-v", "error", "-y", *map(str, arguments)], check=True)


def spans(documents: Sequence[ScoresDocument]) -> list[tuple[float, float]]:
    """Return moments in the clock of the recording, in seconds."""
    found, start = [], 0.0
    for document in documents:
        found += [(start + m.start_seconds, start + m.end_seconds) for m in document.moments]
        start += document.video.duration_seconds
    return found


def total(stretches: Sequence[tuple[float, float]]) -> float:
    """Return the length of stretches that do not overlap, in seconds."""
    return sum(end - start for start, end in stretches)


def shared(wanted: Sequence[tuple[float, float]], found: Sequence[tuple[float, float]]) -> float:
    """Return for how long stretches of both lie over each other, in seconds."""
    return sum(
        max(0.0, min(end, other_end) - max(start, other_start))
        for start, end in wanted
        for other_start, other_end in found
    )


if __name__ == "__main__":
    main()
