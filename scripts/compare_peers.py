"""Compare hl's timelines with PySceneDetect's on the same files, and write the table of the docs.

    python scripts/compare_peers.py FOLDER --scenedetect PROGRAM
        FOLDER holds the clips (the torture clips: tests/test_import_failures.py names them);
        PROGRAM is the `scenedetect` of an environment of its own, never of this one.

What is asked of a file is answered by OpenTimelineIO, its adapters and ffprobe, not by hl. The
section between `<!-- peers -->` and `<!-- /peers -->` of docs/reference/formats.md is replaced.
auto-editor is not run: its column holds what an earlier examination of its version found.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import opentimelineio as otio

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from document_factory import make_document  # noqa: E402
from timeline_readers import exact_rate, read_cuts, seconds  # noqa: E402

from hlcli.atomic import write_text  # noqa: E402
from hlcli.document import VideoRecord  # noqa: E402
from hlcli.media.identity import content_identity  # noqa: E402
from hlcli.media.probe import probe  # noqa: E402
from hlcli.moments import Moment  # noqa: E402
from hlcli.timeline.timecode import is_drop_frame, start_frame  # noqa: E402
from hlcli.workflows.outputs import write_outputs  # noqa: E402

PAGE = ROOT / "docs/reference/formats.md"
START, END = "<!-- peers -->", "<!-- /peers -->"
AUTO_EDITOR = "auto-editor 31.5.1-dev"
STANDARD = {Fraction(n) for n in (24, 25, 30, 50, 60)} | {
    Fraction(n * 1000, 1001) for n in (24, 30, 60)
}


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A file and the truth about it, as ffprobe says it."""

    path: Path
    rate: Fraction
    is_variable_rate: bool
    timecode: str | None
    num_sound_tracks: int
    upright_size: tuple[int, int]
    seconds: Fraction

    @property
    def start(self) -> Fraction:
        """Timecode of the first frame, in seconds."""
        return start_frame(self.timecode, self.rate) / self.rate


def look_at(path: Path) -> Clip | None:
    command = ["ffprobe", "-v", "error", "-count_packets", "-show_streams", "-show_format"]
    done = subprocess.run(
        [*command, "-of", "json", f"file:{path}"], check=True, stdout=subprocess.PIPE
    )
    found = json.loads(done.stdout)
    pictures = [one for one in found["streams"] if one["codec_type"] == "video"]
    if not pictures:
        return None
    picture = pictures[0]
    tags = [one.get("tags", {}) for one in (picture, found["format"], *found["streams"])]
    turns = [int(one.get("rotation", 0)) for one in picture.get("side_data_list", [])]
    width, height = picture["width"], picture["height"]
    rate, average = Fraction(picture["r_frame_rate"]), Fraction(picture["avg_frame_rate"])
    frames = Fraction(int(picture["nb_read_packets"]))
    is_variable = abs(average / rate - 1) > Fraction(1, 100)
    return Clip(
        path=path,
        rate=rate,
        is_variable_rate=is_variable,
        timecode=next((tag["timecode"] for tag in tags if "timecode" in tag), None),
        num_sound_tracks=sum(one["codec_type"] == "audio" for one in found["streams"]),
        upright_size=(height, width) if any(turn % 180 for turn in turns) else (width, height),
        seconds=Fraction(picture["duration"]) if is_variable else frames / rate,
    )


def write_ours(clip: Clip, folder: Path) -> None:
    edges = [0.0, 2.0, 4.0, 6.0, float(clip.seconds)]
    moments = [
        Moment(
            start_seconds=start,
            end_seconds=end,
            score=0.5,
            peak_seconds=start,
            picture=0.5,
            sound=None,
            why="picture",
        )
        for start, end in itertools.pairwise(edges)
    ]
    video = VideoRecord.from_media(probe(clip.path), content_identity(clip.path))
    document = make_document()
    document = type(document)(**{**_fields(document), "video": video}).with_moments(moments)
    for name in ("cut.otio", "cut.edl", "fcp7.xml", "cut.fcpxml"):
        write_outputs([folder / name], [document])


def _fields(document: Any) -> dict[str, Any]:
    return {name: getattr(document, name) for name in document.__dataclass_fields__}


def write_theirs(clip: Clip, folder: Path, program: str) -> bool:
    """Let PySceneDetect write its four files; False where it refuses the video."""
    command = [program, "-q", "-i", str(clip.path), "-o", str(folder), "detect-adaptive"]
    command += ["save-otio", "-f", "cut.otio", "save-edl", "-f", "cut.edl"]
    for name, kind in (("fcp7.xml", "fcp7"), ("cut.fcpxml", "fcpx")):
        done = subprocess.run(
            [*command, "save-fcp", "-f", name, "--format", kind],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            print(f"scenedetect {clip.path.name}: {done.stderr.strip().splitlines()[-1]}")
            return False
    return True


# The questions -------------------------------------------------------------------------------


def timeline_of(folder: Path) -> otio.schema.Timeline:
    return otio.adapters.read_from_file(str(folder / "cut.otio"))


def media_of(folder: Path) -> Any:
    return next(iter(timeline_of(folder).find_clips())).media_reference


def knows_length(folder: Path, clip: Clip) -> bool:
    declared = seconds(media_of(folder).available_range.duration)
    return abs(declared - clip.seconds) < 1 / (2 * clip.rate)


def starts_by_timecode(folder: Path, clip: Clip) -> bool:
    return seconds(media_of(folder).available_range.start_time) == clip.start


def has_sound_tracks(folder: Path, clip: Clip) -> bool:
    return len(timeline_of(folder).audio_tracks()) == clip.num_sound_tracks


def has_editors_rate(folder: Path, clip: Clip) -> bool:
    first = next(iter(timeline_of(folder).find_clips()))
    return exact_rate(first.source_range.duration.rate) in STANDARD


def url_is_found(folder: Path, clip: Clip) -> bool:
    url = media_of(folder).target_url
    # Not by OpenTimelineIO, which decodes a "%2525" twice.
    return url.startswith("file://") and Path(unquote(urlsplit(url).path)).exists()


def fcp7_reads(folder: Path, clip: Clip) -> bool:
    timeline = otio.adapters.read_from_file(str(folder / "fcp7.xml"), "fcp_xml")
    lengths = [clip.duration().value for clip in timeline.video_tracks()[0]]
    return sum(lengths) == round(clip.seconds * clip.rate) and len(lengths) == 4


def fcp7_has_sound(folder: Path, clip: Clip) -> bool:
    tracks = ET.parse(folder / "fcp7.xml").getroot().findall(".//audio/track/clipitem/..")
    return bool(tracks) == bool(clip.num_sound_tracks)


def edl_reads(folder: Path, clip: Clip) -> bool:
    timeline = otio.adapters.read_from_file(
        str(folder / "cut.edl"), "cmx_3600", rate=float(clip.rate)
    )
    first = timeline.video_tracks()[0][0]
    return seconds(first.source_range.start_time) == clip.start


def edl_counts_as_file(folder: Path, clip: Clip) -> bool:
    wanted = "DROP FRAME" if is_drop_frame(clip.timecode, clip.rate) else "NON-DROP FRAME"
    return f"FCM: {wanted}" in (folder / "cut.edl").read_text().splitlines()


def fcpxml_on_frames(folder: Path, clip: Clip) -> bool:
    cuts = read_cuts(folder / "cut.fcpxml", clip.rate)
    edges = [edge for cut in cuts for edge in (cut.first or 0, cut.length, cut.record)]
    return len(cuts) == 4 and all((edge * clip.rate).denominator == 1 for edge in edges)


def fcpxml_by_timecode(folder: Path, clip: Clip) -> bool:
    return read_cuts(folder / "cut.fcpxml", clip.rate)[0].clock == clip.start


def fcpxml_has_sound(folder: Path, clip: Clip) -> bool:
    [asset] = ET.parse(folder / "cut.fcpxml").getroot().iter("asset")
    return (asset.get("hasAudio") == "1") == bool(clip.num_sound_tracks)


def fcpxml_upright(folder: Path, clip: Clip) -> bool:
    one = next(ET.parse(folder / "cut.fcpxml").getroot().iter("format"))
    return (int(one.attrib["width"]), int(one.attrib["height"])) == clip.upright_size


def anything(clip: Clip) -> bool:
    return True


def with_timecode(clip: Clip) -> bool:
    return clip.timecode is not None


def is_drop(clip: Clip) -> bool:
    return is_drop_frame(clip.timecode, clip.rate)


def on_its_side(clip: Clip) -> bool:
    return clip.upright_size[0] < clip.upright_size[1]


def readable_timecode(clip: Clip) -> bool:
    # OpenTimelineIO's reader of EDL knows no drop-frame at a whole 30.
    return not (is_drop(clip) and clip.rate.denominator == 1)


Question = tuple[str, Callable[[Path, Clip], bool], Callable[[Clip], bool], str]
QUESTIONS: list[Question] = [
    ("OTIO: declared length of the media is the file's", knows_length, anything,
     "3 files a frame short, cuts outside"),
    ("OTIO: source counts from the file's timecode", starts_by_timecode, with_timecode, "no, 0"),
    ("OTIO: one sound track for each of the file, none without", has_sound_tracks, anything,
     "not measured"),
    ("OTIO: a rate that editors have", has_editors_rate, anything, "21.75 for the variable one"),
    ("OTIO: `target_url` is a URL that leads to the file", url_is_found, anything, "not measured"),
    ("FCP7 XML: otio-fcp-adapter reads the cuts", fcp7_reads, anything, "0 of 14 files a target"),
    ("FCP7 XML: has the sound", fcp7_has_sound, anything, "not measured"),
    ("EDL: otio-cmx3600-adapter reads it, source timecode right", edl_reads, readable_timecode,
     "writes none"),
    ("EDL: says drop-frame for a drop-frame file", edl_counts_as_file, is_drop, "writes none"),
    ("FCPXML: every edge on a frame", fcpxml_on_frames, anything, "not measured"),
    ("FCPXML: clips by the file's timecode", fcpxml_by_timecode, with_timecode,
     "drop-frame at 30 wrong by 59.9 s"),
    ("FCPXML: has the sound", fcpxml_has_sound, anything,
     "second sound track laid after the first"),
    ("FCPXML: portrait for a picture that is shown upright", fcpxml_upright, on_its_side,
     "no, 640x360"),
]  # fmt: skip


def answer(question: Question, folder: Path, clip: Clip) -> bool:
    try:
        return question[1](folder, clip)
    except Exception as error:  # noqa: BLE001 - whatever a reader raises, it does not read it
        print(f"{folder.parent.name} {clip.path.name}: {question[0]}: {error!r}"[:200])
        return False


def section(
    clips: list[Clip], answers: dict[str, list[list[bool]]], version: str, refused: int
) -> str:
    """Markdown of the table: yes of how many for each question and program."""
    lines = [
        START,
        "",
        f"Written by `scripts/compare_peers.py` on {len(clips)} clips of 8 seconds with four shots "
        "each: several rates, drop-frame at 29.97 and at a whole 30,",
        "a variable rate, mono, two sound tracks, none, a phone's rotation, a stream that starts "
        "late, a name with `#`, `%` and other",
        "scripts. OpenTimelineIO, its adapters and ffprobe answer. "
        f"PySceneDetect {version} was run as it installs; it refused {refused} of the clips,",
        f"which counts as no. Of {AUTO_EDITOR} (built from source) stands what an earlier "
        "examination of its files on the same",
        "clips found; it was not run again.",
        "",
        f"| Question | hl | PySceneDetect {version} | {AUTO_EDITOR} |",
        "| --- | --- | --- | --- |",
    ]
    for index, question in enumerate(QUESTIONS):
        total = sum(map(question[2], clips))
        counts = [
            sum(
                one[index]
                for one, clip in zip(answers[name], clips, strict=True)
                if question[2](clip)
            )
            for name in ("hl", "scenedetect")
        ]
        lines.append(
            f"| {question[0]} | {counts[0]} of {total} | {counts[1]} of {total} | {question[3]} |"
        )
    return "\n".join([*lines, "", END])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenedetect", required=True)
    options = parser.parse_args()
    clips = [clip for path in sorted(options.folder.iterdir()) if path.suffix in
             (".mp4", ".mov", ".ts", ".mkv") and (clip := look_at(path.absolute()))]  # fmt: skip
    said = subprocess.run(
        [options.scenedetect, "version"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    version = next(word for word in said.split() if word[:1].isdigit())
    answers: dict[str, list[list[bool]]] = {"hl": [], "scenedetect": []}
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, clip in enumerate(clips):
            for name in answers:
                place = Path(folder) / name / str(number)
                place.mkdir(parents=True)
                if name == "hl":
                    write_ours(clip, place)
                else:
                    refused += not write_theirs(clip, place, options.scenedetect)
                answers[name].append([answer(one, place, clip) for one in QUESTIONS])
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    table = section(clips, answers, version, refused)
    write_text(PAGE, before + table + rest.partition(END)[2])
    print(table)


if __name__ == "__main__":
    main()
