"""`hl check`: our own timelines are clean, and each planted fault is found by its rule alone."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from cli_runner import hl
from document_factory import make_document
from media_factory import AudioTrack, click_track, make_video

from hlcli.document import VideoRecord
from hlcli.errors import UsageError
from hlcli.media.identity import content_identity
from hlcli.media.probe import probe
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.check import RULES, check_timeline
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import write_format

ROOT = Path(__file__).parent.parent
NTSC = Fraction(30000, 1001)
RATES = [
    Fraction(24000, 1001), Fraction(24), Fraction(25), NTSC, Fraction(30), Fraction(50),
    Fraction(60000, 1001), Fraction(60),
]  # fmt: skip
WRITERS = {".otio": "otio", ".xml": "fcp7", ".edl": "edl", ".fcpxml": "fcpxml"}


def documents_of(folder: Path) -> list:
    """Return documents of two real files, one with drop-frame timecode."""
    made = []
    for name, timecode in (("a b.mov", "01:00:00;00"), ("c.mov", "10:00:00:00")):
        file = make_video(
            folder,
            name=name,
            rate=NTSC,
            num_frames=90,
            timecode=timecode,
            audio=(AudioTrack(click_track(3.003, (0.5,))),),
        )
        document = make_document(spans=[(0.0, 1.0), (1.5, 2.5)])
        video = VideoRecord.from_media(probe(file), content_identity(file))
        made.append(dataclasses.replace(document, video=video))
    return made


def write(edit: EditList, path: Path, target: str) -> None:
    module = importlib.import_module(f"hlcli.timeline.formats.{WRITERS[path.suffix]}")
    module.write(edit, path, target=target)


def rules_in(path: Path, target: str, *, look_at_media: bool = True) -> list[str]:
    problems = check_timeline(path, target=target, look_at_media=look_at_media)
    for problem in problems:
        assert problem.severity == RULES[problem.rule].severity[target]
        assert problem.where
        assert problem.what
        assert problem.hint
    return sorted({problem.rule for problem in problems})


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with media and one good timeline for each format and program."""
    folder = tmp_path_factory.mktemp("good")
    edit = build_edit_list(
        documents_of(folder), name="cut", layout=Layout(start_timecode="01:00:00;00")
    )
    for suffix in WRITERS:
        for target in ("resolve", "premiere"):
            if (suffix, target) != (".fcpxml", "premiere"):
                write(edit, folder / f"{target}{suffix}", target)
    return folder


@pytest.mark.parametrize("target", ["resolve", "premiere"])
@pytest.mark.parametrize("suffix", list(WRITERS))
def test_our_own_timelines_of_real_files_are_clean(good: Path, suffix: str, target: str) -> None:
    if (suffix, target) == (".fcpxml", "premiere"):
        assert rules_in(good / "resolve.fcpxml", target) == ["format-not-read"]
    else:
        assert rules_in(good / f"{target}{suffix}", target) == []


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("timecode", [None, "01:00:00;00", "10:11:12:05"])
def test_our_own_timelines_of_every_rate_are_clean(
    tmp_path: Path, rate: Fraction, timecode: str | None
) -> None:
    made = [
        make_document(
            path=f"/f/a {number}.mov",
            num_frames=500 + number,
            frame_rate=rate,
            start_timecode=timecode,
            audio=number,
            spans=[(0, 1), (1.5, 2.1), (3.05, 4)],
            identity=str(number) * 64,
        )
        for number in range(3)
    ]
    layouts = [
        Layout(),
        Layout(order="rank", track_per_source=True, start_timecode="01:00:00:00"),
        Layout(markers_only=True),
    ]
    checked = 0
    for layout in layouts:
        edit = build_edit_list(made, name="cut", layout=layout)
        for suffix in WRITERS:
            for target in ("resolve", "premiere"):
                path = tmp_path / f"cut{suffix}"
                if (suffix, target) == (".fcpxml", "premiere"):
                    continue
                try:
                    write(edit, path, target)
                except UsageError:
                    assert suffix == ".edl"  # one video track, 30 labels a second
                    continue
                assert rules_in(path, target, look_at_media=False) == []
                checked += 1
    assert checked >= 15


def test_the_otio_for_any_reader_is_clean_but_for_its_urls(tmp_path: Path) -> None:
    edit = build_edit_list(documents_of(tmp_path), name="cut")
    write(edit, tmp_path / "cut.otio", "generic")
    assert rules_in(tmp_path / "cut.otio", "premiere") == []
    # One file cannot have a path that is a URL for Premiere and none for Resolve.
    assert rules_in(tmp_path / "cut.otio", "resolve") == ["path-encoded", "path-url"]
    plain = [
        make_document(path=f"/f/{number}.mov", audio=number, spans=[(0, 1), (1.5, 2.1)])
        for number in range(3)
    ]
    for layout in (Layout(), Layout(markers_only=True), Layout(track_per_source=True)):
        edit = build_edit_list(plain, name="cut", layout=layout)
        write(edit, tmp_path / "cut.otio", "generic")
        assert rules_in(tmp_path / "cut.otio", "premiere", look_at_media=False) == []
        found = rules_in(tmp_path / "cut.otio", "resolve", look_at_media=False)
        assert found == ["path-url"]


@pytest.mark.shared
def test_our_own_timelines_of_difficult_files_have_no_error(
    tmp_path: Path, shared_dir: Path
) -> None:
    checked = 0
    for file in sorted((shared_dir / "data/media/torture").iterdir()):
        if file.suffix in (".wav", ".sh"):
            continue
        video = VideoRecord.from_media(probe(file), content_identity(file))
        length = video.duration_seconds
        document = make_document(spans=[(length * 0.1, length * 0.3), (length * 0.6, length)])
        edit = build_edit_list(
            [dataclasses.replace(document, video=video)], name="cut", layout=Layout()
        )
        for suffix in (".otio", ".xml"):
            for target in ("resolve", "premiere"):
                write(edit, tmp_path / f"cut{suffix}", target)
                found = check_timeline(tmp_path / f"cut{suffix}", target=target)
                assert [problem for problem in found if problem.severity == "error"] == []
                # What is left is true of the file, not of the timeline.
                assert {problem.rule for problem in found} <= {
                    "media-variable-rate",
                    "name-unsafe",
                }
                checked += 1
    assert checked >= 40


# Planted faults -----------------------------------------------------------------------------

Timeline = otio.schema.Timeline


def clip_of(timeline: Timeline, kind: str = "Video", number: int = 0) -> otio.schema.Clip:
    return next(t for t in timeline.tracks if t.kind == kind).find_clips()[number]


def span(start: float, duration: float, rate: float = float(NTSC)) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(
        otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(duration, rate)
    )


def everywhere(change: Callable[[otio.schema.Clip], None]) -> Callable[[Timeline], None]:
    def apply(timeline: Timeline) -> None:
        for clip in timeline.find_clips():
            change(clip)

    return apply


def no_clips(timeline: Timeline) -> None:
    for track in timeline.tracks:
        del track[:]


def no_name(timeline: Timeline) -> None:
    timeline.name = ""


def typed_rate(timeline: Timeline) -> None:
    start = timeline.global_start_time
    timeline.global_start_time = otio.opentime.RationalTime(start.value, 29.97)


def odd_rate(timeline: Timeline) -> None:
    timeline.global_start_time = otio.opentime.RationalTime(0, 37)
    timeline.metadata["hl"]["frame_rate"] = "37/1"
    stack = timeline.tracks.metadata
    if "PremierePro_OTIO" in stack:
        stack["PremierePro_OTIO"]["VideoFrameRate"] = 37.0


def no_start(timeline: Timeline) -> None:
    timeline.global_start_time = None


def offline(timeline: Timeline) -> None:
    track = timeline.tracks[0]
    at = span(0, 10)
    track.append(otio.schema.Clip(source_range=at, media_reference=otio.schema.MissingReference()))


def url(text: str) -> Callable[[Timeline], None]:
    """Return a change of every path; "{}" is the bare one."""

    def change(clip: otio.schema.Clip) -> None:
        media = clip.media_reference
        bare = media.target_url.removeprefix("file://").replace("%20", " ")
        media.target_url = text.format(bare, name=Path(bare).name)

    return everywhere(change)


def no_range(clip: otio.schema.Clip) -> None:
    clip.media_reference.available_range = None


def too_long(timeline: Timeline) -> None:
    for kind in ("Video", "Audio"):
        clip = clip_of(timeline, kind, 3)
        start = clip.media_reference.available_range.start_time.value
        clip.source_range = span(start + 85, 30)


def from_zero(clip: otio.schema.Clip) -> None:
    first = clip.media_reference.available_range.start_time.value
    clip.source_range = span(
        clip.source_range.start_time.value - first, clip.source_range.duration.value
    )
    clip.media_reference.available_range = span(0, 90)


def half_frame(timeline: Timeline) -> None:
    for kind in ("Video", "Audio"):
        clip = clip_of(timeline, kind)
        clip.source_range = span(clip.source_range.start_time.value + 0.5, 20)


def one_frame_gap(timeline: Timeline) -> None:
    for track in timeline.tracks:
        track.insert(1, otio.schema.Gap(source_range=span(0, 1)))


def nested(timeline: Timeline) -> None:
    inner = otio.schema.Stack(name="inner")
    track = otio.schema.Track(kind="Video")
    track.append(otio.schema.Gap(source_range=span(0, 10)))
    inner.append(track)
    timeline.tracks[0].append(inner)


def speed_of_one(timeline: Timeline) -> None:
    clip_of(timeline).effects.append(otio.schema.LinearTimeWarp(time_scalar=1.0))


def blur(timeline: Timeline) -> None:
    clip_of(timeline).effects.append(otio.schema.Effect(effect_name="blur"))


def lost_note(timeline: Timeline) -> None:
    marker = clip_of(timeline).markers[0]
    del marker.metadata["Resolve_OTIO"]


def no_sound(timeline: Timeline) -> None:
    for index in reversed(range(len(timeline.tracks))):
        if timeline.tracks[index].kind == "Audio":
            del timeline.tracks[index]


def unlink(key: str, name: str) -> Callable[[Timeline], None]:
    def change(clip: otio.schema.Clip) -> None:
        del clip.metadata[key][name]

    return everywhere(change)


def relink(key: str, name: str) -> Callable[[Timeline], None]:
    def change(timeline: Timeline) -> None:
        for kind in ("Video", "Audio"):
            first, second = clip_of(timeline, kind, 0), clip_of(timeline, kind, 1)
            second.metadata[key][name] = first.metadata[key][name]

    return change


def mono(timeline: Timeline) -> None:
    metadata = clip_of(timeline, "Audio").metadata
    if "Resolve_OTIO" in metadata:
        del metadata["Resolve_OTIO"]["Channels"][1]
    else:
        del metadata["PremierePro_OTIO"]["AudioChannels"]["SecondaryAssignments"][1]


def no_size(timeline: Timeline) -> None:
    del timeline.tracks.metadata["PremierePro_OTIO"]["VideoResolution"]


def other_size(timeline: Timeline) -> None:
    timeline.tracks.metadata["PremierePro_OTIO"]["VideoResolution"]["width"] = 640


def other_rate(timeline: Timeline) -> None:
    timeline.tracks.metadata["PremierePro_OTIO"]["VideoFrameRate"] = 25.0


RESOLVE_LINK = ("Resolve_OTIO", "Link Group ID")
PREMIERE_LINK = ("PremierePro_OTIO", "LinkID")
OTIO_FAULTS: list[tuple[str, str, Callable[[Timeline], None]]] = [
    ("no-clip", "resolve", no_clips),
    ("no-clip", "premiere", no_clips),
    ("name-missing", "resolve", no_name),
    ("rate-not-exact", "resolve", typed_rate),
    ("rate-not-exact", "premiere", typed_rate),
    ("rate-unsupported", "resolve", odd_rate),
    ("rate-unsupported", "premiere", odd_rate),
    ("start-missing", "resolve", no_start),
    ("media-missing", "resolve", url("/nowhere/{name}")),
    ("media-missing", "premiere", url("file:///nowhere/x.mov")),
    ("media-offline", "resolve", offline),
    ("media-offline", "premiere", offline),
    ("path-url", "resolve", url("file:///nowhere.mov")),
    ("path-bare", "premiere", url("{}")),
    ("path-host", "premiere", url("file://localhostC:/x.mov")),
    ("range-missing", "resolve", everywhere(no_range)),
    ("range-missing", "premiere", everywhere(no_range)),
    ("range-outside", "resolve", too_long),
    ("range-outside", "premiere", too_long),
    ("range-from-zero", "resolve", everywhere(from_zero)),
    ("range-from-zero", "premiere", everywhere(from_zero)),
    ("frames-not-whole", "resolve", half_frame),
    ("gap-of-one-frame", "premiere", one_frame_gap),
    ("nested-sequence", "resolve", nested),
    ("nested-sequence", "premiere", nested),
    ("speed-of-one", "premiere", speed_of_one),
    ("effect-dropped", "resolve", blur),
    ("marker-note-lost", "resolve", lost_note),
    ("sound-missing", "resolve", no_sound),
    ("sound-missing", "premiere", no_sound),
    ("link-missing", "resolve", unlink(*RESOLVE_LINK)),
    ("link-missing", "premiere", unlink(*PREMIERE_LINK)),
    ("link-shared", "resolve", relink(*RESOLVE_LINK)),
    ("link-shared", "premiere", relink(*PREMIERE_LINK)),
    ("channels-differ", "resolve", mono),
    ("channels-differ", "premiere", mono),
    ("frame-size-missing", "premiere", no_size),
    ("frame-size-differs", "premiere", other_size),
    ("sequence-rate-differs", "premiere", other_rate),
]
# A path that is wrong in itself leads nowhere, too; two rules that come together.
TOGETHER = {
    "path-url": ["media-missing"],
    "path-host": ["media-missing"],
}


@pytest.mark.parametrize(
    ("rule", "target", "plant"), OTIO_FAULTS, ids=[f"{r}-{t}" for r, t, _ in OTIO_FAULTS]
)
def test_planted_fault_in_otio(
    good: Path, tmp_path: Path, rule: str, target: str, plant: Callable[[Timeline], None]
) -> None:
    timeline = otio.adapters.read_from_file(str(good / f"{target}.otio"))
    plant(timeline)
    path = tmp_path / "planted.otio"
    path.write_text(otio.adapters.otio_json.write_to_string(timeline, {"Clip": 1}))
    assert rules_in(path, target) == sorted([rule, *TOGETHER.get(rule, [])])


@pytest.mark.parametrize(
    ("rule", "target", "old", "new"),
    [
        ("schema-unknown", "resolve", '"Gap.1"', '"Gap.9"'),
        ("schema-clip-2", "resolve", "", ""),
        ("path-encoded", "resolve", "a b.mov", "a%20b.mov"),
        ("path-unescaped", "premiere", "a%20b.mov", "a b.mov"),
        ("path-unescaped", "premiere", "a%20b.mov", "a#b.mov"),
    ],
)
def test_planted_fault_in_the_text_of_otio(
    good: Path, tmp_path: Path, rule: str, target: str, old: str, new: str
) -> None:
    path = tmp_path / "planted.otio"
    text = (good / f"{target}.otio").read_text()
    if rule == "schema-unknown":
        timeline = otio.adapters.read_from_file(str(good / f"{target}.otio"))
        timeline.tracks[0].append(otio.schema.Gap(source_range=span(0, 30)))
        text = otio.adapters.otio_json.write_to_string(timeline, {"Clip": 1})
    if rule == "schema-clip-2":
        timeline = otio.adapters.read_from_file(str(good / f"{target}.otio"))
        text = otio.adapters.otio_json.write_to_string(timeline)
    if rule == "path-encoded":
        text = re.sub(r'"target_url": "(.*)a b\.mov"', r'"target_url": "file://\1a%20b.mov"', text)
    else:
        text = text.replace(old, new) if old else text
    if rule == "schema-unknown":
        text = text.replace(old, new)
    path.write_text(text)
    found = rules_in(path, target)
    assert rule in found
    assert set(found) <= {rule, "path-url", "media-missing"}


def test_names_that_bare_paths_and_relinking_mistake(tmp_path: Path) -> None:
    folders = [tmp_path / "one #1", tmp_path / "two"]
    made = []
    for folder in folders:
        folder.mkdir()
        file = make_video(folder, name="take #1 100%.mov", rate=Fraction(25), num_frames=50)
        made.append(
            make_document(
                path=str(file), num_frames=50, frame_rate=Fraction(25), audio=0, spans=[(0, 1)],
                identity=str(len(made)) * 64,
            )
        )  # fmt: skip
    edit = build_edit_list(made, name="cut", layout=Layout())
    path = tmp_path / "cut.otio"
    write(edit, path, "resolve")
    assert rules_in(path, "resolve") == ["media-same-name", "name-unsafe"]
    write(edit, path, "premiere")
    assert rules_in(path, "premiere") == []
    timeline = otio.adapters.read_from_file(str(path))
    for clip in timeline.find_clips():
        clip.media_reference.target_url = "two/take #1 100%.mov"
    path.write_text(timeline.to_json_string())
    assert rules_in(path, "premiere") == ["path-bare", "path-relative"]


def test_uneven_frames_are_named(tmp_path: Path) -> None:
    times = tuple(Fraction(n, 30) + Fraction(n % 3, 100) for n in range(60))
    file = make_video(tmp_path, name="phone.mp4", frame_times=times)
    info = probe(file)
    assert info.is_variable_rate
    document = make_document(audio=0, spans=[(0, 1)])
    video = VideoRecord.from_media(info, "a" * 64)
    edit = build_edit_list(
        [dataclasses.replace(document, video=video)], name="cut", layout=Layout()
    )
    for target in ("resolve", "premiere"):
        write(edit, tmp_path / "cut.otio", target)
        assert "media-variable-rate" in rules_in(tmp_path / "cut.otio", target)


def drop(root: ET.Element, parent: str, tag: str) -> None:
    for element in root.iter(parent):
        for child in element.findall(tag):
            element.remove(child)


def drop_format(root: ET.Element) -> None:
    for child in list(root.find("sequence/media/video/format") or []):
        root.find("sequence/media/video/format").remove(child)


def set_text(path: str, text: str) -> Callable[[ET.Element], None]:
    def change(root: ET.Element) -> None:
        root.find(path).text = text

    return change


def same_id(root: ET.Element) -> None:
    track = root.find("sequence/media/video/track")
    first, second = track.findall("clipitem")[:2]
    for link in second.iter("linkclipref"):
        if link.text == second.get("id"):
            link.text = first.get("id")
    for link in root.iter("linkclipref"):
        if link.text == second.get("id"):
            link.text = first.get("id")
    second.set("id", first.get("id"))


def move(frames: int) -> Callable[[ET.Element], None]:
    """Return a change that moves the second clip of every track, and those after it."""

    def change(root: ET.Element) -> None:
        for track in root.iter("track"):
            for item in track.findall("clipitem")[1:]:
                for tag in ("start", "end"):
                    item.find(tag).text = str(int(item.findtext(tag)) + frames)

    return change


def longer(root: ET.Element) -> None:
    item = root.findall("sequence/media/video/track/clipitem")[-1]
    item.find("end").text = str(int(item.findtext("end")) + 5)
    for track in root.findall("sequence/media/audio"):
        for other in track.findall("track"):
            last = other.findall("clipitem")[-1]
            last.find("end").text = str(int(last.findtext("end")) + 5)


def past_the_end(root: ET.Element) -> None:
    for track in root.iter("track"):
        for item in track.findall("clipitem")[-1:]:
            length = int(item.findtext("out")) - int(item.findtext("in"))
            item.find("in").text, item.find("out").text = str(80), str(80 + length)


def misplaced(root: ET.Element) -> None:
    sequence = root.find("sequence")
    root.remove(sequence)
    ET.SubElement(root, "project").append(sequence)


def no_xml_sound(root: ET.Element) -> None:
    audio = root.find("sequence/media/audio")
    for track in audio.findall("track"):
        audio.remove(track)
    drop(root, "clipitem", "link")


def empty_xml(root: ET.Element) -> None:
    drop(root, "track", "clipitem")


def one_channel(root: ET.Element) -> None:
    for count in root.iter("channelcount"):
        count.text = "1"


FILE = "sequence/media/video/track/clipitem/file"
XML_FAULTS: list[tuple[str, Callable[[ET.Element], None]]] = [
    ("xml-format-missing", drop_format),
    ("xml-timecode-missing", lambda root: drop(root, "file", "timecode")),
    ("xml-timecode-differs", set_text(f"{FILE}/timecode/displayformat", "NDF")),
    ("xml-timecode-differs", set_text(f"{FILE}/timecode/frame", "0")),
    ("xml-id-repeated", same_id),
    ("xml-ntsc", set_text("sequence/rate/ntsc", "True")),
    ("xml-empty-field", set_text("sequence/media/video/track/clipitem/duration", "")),
    ("xml-sequence-place", misplaced),
    ("link-missing", lambda root: drop(root, "clipitem", "link")),
    ("link-dangling", set_text("sequence/media/video/track/clipitem/link/linkclipref", "x")),
    ("sound-missing", no_xml_sound),
    ("no-clip", empty_xml),
    ("name-missing", set_text("sequence/name", "")),
    ("rate-unsupported", set_text("sequence/rate/timebase", "37")),
    ("clips-overlap", move(-3)),
    ("gap-of-one-frame", move(1)),
    ("lengths-differ", longer),
    ("range-outside", past_the_end),
    ("channels-differ", one_channel),
    ("media-missing", set_text(f"{FILE}/pathurl", "file://localhost/nowhere/x.mov")),
    ("path-host", set_text(f"{FILE}/pathurl", "file://localhostC:/x.mov")),
    ("path-unescaped", set_text(f"{FILE}/pathurl", "file://localhost/a #1.mov")),
    ("path-bare", set_text(f"{FILE}/pathurl", "/a.mov")),
]
XML_TOGETHER = {
    "path-host": ["media-missing"],
    "path-unescaped": ["media-missing"],
    "path-bare": ["media-missing"],
}


@pytest.mark.parametrize(("rule", "plant"), XML_FAULTS, ids=[rule for rule, _ in XML_FAULTS])
def test_planted_fault_in_fcp7_xml(
    good: Path, tmp_path: Path, rule: str, plant: Callable[[ET.Element], None]
) -> None:
    for target in [name for name in RULES[rule].severity if name in ("resolve", "premiere")]:
        root = ET.fromstring((good / f"{target}.xml").read_bytes())
        plant(root)
        path = tmp_path / "planted.xml"
        ET.ElementTree(root).write(path, encoding="utf-8")
        assert rules_in(path, target) == sorted([rule, *XML_TOGETHER.get(rule, [])])


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("edl-title-missing", r"^TITLE:.*\n", ""),
        ("edl-counting", r"^FCM:.*\n", ""),
        ("edl-reel-long", r"^001  (\S+)\s", r"001  \1LONGER_THAN_8 "),
        ("edl-clip-name-missing", r"^\* FROM CLIP NAME:.*\n", ""),
        ("lengths-differ", r"^(001 .*?01:00:00;00 )01:00:01;00", r"\g<1>01:00:00;29"),
        ("clips-overlap", r"^(002 .*) 01:00:01;15 01:00:02;15 01:00:01;00 01:00:02;00",
         r"\1 01:00:01;15 01:00:02;15 01:00:00;28 01:00:01;28"),
        ("gap-of-one-frame", r"^(001 .*) \S+ (\S+) \S+$",
         r"\1 01:00:00;29 \2 01:00:00;29"),
        ("no-clip", r"^\d\d\d .*\n", ""),
    ],
)  # fmt: skip
def test_planted_fault_in_an_edl(good: Path, tmp_path: Path, rule: str, old: str, new: str) -> None:
    text = (good / "resolve.edl").read_text(encoding="ascii")
    planted = re.sub(old, new, text, flags=re.M)
    assert planted != text
    path = tmp_path / "planted.edl"
    path.write_text(planted, encoding="ascii")
    assert rules_in(path, "resolve") == [rule]
    assert rules_in(path, "premiere") == [rule]


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("fcpxml-version", r'<fcpxml version="[\d.]+"', '<fcpxml version="1.11"'),
        ("fcpxml-rate-undefined", r' frameDuration="[^"]+"', ""),
        ("fcpxml-reference", r'<asset-clip ref="[^"]+"', '<asset-clip ref="r99"'),
        ("range-outside", r'(<asset-clip [^>]*?) start="[^"]+"', r'\1 start="9000s"'),
        ("frames-not-whole", r'(<asset-clip [^>]*?duration=)"[^"]+"', r'\1"51/100s"'),
        ("name-missing", r'<project name="[^"]*"', "<project"),
        ("media-missing", r'src="file://[^"]+"', 'src="file:///nowhere/x.mov"'),
        ("no-clip", r"(?s)<spine>.*</spine>", "<spine />"),
        ("range-from-zero", r'(<asset [^>]*?) start="[^"]+"', r'\1 start="0s"'),
    ],
)
def test_planted_fault_in_fcpxml(good: Path, tmp_path: Path, rule: str, old: str, new: str) -> None:
    text = (good / "resolve.fcpxml").read_text(encoding="utf-8")
    planted = re.sub(old, new, text)
    assert planted != text
    path = tmp_path / "planted.fcpxml"
    path.write_text(planted, encoding="utf-8")
    found = rules_in(path, "resolve")
    assert rule in found
    # Where a file begins decides which ranges lie in it.
    assert set(found) - {rule} <= {"range-outside"}


# The command --------------------------------------------------------------------------------


def run(*arguments: object) -> object:
    return hl("check", *arguments)


def test_the_command(good: Path, tmp_path: Path) -> None:
    clean = run(good / "resolve.otio", "--for", "resolve")
    assert clean.exit_code == 0
    assert clean.stdout == ""
    assert "nothing that DaVinci Resolve is known to mind" in clean.stderr

    other = run(good / "premiere.otio", "--for", "resolve", "--json")
    assert other.exit_code == 8
    [result] = json.loads(other.stdout)
    assert result["for"] == "resolve"
    assert {finding["rule"] for finding in result["findings"]} >= {"path-encoded", "schema-clip-2"}
    assert "error: DaVinci Resolve would refuse or misplace this" in other.stderr

    table = run(good / "premiere.otio", "--for", "resolve")
    assert "path-encoded" in table.stdout

    warned = tmp_path / "warned.otio"
    timeline = otio.adapters.read_from_file(str(good / "premiere.otio"))
    timeline.name = ""
    warned.write_text(timeline.to_json_string())
    assert run(warned, "--for", "premiere").exit_code == 0


def test_without_a_program_it_is_the_one_the_file_is_for(good: Path, tmp_path: Path) -> None:
    def programs(*files: Path) -> list[tuple[str, str]]:
        found = json.loads(run(*files, "--json").stdout)
        return [(Path(one["timeline"]).name, one["for"]) for one in found]

    edit = build_edit_list(documents_of(tmp_path), name="cut")
    write(edit, tmp_path / "any.otio", "generic")
    # An .otio says for whom hl wrote it; a format that one of them reads is checked for that one.
    assert programs(
        good / "resolve.otio",
        good / "premiere.otio",
        tmp_path / "any.otio",
        good / "premiere.xml",
        good / "resolve.fcpxml",
    ) == [
        ("resolve.otio", "resolve"),
        ("premiere.otio", "premiere"),
        ("any.otio", "resolve"),
        ("any.otio", "premiere"),
        ("premiere.xml", "resolve"),
        ("premiere.xml", "premiere"),
        ("resolve.fcpxml", "resolve"),
        ("resolve.fcpxml", "finalcut"),
    ]
    result = run(tmp_path / "any.otio")
    assert "any.otio, for DaVinci Resolve" in result.stdout
    assert "any.otio: nothing that Premiere Pro is known to mind" in result.stderr
    assert (run(good / "premiere.otio").exit_code, run(tmp_path / "any.otio").exit_code) == (0, 8)


def test_a_file_that_cannot_be_read_is_said_once_and_the_others_are_checked(
    good: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.otio").write_text("[" * 100_000)
    result = run(tmp_path / "bad.otio", good / "resolve.otio")
    assert result.exit_code == 3
    assert result.stderr.count("error: ") == 1
    assert "resolve.otio: nothing that DaVinci Resolve is known to mind" in result.stderr


def test_programs_are_understood_as_people_call_them(good: Path) -> None:
    assert run(good / "resolve.otio", "--for", "DaVinci").exit_code == 0
    # Avid reads no OpenTimelineIO.
    refused = run(good / "resolve.otio", "--for", "Avid")
    assert refused.exit_code == 8
    assert "format-not-read" in refused.stdout
    unknown = run(good / "resolve.otio", "--for", "generic")
    assert unknown.exit_code == 2
    assert "nothing is known about what any OpenTimelineIO reader refuses" in unknown.stderr
    assert "hint: --for takes one of resolve, premiere, finalcut, avid," in unknown.stderr


def test_two_timelines_of_one_name(good: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.otio"
    again.write_text((good / "resolve.otio").read_text())
    result = run(good / "resolve.otio", again, "--for", "resolve", "--json")
    assert result.exit_code == 8
    first, second = json.loads(result.stdout)
    assert first["findings"] == []
    assert [finding["rule"] for finding in second["findings"]] == ["name-taken"]


def test_media_on_another_machine(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.otio"
    timeline = otio.adapters.read_from_file(str(good / "resolve.otio"))
    url("/nowhere/{name}")(timeline)
    path.write_text(otio.adapters.otio_json.write_to_string(timeline, {"Clip": 1}))
    assert run(path, "--for", "resolve").exit_code == 8
    assert run(path, "--for", "resolve", "--no-media").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("x.otio", "not json", 3),
        ("x.xml", "<xmeml", 3),
        ("x.xml", "<other/>", 3),
        ("x.txt", "", 2),
        ("missing.otio", None, 3),
    ],
)
def test_files_that_cannot_be_checked(
    tmp_path: Path, name: str, content: str | None, code: int
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    result = run(tmp_path / name, "--for", "resolve")
    assert result.exit_code == code
    assert "error: " in result.stderr
    assert "hint: " in result.stderr


def test_an_unknown_program() -> None:
    assert run("x.otio", "--for", "vegas").exit_code == 2


OTHERS = {
    ".aaf": {"resolve", "premiere", "avid"},
    ".mlt": {"shotcut"},
    ".kdenlive": {"kdenlive"},
    ".otioz": {"resolve", "premiere"},
}


@pytest.mark.parametrize("suffix", OTHERS)
def test_formats_without_rules_of_their_own_are_read(tmp_path: Path, suffix: str) -> None:
    if suffix == ".aaf":
        pytest.importorskip("aaf2", reason="needs pyaaf2, part of hlcli[aaf]")
    media = make_video(tmp_path, name="a.mov", rate=Fraction(25), num_frames=100)
    document = make_document(frame_rate=Fraction(25), num_frames=100, audio=0, spans=[(1.0, 3.0)])
    video = VideoRecord.from_media(probe(media), content_identity(media))
    path = tmp_path / f"cut{suffix}"
    write_format(path, [dataclasses.replace(document, video=video)])
    for program in OTHERS[suffix]:
        found = rules_in(path, program)
        assert found == (["format-not-read"] if suffix == ".otioz" else [])
    assert run(path).exit_code == (8 if suffix == ".otioz" else 0)
    if suffix == ".otioz":
        return  # It holds its media.
    make_video(tmp_path, name="a.mov", rate=Fraction(25), num_frames=40)
    assert rules_in(path, next(iter(OTHERS[suffix]))) == ["range-outside"]
    media.unlink()
    assert rules_in(path, next(iter(OTHERS[suffix]))) == ["media-missing"]


# The documentation --------------------------------------------------------------------------


def test_every_rule_is_planted_and_documented() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {rule for rule in RULES if f'"{rule}"' not in source} == set()
    text = (ROOT / "docs/reference/check.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([a-z0-9-]+)` \|(.*)\|(.*)\|(.*)\|(.*)\|$", text, re.M)
    expected = []
    for rule in RULES.values():
        severity = ", ".join(f"{target}: {how}" for target, how in rule.severity.items())
        expected.append(
            (rule.id, *(f" {t} " for t in (rule.formats, severity, rule.what, rule.source)))
        )
    assert [tuple(row) for row in documented] == expected
