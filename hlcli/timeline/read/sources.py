"""Which file a clip is cut from, and what is known about that file.

Facts come from the file itself when it is there; from what `hl` wrote into the timeline when it is
the same file or is not there; at last from what the clip states.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

import opentimelineio as otio

from hlcli.document import AudioRecord
from hlcli.errors import NoVideoStreamError, TimelineError
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.media.proxies import difference, original_of
from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import media_path, path_of_url, readable
from hlcli.timeline.read.exact import MOST_CHANNELS, entry, exact_rate, exact_seconds, whole_or_zero
from hlcli.timeline.read.types import MissingMediaError, Notes
from hlcli.timeline.relink import MissingMedia, Relinker
from hlcli.timeline.timecode import format_timecode

NOT_MADE = ("multiclip", "placeholder")
"""Kinds of references, in place of a generator's, to what is no file."""
_STILLS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".psd", ".svg"}


class SourceBook:
    """The sources of one timeline, each looked at once.

    Args:
        folder: Folder of the timeline; relative paths start there.
        relinker: Finds media, where it may be read.
        known: Sources that need no looking at, by their path or their file name.
        timeline_rate: Rate of sound without picture, in frames per second.
        notes: Gets what had to be assumed.
    """

    def __init__(
        self,
        *,
        folder: Path,
        relinker: Relinker,
        known: Sequence[Source],
        timeline_rate: Fraction,
        notes: Notes,
    ) -> None:
        self._folder = folder
        self._relinker = relinker.beside(folder)
        self._known = {source.path: source for source in known}
        self._known_names = {source.name: source for source in known}
        self._timeline_rate = timeline_rate
        self._notes = notes
        self._found: dict[str, Source] = {}
        self.unsure_of_sound: set[str] = set()
        """Paths of sources whose sound tracks nothing is known about."""

    def length_of(self, clip: otio.schema.Clip) -> Fraction | None:
        """Return the length of a clip's file in seconds; None when it has none that is there."""
        source = self.source_of(clip)
        return None if source is None else source.duration_seconds

    def source_of(self, clip: otio.schema.Clip) -> Source | None:
        """Return the file of a clip; None, with a note, for what is no video file.

        Raises:
            TimelineError: Nothing is known about the file, and it is not there.
            MediaError: It is there and cannot be used, or `--search` finds several.
        """
        media = clip.media_reference
        called = repr(readable(clip.name)) if clip.name else "an unnamed clip"
        if isinstance(media, otio.schema.GeneratorReference):
            kind = media.generator_kind if media.generator_kind in NOT_MADE else ""
            what = f"is a {kind}" if kind else "is made by the editor"
            self._notes.add(f"{called} {what}: left out, a gap stays")
            return None
        if isinstance(media, otio.schema.ImageSequenceReference):
            self._notes.add(f"{called} is an image sequence: left out, a gap stays")
            return None
        if isinstance(media, otio.schema.ExternalReference) and media.target_url:
            path = self._written_path(media.target_url)
        else:
            path = clip.name or (media.name if media is not None else "")
            if path not in self._known_names and not self._is_findable(path):
                self._notes.add(f"{called} has no media: left out, a gap stays")
                return None
        if media_path(path).suffix.lower() in _STILLS:
            self._notes.add(f"{called} is a still picture: left out, a gap stays")
            return None
        if path not in self._found:
            self._found[path] = self._look_up(path, clip)
        return self._found[path]

    def _is_findable(self, name: str) -> bool:
        return bool(name) and (
            self._here(name) is not None or self._relinker.find(MissingMedia(path=name)) is not None
        )

    def _written_path(self, url: str) -> str:
        """Return the path a reference means, as the file system has it if it is there."""
        scheme, colon, _ = url.partition("://")
        if colon and scheme.lower() != "file":
            raise TimelineError(
                f"the timeline takes media from {url}", hint="only files can be cut: download it"
            )
        candidates = [path_of_url(url)]
        if colon:
            # Some programs put "file://" before the bare path.
            candidates.append(url[len("file://") :])
        else:
            candidates.append(unquote(url, errors="surrogateescape"))
        for path in candidates:
            here = self._here(path)
            if here is not None:
                return str(here)
        return candidates[0]

    def _here(self, path: str) -> Path | None:
        """Return the file that a path means, if it is there and may be read."""
        # A path of another system names nothing here.
        return self._relinker.here(
            Path(path) if media_path(path).is_absolute() else self._folder / path
        )

    def _look_up(self, path: str, clip: otio.schema.Clip) -> Source:
        known = self._known.get(path) or self._known_names.get(
            readable(media_path(path).name), self._known_names.get(path)
        )
        if known is not None:
            return known
        original = self._original(path)
        if original is not None:
            return original
        stated = self._stated(path, clip)
        written = entry(clip.metadata, "hl", "source")
        identity = entry(written, "sha256_head")
        here = self._here(path)
        if here is None:
            here = self._relinker.find(
                MissingMedia(
                    path=path,
                    sha256_head=identity,
                    frame_rate=stated.frame_rate if stated else None,
                    num_frames=stated.num_frames if stated else None,
                    start_frame=stated.start_frame if stated else None,
                )
            )
        if here is None:
            if stated is not None:
                return stated
            raise MissingMediaError(
                f"{readable(path)} is not there, and the timeline does not say how long it is",
                path=path,
                hint="name the folder it is in now with --search",
            )
        if stated is not None and entry(written, "audio") is not None:
            if identity is not None and content_identity(here) == identity:
                self.unsure_of_sound.discard(path)
                return dataclasses.replace(stated, path=str(here))
            if identity is not None:
                self._notes.add(f"{here} is not what it was when the timeline was written")
        self.unsure_of_sound.discard(path)
        return self._probed(here, path, stated, identity)

    def _original(self, path: str) -> Source | None:
        """Return the original of a proxy that a clip names; None where it is none, or not there."""
        place = Path(path) if media_path(path).is_absolute() else self._folder / path
        found = original_of(place)
        found = None if found is None else self._relinker.here(found)
        if found is None:
            return None
        info = _probe_once(found)
        here = self._here(path)
        if here is not None and (why := difference(info, _probe_once(here))) is not None:
            self._notes.add(f"{here.name} is not the proxy of {found.name}: it {why}")
            return None
        self._notes.add(f"{readable(media_path(path).name)} is a proxy: {found.name} is taken")
        return Source.from_media(info, path=str(found))

    def _probed(self, here: Path, path: str, stated: Source | None, identity: str | None) -> Source:
        try:
            info = _probe_once(here)
        except NoVideoStreamError:
            # Music: it counts in the timeline's frames.
            if stated is None:
                raise
            self.unsure_of_sound.add(str(here))
            rate = self._timeline_rate
            return dataclasses.replace(
                stated,
                path=str(here),
                frame_rate=rate,
                num_frames=max(1, round(stated.num_frames * rate / stated.frame_rate)),
                start_timecode=None,
                audio=(),
            )
        known = content_identity(here) if identity is not None else None
        return Source.from_media(info, identity=known, path=str(here))

    def _stated(self, path: str, clip: otio.schema.Clip) -> Source | None:
        """Return what the timeline itself says about a file; None when that is not enough."""
        media = clip.media_reference
        available = None if media is None else media.available_range
        if available is None or available.duration.value <= 0:
            return None
        written = entry(clip.metadata, "hl", "source")
        if entry(written, "frame_rate") is None:
            written = None
        if entry(written, "frame_rate") is not None:
            rate = exact_rate(written["frame_rate"])
        else:
            rate = exact_rate(available.duration.rate)
            if rate > 1000:  # Sound, counted in samples.
                rate = self._timeline_rate
        start_timecode = entry(written, "start_timecode")
        if written is None:
            start = round(exact_seconds(available.start_time) * rate)
            if start > 0:
                start_timecode = format_timecode(start, rate, drop_frame=False)
        audio = entry(written, "audio")
        if audio is None:
            self.unsure_of_sound.add(path)
        return Source(
            path=path,
            frame_rate=rate,
            num_frames=whole_or_zero(entry(written, "num_frames"))
            or max(1, round(exact_seconds(available.duration) * rate)),
            start_timecode=start_timecode,
            has_timecode_track=entry(written, "has_timecode_track") is not False,
            width=whole_or_zero(entry(written, "width")),
            height=whole_or_zero(entry(written, "height")),
            rotation_degrees=whole_or_zero(entry(written, "rotation_degrees")),
            is_variable_rate=bool(entry(written, "is_variable_rate")),
            audio=tuple(
                AudioRecord(
                    channels=whole_or_zero(entry(track, "channels"), most=MOST_CHANNELS) or 1,
                    sample_rate=whole_or_zero(entry(track, "sample_rate")) or 48000,
                )
                for track in (audio or ())[:MOST_CHANNELS]
            ),
            sha256_head=entry(written, "sha256_head"),
            damage=entry(written, "damage"),
        )


def source_of_file(path: Path) -> Source:
    """Return what a file itself says.

    Raises:
        MediaError: It cannot be used.
    """
    return Source.from_media(_probe_once(path), path=str(path))


def _probe_once(path: Path) -> MediaInfo:
    # Some who read a timeline read it again for each file that is gone.
    try:
        status = path.stat()
    except OSError:
        return probe(path)  # which says what is wrong
    return _probe_as_it_is(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=2048)
def _probe_as_it_is(path: Path, size_bytes: int, changed_ns: int) -> MediaInfo:
    return probe(path)
