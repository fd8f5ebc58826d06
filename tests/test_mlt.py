"""Shotcut's and Kdenlive's projects say what the edit list says.

tests/test_engines_melt.py renders them.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from document_factory import make_document
from edit_list_factory import CASES

from hlcli.errors import OutputError
from hlcli.timeline.build import Layout, build_edit_list
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import kdenlive, mlt
from hlcli.timeline.formats.otio import otio_timeline

WRITERS = {".mlt": mlt, ".kdenlive": kdenlive}
NTSC = Fraction(30000, 1001)


@pytest.fixture(params=WRITERS)
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(tmp_path: Path, edit: EditList, suffix: str) -> ET.Element:
    path = tmp_path / f"project{suffix}"
    WRITERS[suffix].write(edit, path)
    return ET.parse(path).getroot()


def edit_list(layout: Layout | None = None, **values: object) -> EditList:
    document = make_document(spans=[(2.0, 4.0), (10.5, 12.0)], **values)
    return build_edit_list([document], name="reel", layout=layout or Layout())


def properties(element: ET.Element) -> dict[str, str]:
    return {str(p.get("name")): p.text or "" for p in element.findall("property")}


def entries(root: ET.Element, suffix: str, track: str) -> list[tuple[int, int]]:
    name = f"track{track}" if suffix == ".mlt" else f"{track}-playlist0"
    playlist = root.find(f"playlist[@id='{name}']")
    assert playlist is not None
    return [(int(e.attrib["in"]), int(e.attrib["out"])) for e in playlist.findall("entry")]


def test_cuts_count_from_the_first_frame_with_inclusive_outs(tmp_path: Path, suffix: str) -> None:
    edit = edit_list(frame_rate=NTSC, start_timecode="01:00:00;00")
    root = written(tmp_path, edit, suffix)
    expected = [(e.frames.start, e.frames.stop - 1) for e in edit.events]
    assert expected == [(60, 119), (315, 359)]
    assert entries(root, suffix, "V1") == entries(root, suffix, "A1") == expected


def test_profile_is_exact(tmp_path: Path, suffix: str) -> None:
    profile = written(tmp_path, edit_list(frame_rate=NTSC), suffix).find("profile")
    assert profile is not None
    assert (profile.get("frame_rate_num"), profile.get("frame_rate_den")) == ("30000", "1001")
    assert (profile.get("width"), profile.get("height")) == ("1920", "1080")
    assert (profile.get("display_aspect_num"), profile.get("display_aspect_den")) == ("16", "9")


def test_every_clip_keeps_its_handles(tmp_path: Path, suffix: str) -> None:
    root = written(tmp_path, edit_list(), suffix)
    sources = [e for e in root.iter() if properties(e).get("mlt_service") == "avformat"]
    assert len(sources) == 5  # in the bin, and picture and sound of two cuts
    for source in sources:
        assert properties(source)["length"] == "1800"
        assert (source.get("in"), source.get("out")) == ("0", "1799")


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/footage/a b #1 50% ?&'\u65e5.mov", "/footage/a b #1 50% ?&'\u65e5.mov"),
        ("C:\\Footage\\day 1\\a.mov", "C:/Footage/day 1/a.mov"),
        ("\\\\server\\share\\a.mov", "//server/share/a.mov"),
    ],
)
def test_resource_is_bare_and_absolute(
    tmp_path: Path, suffix: str, path: str, resource: str
) -> None:
    root = written(tmp_path, edit_list(path=path), suffix)
    found = {properties(e)["resource"] for e in root.iter() if "seekable" in properties(e)}
    assert found == {resource}
    assert root.get("root") is None


@pytest.mark.parametrize("path", ["/footage/a\x07.mov", "/footage/a\udcff.mov"])
def test_a_name_xml_cannot_hold_is_refused(tmp_path: Path, suffix: str, path: str) -> None:
    target = tmp_path / f"project{suffix}"
    with pytest.raises(OutputError, match="cannot be written in an XML project") as caught:
        WRITERS[suffix].write(edit_list(path=path), target)
    assert caught.value.hint == "rename the file and score it again, or write an .otio"
    assert not target.exists()


def test_sources_of_another_rate_are_counted_at_the_timelines(tmp_path: Path, suffix: str) -> None:
    edit = edit_list(Layout(frame_rate=Fraction(25)), frame_rate=Fraction(50), num_frames=901)
    root = written(tmp_path, edit, suffix)
    assert entries(root, suffix, "V1") == [(50, 99), (263, 300)]
    source = next(e for e in root.iter() if "seekable" in properties(e))
    assert properties(source)["length"] == "450"


def test_gaps_are_blanks(tmp_path: Path, suffix: str) -> None:
    documents = [
        make_document(path=f"/footage/{n}.mov", spans=[(float(n), n + 2.0)]) for n in range(3)
    ]
    edit = build_edit_list(documents, name="x", layout=Layout(track_per_source=True))
    root = written(tmp_path, edit, suffix)
    name = "trackV3" if suffix == ".mlt" else "V3-playlist0"
    playlist = root.find(f"playlist[@id='{name}']")
    assert playlist is not None
    blanks = [blank.get("length") for blank in playlist.findall("blank")]
    assert blanks == ["120"]
    assert entries(root, suffix, "V3") == [(60, 119)]


def test_each_sound_track_names_its_stream(tmp_path: Path, suffix: str) -> None:
    edit = build_edit_list(
        list(CASES["drop_frame"].documents), name="x", layout=CASES["drop_frame"].layout
    )
    root = written(tmp_path, edit, suffix)
    for track, index in (("V1", "-1"), ("A1", "1"), ("A2", "2")):
        for number in range(2):
            source = next(e for e in root.iter() if e.get("id") == f"{track}-{number}")
            assert properties(source)["audio_index"] == index


@pytest.mark.parametrize("case", CASES)
def test_same_edit_list_same_bytes(tmp_path: Path, suffix: str, case: str) -> None:
    texts = []
    for name in ("a", "b"):
        documents, layout = CASES[case].documents, CASES[case].layout
        path = tmp_path / f"{name}{suffix}"
        WRITERS[suffix].write(build_edit_list(documents, name="reel", layout=layout), path)
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]


def test_shotcut_sees_a_project_of_its_own(tmp_path: Path) -> None:
    root = written(tmp_path, edit_list(), ".mlt")
    assert str(root.get("title")).startswith("Shotcut version ")
    tractor = root.findall("tractor")[-1]
    assert properties(tractor)["shotcut"] == "1"
    tracks = [(track.get("producer"), track.get("hide")) for track in tractor.findall("track")]
    assert tracks == [("background", None), ("trackV1", "audio"), ("trackA1", "video")]
    captions = [properties(chain).get("shotcut:caption") for chain in root.findall("chain")]
    assert captions[1:3] == ["H01 0.90 match.mp4", "H02 0.80 match.mp4"]
    video, audio = (
        [properties(e)["shotcut:group"] for e in root.findall(f"playlist[@id='{name}']/entry")]
        for name in ("trackV1", "trackA1")
    )
    assert video == audio == ["0", "1"]


def test_shotcut_markers_stand_on_the_timeline(tmp_path: Path) -> None:
    root = written(tmp_path, edit_list(), ".mlt")
    markers = [properties(m) for m in root.findall("tractor/properties/properties")]
    # The peaks, half a moment into each.
    assert [(m["start"], m["end"]) for m in markers] == [("30", "30"), ("83", "83")]
    assert markers[0]["text"] == "H01 0.90, score 0.90, picture and sound stand out"
    assert markers[0]["color"] == mlt.COLORS["GREEN"]


def test_whole_sources_have_markers_as_long_as_the_moments(tmp_path: Path) -> None:
    root = written(tmp_path, edit_list(Layout(markers_only=True)), ".mlt")
    markers = [properties(m) for m in root.findall("tractor/properties/properties")]
    assert [(m["start"], m["end"]) for m in markers] == [("60", "119"), ("315", "359")]
    root = written(tmp_path, edit_list(Layout(markers_only=True)), ".kdenlive")
    guides = json.loads(bin_properties(root)["kdenlive:docproperties.guides"])
    assert [(g["pos"], g["duration"]) for g in guides] == [(60, 60), (315, 45)]


def bin_properties(root: ET.Element) -> dict[str, str]:
    playlist = root.find("playlist[@id='main_bin']")
    assert playlist is not None
    return properties(playlist)


def test_kdenlive_groups_picture_and_sound(tmp_path: Path) -> None:
    edit = edit_list(audio=2)
    root = written(tmp_path, edit, ".kdenlive")
    tracks = [t.get("producer") for t in root.findall("tractor[@id='timeline']/track")]
    # Audio tracks are mirrored: the first one lies next to the picture.
    assert tracks == ["black_track", "A2-tractor", "A1-tractor", "V1-tractor"]
    groups = json.loads(bin_properties(root)["kdenlive:docproperties.groups"])
    assert [group["type"] for group in groups] == ["AVSplit", "AVSplit"]
    data = [[leaf["data"] for leaf in group["children"]] for group in groups]
    assert data == [["1:0", "0:0", "2:0"], ["1:60", "0:60", "2:60"]]


def test_kdenlive_guides_have_a_category_for_each_band(tmp_path: Path) -> None:
    root = written(tmp_path, edit_list(), ".kdenlive")
    found = bin_properties(root)
    guides = json.loads(found["kdenlive:docproperties.guides"])
    categories = json.loads(found["kdenlive:docproperties.guidesCategories"])
    assert [(g["pos"], g["comment"], g["type"]) for g in guides] == [
        (30, "H01 0.90, score 0.90, picture and sound stand out", 0),
        (83, "H02 0.80, score 0.80, picture and sound stand out", 0),
    ]
    assert categories[0]["comment"] == "score 0.8 and over"
    assert [category["index"] for category in categories] == list(range(4))


def test_kdenlive_bin_holds_each_source_once(tmp_path: Path) -> None:
    root = written(tmp_path, edit_list(), ".kdenlive")
    assert bin_properties(root)["kdenlive:docproperties.version"] == "1.04"
    bin_entries = root.findall("playlist[@id='main_bin']/entry")
    assert [entry.get("producer") for entry in bin_entries] == ["bin0"]
    ids = {
        properties(p)["kdenlive:id"] for p in root.iter("producer") if "seekable" in properties(p)
    }
    assert ids == {"2"}
    for tractor in root.findall("tractor")[:-1]:
        assert len(tractor.findall("track")) == 2


def test_the_adapter_is_still_no_way_to_write_mlt() -> None:
    """Decision 13: where this fails, the adapter was mended and may do."""
    edit = edit_list(
        frame_rate=NTSC, start_timecode="01:00:00;00", path="/footage/a b.mov", num_frames=900
    )
    text = otio.adapters.write_to_string(otio_timeline(edit), "mlt_xml")
    root = ET.fromstring(text)
    source, profile = root.find("producer"), root.find("profile")
    assert source is not None
    assert profile is not None
    assert properties(source)["resource"] == "file:///footage/a%20b.mov"
    assert source.get("in") == "107892.0"  # MLT counts from the file's first frame.
    assert profile.get("width") is None
    sound = root.find("playlist[@id='A1']")
    assert sound is not None
    assert sound.findall("entry") == []
