"""Every rule of `hl check`, where it is from, and how sure that is.

docs/reference/check.md is made from this list; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from hlcli.timeline.formats import TARGETS

Severity = Literal["error", "warning"]

PROGRAMS: Mapping[str, str] = {
    target.name: target.title for target in TARGETS.values() if target.reads
}
"""Programs by their value of --for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a timeline must not have."""

    id: str
    """Short name, shown with every finding."""
    formats: str
    """Extensions it looks at."""
    severity: Mapping[str, Severity]
    """How bad it is, by program; a program that is not there does not mind."""
    what: str
    """What is wrong, and what comes of it."""
    hint: str
    """What to do about it."""
    source: str
    """Who says so."""


def _both(severity: Severity) -> dict[str, Severity]:
    return {"resolve": severity, "premiere": severity}


def _all(severity: Severity, **others: Severity) -> dict[str, Severity]:
    return dict.fromkeys(PROGRAMS, severity) | others


_MEASURED = "measured by others on Resolve 19.1 to 21.1"
_WRITERS = "seen in the files of programs that write for Premiere"
_USERS = "reported by users of other tools"
_OTIO = "OpenTimelineIO's own definition"
_CMX = "the CMX 3600 convention"
_APPLE = "Apple's description of FCPXML"
_FCP7 = "Apple's description of Final Cut Pro 7 XML"

RULES: Mapping[str, Rule] = {
    rule.id: rule
    for rule in (
        # The file as a whole
        Rule(
            id="format-not-read", formats="all", severity=_all("error"),
            what="The program does not read this kind of file.",
            hint="export with --for and the program",
            source="the programs' lists of formats",
        ),
        Rule(
            id="no-clip", formats="all", severity=_all("error"),
            what="There is no clip to import.",
            hint="export again, with --top 3 for example",
            source="hl",
        ),
        Rule(
            id="name-missing", formats=".otio .xml .fcpxml", severity=_both("warning"),
            what="The timeline has no name; the second one without a name is taken for the first.",
            hint="give the timeline a name",
            source=_MEASURED,
        ),
        Rule(
            id="name-taken", formats=".otio .xml .edl .fcpxml", severity=_both("error"),
            what="Another timeline that is checked with it has the same name: Resolve imports "
            "nothing, without a word, when a name is taken.",
            hint="give each timeline a name of its own",
            source=_MEASURED,
        ),
        Rule(
            id="rate-not-exact", formats=".otio", severity=_both("error"),
            what="A rate is typed as 29.97 or 23.976, not 30000/1001 or 24000/1001: frames are "
            "lost to rounding.",
            hint="write rates with all their digits",
            source="computed: a reader that rounds down loses up to every frame",
        ),
        Rule(
            id="rate-unsupported", formats=".otio .xml .fcpxml",
            severity=_both("warning") | {"finalcut": "warning"},
            what="The program offers no timeline of that rate.",
            hint="export with --frame-rate and the nearest rate it has",
            source="the programs' lists of timeline rates",
        ),
        Rule(
            id="schema-unknown", formats=".otio", severity=_both("error"),
            what="An object has a version that OpenTimelineIO does not know yet.",
            hint="export again with target_schema_versions",
            source=_OTIO,
        ),
        Rule(
            id="schema-clip-2", formats=".otio", severity={"resolve": "warning"},
            what="Clips are Clip.2, which Resolve 18.5 does not read; later versions do.",
            hint="export with --for resolve, which writes Clip.1",
            source="claimed by the source of another writer; later versions " + _MEASURED,
        ),
        Rule(
            id="start-missing", formats=".otio", severity={"resolve": "warning"},
            what="The timeline does not say at which timecode it starts.",
            hint="set global_start_time",
            source=_MEASURED,
        ),
        # Media
        Rule(
            id="media-missing", formats="all but .edl",
            severity=_all("warning", resolve="error"),
            what="A file is not there: Resolve imports no timeline at all, others one without "
            "its media.",
            hint="mount the drive, export again with --search, or check with --no-media",
            source=_MEASURED + "; Premiere's own dialog",
        ),
        Rule(
            id="media-offline", formats=".otio", severity=_both("warning"),
            what="A clip names no media.",
            hint="link the media in the program that wrote the timeline, and export again",
            source=_OTIO,
        ),
        Rule(
            id="media-variable-rate", formats="all but .edl", severity=_all("warning"),
            what="The frames of a file are unevenly spaced: programs disagree on which is which.",
            hint="convert it to a constant rate first",
            source=_USERS,
        ),
        Rule(
            id="media-same-name", formats="all but .edl", severity={"resolve": "warning"},
            what="Two files in different folders have one name: relinking may take the other.",
            hint="rename one of them",
            source=_MEASURED,
        ),
        # Paths
        Rule(
            id="path-encoded", formats=".otio", severity={"resolve": "error"},
            what="A path is percent-encoded, which Resolve does not decode.",
            hint="export with --for resolve, which writes the bare path",
            source=_MEASURED,
        ),
        Rule(
            id="path-url", formats=".otio", severity={"resolve": "warning"},
            what="A path is a URL; Resolve's own files have bare paths, and one report says that "
            "20.2 refuses URLs.",
            hint="export with --for resolve, which writes the bare path",
            source=_MEASURED,
        ),
        Rule(
            id="path-bare", formats=".otio .xml", severity={"premiere": "error"},
            what="A path is not a file URL.",
            hint="export with --for premiere, which writes a percent-encoded URL",
            source=_WRITERS,
        ),
        Rule(
            id="path-unescaped", formats=".otio .xml .fcpxml",
            severity={"premiere": "error", "resolve": "error"},
            what="A URL has a character that ends it or is none: '#', '?', a space, a letter "
            "that is not ASCII.",
            hint="percent-encode the path",
            source=_USERS,
        ),
        Rule(
            id="path-host", formats=".otio .xml .fcpxml", severity=_both("error"),
            what="A URL runs the computer's name and the drive together: file://localhostC:/.",
            hint="write file:///C:/ or file://localhost/C:/",
            source=_USERS,
        ),
        Rule(
            id="path-relative", formats=".otio .xml", severity=_both("warning"),
            what="A path is relative: it is found from one folder only.",
            hint="write the absolute path",
            source=_USERS,
        ),
        Rule(
            id="name-unsafe", formats=".otio", severity={"resolve": "warning"},
            what="A bare path has '#', '?' or '%', which programs take for the end of a path or "
            "for an image sequence.",
            hint="rename the file",
            source="measured by us on OpenTimelineIO's own functions, by others on Resolve's",
        ),
        # Ranges
        Rule(
            id="range-missing", formats=".otio",
            severity={"resolve": "error", "premiere": "warning"},
            what="A reference does not say which frames its media has.",
            hint="set available_range on every reference",
            source=_MEASURED,
        ),
        Rule(
            id="range-outside", formats="all but .edl", severity=_all("error"),
            what="A clip takes frames that its media does not have: Resolve imports nothing.",
            hint="export again from the file as it is now",
            source=_MEASURED,
        ),
        Rule(
            id="range-from-zero", formats=".otio .fcpxml",
            severity={"resolve": "error", "premiere": "warning"},
            what="Ranges count from 0 though the file has a timecode: \"clip not found\".",
            hint="count from the file's timecode",
            source=_MEASURED + "; " + _USERS,
        ),
        Rule(
            id="frames-not-whole", formats=".otio .fcpxml", severity=_both("error"),
            what="A place or a length lies between frames.",
            hint="round each cut once, and use it for both clips",
            source=_MEASURED,
        ),
        Rule(
            id="gap-of-one-frame", formats=".otio .xml .edl", severity=_both("warning"),
            what="One black frame between two clips: a rounding error, seldom a wish.",
            hint="end the first clip where the second starts",
            source=_MEASURED,
        ),
        Rule(
            id="clips-overlap", formats=".xml .edl", severity=_both("error"),
            what="Two clips lie on one another in one track: one of them is cut away.",
            hint="start the second where the first ends",
            source=_USERS,
        ),
        Rule(
            id="lengths-differ", formats=".xml .edl", severity=_both("error"),
            what="A clip is longer on the timeline than what it takes of its source, or shorter.",
            hint="make both equal, a speed change is said otherwise",
            source=_FCP7,
        ),
        # Structure
        Rule(
            id="nested-sequence", formats=".otio",
            severity={"resolve": "error", "premiere": "warning"},
            what="A sequence within a sequence; Resolve wants tracks directly on the timeline.",
            hint="flatten it: read it with hl and write it again",
            source=_MEASURED,
        ),
        Rule(
            id="speed-of-one", formats=".otio",
            severity={"premiere": "error", "resolve": "warning"},
            what="A time warp at normal speed: Premiere then drops the clip's own motion.",
            hint="leave the effect out",
            source=_WRITERS,
        ),
        Rule(
            id="effect-dropped", formats=".otio", severity=_both("warning"),
            what="An effect of another program; it is dropped.",
            hint="render it into the media first",
            source=_MEASURED,
        ),
        Rule(
            id="marker-note-lost", formats=".otio", severity={"resolve": "warning"},
            what="The comment of a marker is not where Resolve reads it.",
            hint="export with --for resolve",
            source="claimed by the source of another reader, Resolve 21",
        ),
        # Sound
        Rule(
            id="sound-missing", formats=".otio .xml", severity=_both("warning"),
            what="A picture whose file has sound, and no sound beside it: a clip on a video track "
            "brings none.",
            hint="put the sound on an audio track, linked",
            source=_MEASURED,
        ),
        Rule(
            id="link-missing", formats=".otio .xml", severity=_both("warning"),
            what="Picture and sound of one clip are not linked: they come apart when one is moved.",
            hint="export with --for and the program",
            source=_MEASURED + "; " + _WRITERS,
        ),
        Rule(
            id="link-shared", formats=".otio", severity=_both("error"),
            what="Clips that do not belong together have one link: Premiere makes them one clip.",
            hint="give each picture and its sound a number of their own",
            source=_WRITERS,
        ),
        Rule(
            id="link-dangling", formats=".xml", severity=_both("error"),
            what="A link leads to a clip that is not there.",
            hint="write the clip, or leave out the link",
            source=_FCP7,
        ),
        Rule(
            id="channels-differ", formats=".otio .xml", severity=_both("error"),
            what="A clip has more or fewer channels than its file: it cannot be linked.",
            hint="write the number of channels the file has",
            source=_USERS,
        ),
        # Premiere's own metadata
        Rule(
            id="frame-size-missing", formats=".otio", severity={"premiere": "error"},
            what="The sequence has no VideoResolution: it gets a size of Premiere's choice.",
            hint="export with --for premiere",
            source=_WRITERS,
        ),
        Rule(
            id="frame-size-differs", formats=".otio", severity={"premiere": "warning"},
            what="The VideoResolution is not the size of the timeline.",
            hint="export again",
            source=_WRITERS,
        ),
        Rule(
            id="sequence-rate-differs", formats=".otio", severity={"premiere": "error"},
            what="The VideoFrameRate is not the rate of the timeline.",
            hint="export again",
            source=_WRITERS,
        ),
        # Final Cut Pro 7 XML
        Rule(
            id="xml-format-missing", formats=".xml", severity=_both("error"),
            what="The sequence has no <format> with a size: Resolve passes it over.",
            hint="write width and height into <format><samplecharacteristics>",
            source=_MEASURED + "; " + _USERS,
        ),
        Rule(
            id="xml-timecode-missing", formats=".xml", severity=_both("error"),
            what="A <file> has no <timecode>: the same file with one imported, without it nothing.",
            hint="write the file's timecode, 00:00:00:00 if it has none",
            source=_MEASURED,
        ),
        Rule(
            id="xml-timecode-differs", formats=".xml", severity=_both("error"),
            what="The <string>, the <frame> and the <displayformat> of a timecode do not agree, or "
            "not with the file.",
            hint="count drop-frame as drop-frame",
            source=_USERS,
        ),
        Rule(
            id="xml-id-repeated", formats=".xml", severity=_both("error"),
            what="Two clips have one id: links go to the wrong one.",
            hint="number the clips",
            source=_USERS,
        ),
        Rule(
            id="xml-ntsc", formats=".xml", severity=_both("error"),
            what="<ntsc> is neither TRUE nor FALSE.",
            hint="write TRUE for rates of 1000/1001",
            source=_FCP7,
        ),
        Rule(
            id="xml-empty-field", formats=".xml", severity=_both("error"),
            what="A clip or a file lacks its <duration> or <rate>.",
            hint="write both",
            source=_FCP7,
        ),
        Rule(
            id="xml-sequence-place", formats=".xml", severity=_both("error"),
            what="No <sequence> below <xmeml>, <project><children> or <bin><children>.",
            hint="put it directly below <xmeml>",
            source=_FCP7,
        ),
        # EDL
        Rule(
            id="edl-title-missing", formats=".edl", severity=_both("error"),
            what="The first line is not TITLE.",
            hint="begin with TITLE: and the name",
            source=_CMX,
        ),
        Rule(
            id="edl-counting", formats=".edl", severity=_both("error"),
            what="FCM is missing, or says another counting than the timecodes.",
            hint="write FCM: DROP FRAME where timecodes have ';'",
            source=_CMX,
        ),
        Rule(
            id="edl-reel-long", formats=".edl", severity=_both("warning"),
            what="The name of a reel has more than 8 characters: some programs cut it.",
            hint="shorten it; FROM CLIP NAME holds the whole",
            source=_CMX,
        ),
        Rule(
            id="edl-clip-name-missing", formats=".edl", severity=_both("warning"),
            what="An event has no FROM CLIP NAME: only the reel tells its media.",
            hint="write * FROM CLIP NAME: and the file's name",
            source=_CMX,
        ),
        # FCPXML
        Rule(
            id="fcpxml-version", formats=".fcpxml", severity={"resolve": "error"},
            what="A later version than 1.10, which Resolve 18.5 refuses.",
            hint="export with --for resolve",
            source=_USERS,
        ),
        Rule(
            id="fcpxml-rate-undefined", formats=".fcpxml", severity={"resolve": "error"},
            what="The format of the sequence has no frameDuration.",
            hint="write one, 1001/30000s for example",
            source=_APPLE,
        ),
        Rule(
            id="fcpxml-reference", formats=".fcpxml", severity={"resolve": "error"},
            what="A clip refers to an asset or a format that is not there.",
            hint="write the resource",
            source=_APPLE,
        ),
    )
}  # fmt: skip
"""Rules by their id, in the order of the documentation."""
