"""The rules of FCPXML 1.10 that a file must keep, for the elements `hl` uses.

Apple publishes a DTD that may not be passed on; this is its content in our own words, written
against it, plus what Final Cut Pro asks for beyond it: times on frame boundaries, references that
exist, clips of a spine that touch.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from fractions import Fraction

TIME = r"-?\d+(/\d+)?s"
RATES = r"23\.98|24|25|29\.97|30|60|47\.95|48|50|59\.94"
ANY = ".*"
ANCHORED = "(asset-clip |clip |audio |video |spine )*"

CHILDREN = {
    "fcpxml": "(resources )?(library |(event )*|(project )*)",
    "resources": "(asset |format )*",
    "format": "",
    "asset": "(media-rep )+(metadata )?",
    "media-rep": "(bookmark )?",
    "library": "(event )*",
    "event": "(asset-clip |project )*",
    "project": "sequence ",
    "sequence": "(note )?spine (metadata )?",
    "spine": "(asset-clip |clip |gap |video |audio )*",
    "gap": f"(note )?{ANCHORED}(marker |keyword )*(metadata )?",
    "asset-clip": f"(note )?(conform-rate )?(timeMap )?(adjust-volume )?{ANCHORED}"
    "(marker |keyword )*(audio-channel-source )*(metadata )?",
    "conform-rate": "",
    "marker": "",
    "audio-channel-source": "(adjust-volume )?",
}
"""Children in order, each name followed by a space."""

_TIMING = {"lane": r"-?\d+", "offset": TIME, "name": ANY, "start": TIME, "enabled": "0|1"}
ATTRIBUTES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "fcpxml": ({"version": r"1\.10"}, {}),
    "resources": ({}, {}),
    "format": (
        {"id": r"r\d+"},
        {"name": ANY, "frameDuration": TIME, "width": r"\d+", "height": r"\d+", "colorSpace": ANY},
    ),
    "asset": (
        {"id": r"r\d+"},
        {
            "name": ANY, "start": TIME, "duration": TIME, "hasVideo": "1", "format": r"r\d+",
            "hasAudio": "1", "videoSources": r"\d+", "audioSources": r"\d+",
            "audioChannels": r"\d+", "audioRate": r"\d+",
        },
    ),
    "media-rep": ({"src": r"file:/(/[!-~]+)+"}, {"kind": "original-media|proxy-media"}),
    "library": ({}, {}),
    "event": ({}, {"name": ANY}),
    "project": ({}, {"name": ANY}),
    "sequence": (
        {"format": r"r\d+"},
        {
            "duration": TIME, "tcStart": TIME, "tcFormat": "DF|NDF",
            # The DTD has "mono", too, and Final Cut Pro refuses it.
            "audioLayout": "stereo|surround",
            "audioRate": r"32k|44\.1k|48k|88\.2k|96k|176\.4k|192k",
        },
    ),
    "spine": ({}, {}),
    "gap": ({"duration": TIME}, {"name": ANY, "offset": TIME, "start": TIME}),
    "asset-clip": (
        {"ref": r"r\d+"},
        {
            **_TIMING, "duration": TIME, "srcEnable": "all|audio|video", "format": r"r\d+",
            "tcFormat": "DF|NDF", "audioRole": ANY, "videoRole": ANY,
        },
    ),
    "conform-rate": ({}, {"scaleEnabled": "0|1", "srcFrameRate": RATES}),
    "marker": ({"start": TIME, "value": ANY}, {"duration": TIME, "note": ANY}),
    "audio-channel-source": (
        {"srcCh": r"\d+(, \d+)*"}, {"role": ANY, "enabled": "0|1", "active": "0|1"}
    ),
}  # fmt: skip
"""Attributes that must be there and those that may, each with what it may hold."""


def seconds(text: str) -> Fraction:
    """Read a time of FCPXML."""
    assert re.fullmatch(TIME, text), text
    return Fraction(text[:-1])


def check(text: str) -> ET.Element:
    """Assert that a file keeps the rules, and return its root."""
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n<fcpxml ')
    root = ET.fromstring(text.encode("utf-8"))
    by_id: dict[str, ET.Element] = {}
    for element in root.iter():
        names = "".join(f"{child.tag} " for child in element)
        assert re.fullmatch(CHILDREN[element.tag], names), f"{element.tag}: {names}"
        needed, optional = ATTRIBUTES[element.tag]
        assert needed.keys() <= element.attrib.keys(), element.attrib
        for name, value in element.items():
            pattern = (needed | optional)[name]
            assert re.fullmatch(pattern, value, re.DOTALL), f"{element.tag}: {name}={value}"
            if re.fullmatch(TIME, value):
                time = seconds(value)
                assert abs(time.numerator) < 2**63
                assert time.denominator < 2**31
        if "id" in element.attrib:
            assert element.get("id") not in by_id
            by_id[element.get("id", "")] = element
    for element in root.iter():
        for name, tag in (("format", "format"), ("ref", "asset")):
            if name in element.attrib:
                assert by_id[element.get(name, "")].tag == tag
    for sequence in root.iter("sequence"):
        _check_places(sequence, by_id)
    return root


def _check_places(sequence: ET.Element, by_id: dict[str, ET.Element]) -> None:
    frame = seconds(by_id[sequence.get("format", "")].get("frameDuration", ""))
    at = seconds(sequence.get("tcStart", "0s"))
    for item in sequence.findall("spine/*"):
        assert seconds(item.get("offset", "")) == at
        at += seconds(item.get("duration", ""))
    assert at == seconds(sequence.get("tcStart", "0s")) + seconds(sequence.get("duration", ""))
    for item in sequence.iter():
        for name in ("duration", "tcStart"):
            if item.tag in ("sequence", "gap", "asset-clip") and name in item.attrib:
                assert (seconds(item.get(name, "")) / frame).denominator == 1, item.attrib
        if item.tag != "asset-clip":
            continue
        asset = by_id[item.get("ref", "")]
        start = seconds(item.get("start", "0s"))
        asset_start = seconds(asset.get("start", "0s"))
        asset_end = asset_start + seconds(asset.get("duration", ""))
        assert asset_start <= start
        # A whole file of another rate may end within a frame of the timeline.
        over = frame if start == asset_start else 0
        assert start + seconds(item.get("duration", "")) <= asset_end + over
        if asset.get("hasVideo") == "1":
            own_frame = seconds(by_id[asset.get("format", "")].get("frameDuration", ""))
            assert ((start - asset_start) / own_frame).denominator == 1
            if own_frame == frame:
                assert start + seconds(item.get("duration", "")) <= asset_end
        for marker in item.findall("marker"):
            assert asset_start <= seconds(marker.get("start", "")) < asset_end
