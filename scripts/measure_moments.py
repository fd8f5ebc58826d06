"""Count what an editor would mend at the ends of moments, in a folder of videos or of scores.

    python scripts/measure_moments.py FOLDER [--top N | --target-duration SECONDS]
    python scripts/measure_moments.py FOLDER --plant FILES --work FOLDER

FOLDER holds videos, which are scored first (what is stored counts), or scores documents (.json).
Prints a row of the table in docs/benchmarks/moments.md for each file, by the rules of the `hlcli`
that Python finds: run it with PYTHONPATH at another version of the repository to compare.

With --plant, FOLDER holds real clips of five seconds and more. FILES videos are joined from them
with junk of known place between, and it is counted what reaches a moment (needs ffmpeg). With
--takes, they are joined with several takes of some clips, and it is counted how many are kept.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from dataclasses import dataclass, fields
from pathlib import Path

from moments_parts.planted import count_planted, plant, print_planted
from moments_parts.takes import count_takes, plant_takes

import hlcli
from hlcli.document import ScoresDocument, find_moments, read_documents
from hlcli.media.discover import find_videos
from hlcli.media.probe import probe
from hlcli.moments import Moment, Selection
from hlcli.progress import Listener
from hlcli.workflows.export import choose_across_files

_SHORTEST_CLIP_SECONDS = 5
_SHORTEST_TAKE_SECONDS = 7
HALF_A_FRAME = 0.01
"""Ends nearer to a cut than this lie on it, in seconds."""


@dataclass
class Counts:
    """What is counted in the moments of one file, or of all."""

    moments: int = 0
    """Moments."""
    kept: float = 0.0
    """Their total length, in seconds."""
    fragments: int = 0
    """Moments that begin or end with less than the minimum of another shot, which is not whole."""
    short_shots: int = 0
    """Moments that begin or end with a whole shot that is shorter than the minimum."""
    touching: int = 0
    """Pairs of moments that touch inside one shot."""
    whole: int = 0
    """Moments that hold one shot, all or a part of it, or several whole ones."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))


def count(document: ScoresDocument, moments: list[Moment], shortest: float) -> Counts:
    """Count one file's moments against the cuts that `hl` found in it."""
    edges = [0.0, *document.shot_boundaries_seconds, document.video.duration_seconds]

    def on_cut(instant: float) -> bool:
        return any(abs(edge - instant) <= HALF_A_FRAME for edge in edges)

    found = Counts(moments=len(moments), kept=sum(moment.duration_seconds for moment in moments))
    for one in moments:
        start, end = one.start_seconds, one.end_seconds
        inside = [edge for edge in edges if start + HALF_A_FRAME < edge < end - HALF_A_FRAME]
        ends = (
            [(on_cut(start), inside[0] - start), (on_cut(end), end - inside[-1])] if inside else []
        )
        found.fragments += any(not cut and piece < shortest - 1e-6 for cut, piece in ends)
        found.short_shots += any(cut and piece < shortest - 1e-6 for cut, piece in ends)
        found.whole += all(cut for cut, _ in ends)
    in_time = sorted(moments, key=lambda moment: moment.start_seconds)
    for left, right in itertools.pairwise(in_time):
        gap = right.start_seconds - left.end_seconds
        found.touching += gap <= HALF_A_FRAME and not on_cut(left.end_seconds)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--top", type=int, help="the N best moments; the default rule if not given")
    parser.add_argument("--target-duration", type=float, metavar="SECONDS")
    parser.add_argument("--plant", type=int, metavar="FILES", help="plant junk in so many files")
    parser.add_argument("--takes", type=int, metavar="FILES", help="plant takes in so many files")
    parser.add_argument("--work", type=Path, default=Path("planted"), help="where they go")
    arguments = parser.parse_args()
    if arguments.plant:
        measure_planted(arguments.folder, arguments.work, arguments.plant)
        return
    if arguments.takes:
        measure_takes(arguments.folder, arguments.work, arguments.takes)
        return
    documents = [
        document
        for path in sorted(arguments.folder.glob("*.json"))
        for document in read_documents(path)
    ]
    if not documents:
        documents = hlcli.score([arguments.folder])
    if not documents:
        sys.exit(f"{arguments.folder} holds neither videos nor scores documents")
    selection = Selection(top=arguments.top, target_duration_seconds=arguments.target_duration)
    print("| file | cuts | moments | seconds | pieces | short shots | touching | whole shots |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    total, cuts = Counts(), 0
    for document in documents:
        found = count(document, find_moments(document, selection), selection.min_duration_seconds)
        total, cuts = total + found, cuts + len(document.shot_boundaries_seconds)
        print(row(Path(document.video.path).stem, len(document.shot_boundaries_seconds), found))
    print(row("all", cuts, total))


def measure_planted(folder: Path, work: Path, num_files: int) -> None:
    """Make files with planted junk, score them and print what was left out and what was chosen."""
    clips = clips_of(folder, _SHORTEST_CLIP_SECONDS)
    made = {path.absolute(): pieces for path, pieces in plant(clips, work, num_files).items()}
    print_planted(count_planted(hlcli.score(sorted(made)), made))


def measure_takes(folder: Path, work: Path, num_files: int) -> None:
    """Make files with several takes of some clips, and print how many are kept."""
    planted = plant_takes(clips_of(folder, _SHORTEST_TAKE_SECONDS), work, num_files)
    made = {path.absolute(): pieces for path, pieces in planted.items()}
    scored = hlcli.score(sorted(made))
    print("| asked for | takes | moments | twice in a file | in two files | alternatives | wrong |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for asked, top in (("nothing", None), ("--top 10", 10)):
        for rule, keeps in (("all", True), ("one", False)):
            selection = Selection(top=top, keep_takes=keeps)
            chosen = [one.with_moments(find_moments(one, selection)) for one in scored]
            found = count_takes(choose_across_files(chosen, selection, Listener()), made)
            print(
                f"| {asked} | {rule} | {found.moments} | {found.kept_twice} | "
                f"{found.kept_twice_across} | {found.listed} | {found.wrong} |"
            )


def clips_of(folder: Path, seconds: float) -> list[Path]:
    """Return the videos of a folder that are long and large enough; it is an error without one."""
    clips = []
    for path in find_videos([str(folder)]):
        info = probe(path)
        if info.duration_seconds >= seconds and min(info.width, info.height) >= 120:
            clips.append(path)
    if not clips:
        sys.exit(f"{folder} holds no clip of {seconds:g} seconds")
    return clips


def row(name: str, cuts: int, found: Counts) -> str:
    """Return one line of the table."""
    return (
        f"| {name} | {cuts} | {found.moments} | {found.kept:.0f} | {found.fragments} | "
        f"{found.short_shots} | {found.touching} | {found.whole} |"
    )


if __name__ == "__main__":
    main()
