"""The report on scored videos: one page with everything inside it, for reading and printing.

It holds no script and asks for nothing; its security policy forbids both. Jinja2 escapes whatever
comes from outside: names of files, of models, words of damage.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from hlcli import __version__
from hlcli.clock_text import clock_text
from hlcli.document import ScoresDocument
from hlcli.errors import HlError
from hlcli.media.probe import MediaInfo
from hlcli.media.still import read_stills
from hlcli.moments import Moment, Take
from hlcli.progress import Progress, silent
from hlcli.rendering.curve import NARROW, WIDE, draw_curve
from hlcli.timeline.build import why_words
from hlcli.timeline.paths import legal_xml, media_path, readable
from hlcli.timeline.ranking import ranks
from hlcli.timeline.timecode import frame_at, timecode

MOST_STILLS_BYTES = 1_800_000
"""Bytes of all stills of a report on up to an hour of video, before they become text."""
_MOST_HOURS = 8
_STRIP = 10
"""Stills along a video."""
_WIDEST_STILL, _NARROWEST_STILL = 320, 96
_STILLS_AT_WIDEST = 60
_QUALITIES = (80, 65, 50, 35, 20)
_MOST_UNUSABLE = 100
_MOST_BEST = 50
_MOST_TAKES = 5  # of one moment
"""Moments in the table of the best of several videos."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A still, ready for the page."""

    uri: str
    """A `data:` address with the whole JPEG in it."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedVideo:
    """One video of a report."""

    document: ScoresDocument
    """Its scores, with the moments that were chosen."""
    near: Sequence[Moment] = ()
    """The next best moments, which were not chosen."""
    pictures: Mapping[int, Picture] = field(default_factory=dict)
    """Stills by their frame; `wanted_frames` says which ones are shown."""
    rule: str = ""
    """How the moments were chosen, in words."""
    notes: Sequence[str] = ()
    """What its reader must know first, a sentence each."""


def wanted_frames(document: ScoresDocument) -> set[int]:
    """Return the frames that a report shows: along the video, and of the document's moments."""
    return {
        *_strip_frames(document),
        *(_peak_frame(document, moment) for moment in document.moments),
    }


def with_stills(
    documents: Sequence[ScoresDocument], near: Sequence[Sequence[Moment]]
) -> list[ScoresDocument]:
    """Return documents with all moments that get a still, for `read_pictures`.

    Args:
        documents: With the moments that were chosen.
        near: The next best moments of each; they get one, and so do other takes.
    """
    moments = [[*one.moments, *more] for one, more in zip(documents, near, strict=True)]
    places = {document.video.path: place for place, document in enumerate(documents)}
    for place, document in enumerate(documents):
        for moment in document.moments:
            for take in moment.alternatives[:_MOST_TAKES]:
                there = place if take.video is None else places.get(take.video)
                if there is not None:
                    moments[there].append(_as_moment(take))
    return [one.with_moments(its) for one, its in zip(documents, moments, strict=True)]


def _as_moment(take: Take) -> Moment:
    return Moment(
        start_seconds=take.start_seconds,
        end_seconds=take.end_seconds,
        score=take.score,
        peak_seconds=(take.start_seconds + take.end_seconds) / 2,
    )


def read_pictures(
    videos: Sequence[tuple[ScoresDocument, MediaInfo | None]], *, progress: Progress = silent
) -> list[dict[int, Picture]]:
    """Decode the stills of a report, together no larger than a report may be.

    Args:
        videos: Documents with all moments that get a still, and what `probe` said about the file;
            None where there is none.
        progress: Called with the stills decoded.

    Returns:
        For each video, its stills by their frame; what cannot be decoded is left out.
    """
    frames = [wanted_frames(document) if info else set() for document, info in videos]
    total = sum(map(len, frames))
    hours = sum(document.video.duration_seconds for document, _ in videos) / 3600
    hours = min(max(hours, 1.0), _MOST_HOURS)
    width = _WIDEST_STILL * math.sqrt(_STILLS_AT_WIDEST * hours / max(total, 1))
    width = min(max(width, _NARROWEST_STILL), _WIDEST_STILL)
    images: list[dict[int, Image.Image]] = []
    done = 0
    progress("stills", done, total)
    for (document, info), wanted in zip(videos, frames, strict=True):
        images.append({})
        try:
            within = _within(document)
            height = 1 if info is None else _height(info, width)
            found = read_stills(info, wanted, height=height, within=within) if info else ()
            for still in found:
                images[-1][still.frame] = Image.fromarray(still.rgb_HWC)
                done += 1
                progress("stills", done, total)
        except HlError:
            continue  # a file that went away meanwhile: its stills are not shown
    for quality in _QUALITIES:
        stills = [{n: _jpeg(image, quality) for n, image in part.items()} for part in images]
        size = sum(len(data) for part in stills for data in part.values())
        if size <= MOST_STILLS_BYTES * hours:
            break
    return [
        {
            n: Picture(_uri(data), images[number][n].width, images[number][n].height)
            for n, data in part.items()
        }
        for number, part in enumerate(stills)
    ]


def render_report(videos: Sequence[ReportedVideo]) -> str:
    """Return the report as one HTML document, the same text for the same videos.

    Args:
        videos: At least one.
    """
    here = Path(__file__).parent
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string((here / "report.html").read_text(encoding="utf-8"))
    style = (here / "report.css").read_text(encoding="utf-8")
    documents = [video.document for video in videos]
    several = len(videos) > 1
    ranking = ranks(documents)
    parts = [
        _video(video, number, rank) | {"takes": _takes(video, videos)}
        for number, (video, rank) in enumerate(zip(videos, ranking, strict=True), start=1)
    ]
    best = sorted((one for part in parts for one in part["moments"]), key=lambda one: one["rank"])
    length = clock_text(sum(document.video.duration_seconds for document in documents))
    kept = sum(moment.duration_seconds for document in documents for moment in document.moments)
    count = sum(not one.continues for document in documents for one in document.moments)
    return template.render(
        title=f"Highlights of {len(videos)} videos" if several else parts[0]["name"],
        summary=f"{count} moment{'s' * (count != 1)}, {clock_text(kept)} of {length}",
        style=Markup(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        version=__version__,
        several=several,
        sub="h3" if several else "h2",
        videos=parts,
        best=best[:_MOST_BEST],
        best_left_out=max(0, len(best) - _MOST_BEST),
    )


def _video(video: ReportedVideo, number: int, ranking: Sequence[int]) -> dict[str, Any]:
    document = video.document
    name = _shown(media_path(document.video.path).name)
    identity = f"v{number}"
    moments = []
    for place, (moment, rank) in enumerate(zip(document.moments, ranking, strict=True), start=1):
        shown = _moment(document, moment)
        shown |= {
            "id": f"{identity}-m{place}",
            "number": place,
            "rank": rank,
            "video": name,
            "still": video.pictures.get(_peak_frame(document, moment)),
        }
        moments.append(shown)
    links = [f"#{moment['id']}" for moment in moments]
    drawings = [
        (size, draw_curve(document, lanes=True, frame=frame, links=links))
        for size, frame in (("broad", WIDE), ("narrow", NARROW))
    ]
    strip = [
        {"still": video.pictures[frame], "at": clock_text(float(frame / document.video.frame_rate))}
        for frame in _strip_frames(document)
        if frame in video.pictures
    ]
    count = len(moments)
    return {
        "id": identity,
        "name": name,
        "length": clock_text(document.video.duration_seconds),
        "best_score": moments[0]["score"] if moments else "-",
        "notes": [_shown(note) for note in _notes(video)],
        "strip": strip,
        "drawings": drawings,
        "described": f"Score of {name} over {clock_text(document.video.duration_seconds)}, "
        f"{count} moment{'s' * (count != 1)} shaded; the tables below say the same in words",
        "caption": _caption(document),
        "moments": moments,
        "none_found": f"Nothing stands out: the best second scores {max(document.scores):.2f}.",
        "near": [
            _moment(document, moment) | {"still": video.pictures.get(_peak_frame(document, moment))}
            for moment in video.near
        ],
        "unusable": [
            {
                "start": _timecode(document, one.start_seconds),
                "end": _timecode(document, one.end_seconds),
                "length": f"{one.duration_seconds:.1f} s",
                "reason": _first_upper(_shown(one.reason)),
            }
            for one in document.unusable or ()
        ][:_MOST_UNUSABLE],
        "facts": [(label, _shown(value)) for label, value in _facts(video)],
    }


def _moment(document: ScoresDocument, moment: Moment) -> dict[str, Any]:
    sides = [
        f"{name} {value:.2f}"
        for name, value in (("picture", moment.picture), ("sound", moment.sound))
        if value is not None
    ]
    return {
        "start": _timecode(document, moment.start_seconds),
        "end": _timecode(document, moment.end_seconds),
        "peak": _timecode(document, moment.peak_seconds),
        "length": f"{moment.duration_seconds:.1f} s",
        "score": f"{moment.score:.2f}",
        "sides": ", ".join(sides) if len(sides) > 1 else "",
        "why": _first_upper(_shown(why_words(moment))),
    }


def _takes(video: ReportedVideo, videos: Sequence[ReportedVideo]) -> list[dict[str, Any]]:
    """Return the other takes of a video's moments, with the number of the moment they are of."""
    places = {one.document.video.path: one for one in videos}
    found = []
    for number, moment in enumerate(video.document.moments, start=1):
        for take in moment.alternatives[:_MOST_TAKES]:
            there = video if take.video is None else places.get(take.video)
            span = _as_moment(take)
            shown = _moment(video.document if there is None else there.document, span)
            still = None
            if there is not None:
                still = there.pictures.get(_peak_frame(there.document, span))
            path = video.document.video.path if take.video is None else take.video
            name = _shown(media_path(path).name)
            found.append(shown | {"number": number, "video": name, "still": still})
    return found


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _notes(video: ReportedVideo) -> Iterator[str]:
    document = video.document
    yield from video.notes
    if document.damage is not None:
        yield f"Not all of the file could be read: {document.damage}."


def _caption(document: ScoresDocument) -> str:
    words = ["Above, the score of each second; green are the moments, numbered best first."]
    if document.unusable:
        words.append("Red is what nobody can use.")
    below = []
    if document.loudness is not None:
        below.append("loudness (from -60 to 0 dBFS)")
    if document.sounds is not None:
        below.append("sounds, the surer the taller")
    if document.sights:
        below.append("sights")
    if document.motion is not None:
        below.append("how much the picture moves")
    if document.shot_boundaries_seconds:
        below.append("cuts")
    if below:
        words.append(f"Below it: {'; '.join(below)}.")
    if document.motion is None:
        words.append("Scored by an earlier hl, which kept neither loudness, sounds nor motion.")
    return " ".join(words)


def _facts(video: ReportedVideo) -> Iterator[tuple[str, str]]:
    document, file = video.document, video.document.video
    sound = ", ".join(f"{one.channels} channels at {one.sample_rate} Hz" for one in file.audio)
    rate = f"{float(file.frame_rate):.3f}".rstrip("0").rstrip(".")
    yield "Detector", f"{document.model.name} {document.model.version}"
    yield "Weights", f"sha256 {document.model.sha256}"
    yield "Looked at", {"v": "picture", "a": "sound", "va": "picture and sound"}[document.modality]
    if video.rule:
        yield "Moments", video.rule
    varies = ", variable" if file.is_variable_rate else ""
    yield (
        "File",
        f"{clock_text(file.duration_seconds)}, {file.width} x {file.height}, {rate} frames a "
        f"second{varies}",
    )
    yield "Sound", sound or "none"
    yield "Timecode", file.start_timecode or "none, counted from zero"
    if document.proxy is not None:
        yield "Looked at in its place", document.proxy
    if document.draft:
        yield "Draft", "only keyframes were looked at"
    yield "Damage", document.damage or "none found"
    yield "Scored by", document.created_with


def _timecode(document: ScoresDocument, seconds: float) -> str:
    video = document.video
    return timecode(seconds, frame_rate=video.frame_rate, start_timecode=video.start_timecode)


def _strip_frames(document: ScoresDocument) -> list[int]:
    video = document.video
    count = min(_STRIP, max(1, math.floor(video.duration_seconds)))
    return [
        min(video.num_frames - 1, (2 * part + 1) * video.num_frames // (2 * count))
        for part in range(count)
    ]


def _within(document: ScoresDocument) -> dict[int, range]:
    """Return the frames among which a sharper one may stand for each peak."""
    rate, count = document.video.frame_rate, document.video.num_frames
    return {
        _peak_frame(document, moment): range(
            frame_at(moment.start_seconds, rate), min(frame_at(moment.end_seconds, rate), count)
        )
        for moment in document.moments
    }


def _peak_frame(document: ScoresDocument, moment: Moment) -> int:
    video = document.video
    frames = [frame_at(one, video.frame_rate) for one in (moment.start_seconds, moment.end_seconds)]
    peak = frame_at(moment.peak_seconds, video.frame_rate)
    return max(0, min(max(peak, frames[0]), frames[1] - 1, video.num_frames - 1))


def _height(info: MediaInfo, width: float) -> int:
    """Return the height of stills that have as many pixels as those of 16:9 at a width."""
    return max(1, round(width * math.sqrt(9 / 16 * info.height / info.width)))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()


def _uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _shown(text: str) -> str:
    return legal_xml(readable(text))
