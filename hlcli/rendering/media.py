"""The files behind a timeline: found, probed once, and long enough for what is taken from them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hlcli.errors import MediaError, MediaNotFoundError, NoVideoStreamError
from hlcli.media.clock import MediaClock
from hlcli.media.probe import MediaInfo, probe
from hlcli.media.stereo import probe_sound
from hlcli.timeline.edit_list import EditList

# A reader may know the length of a source from its editor, who rounds it.
_TOLERATED_FRAMES = 1
_NO_PICTURE_SIZE = (1280, 720)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFile:
    """One file behind a timeline."""

    path: Path
    """Absolute path of the file."""
    video: MediaInfo | None
    """What `probe` said; None for sound alone."""
    sound_streams: tuple[int, ...]
    """Indices of its sound streams in its container."""
    clock: MediaClock
    """How its frames and samples count in the time of its container."""
    duration_seconds: Fraction | None
    """Its length; None where a sound file does not say it."""

    @property
    def picture(self) -> MediaInfo:
        """What `probe` said.

        Raises:
            NoVideoStreamError: It has no picture, and the timeline shows it.
        """
        if self.video is None:
            raise NoVideoStreamError(
                f"the timeline shows {self.path}, which has no picture",
                hint="it was replaced, or belongs on a sound track",
            )
        return self.video


def look_at(path: Path) -> MediaFile:
    """Probe a video or a sound file.

    Raises:
        MediaError: It is not there or cannot be read.
    """
    try:
        info = probe(path)
    except NoVideoStreamError:
        sound = probe_sound(path)
        return MediaFile(
            path=sound.path,
            video=None,
            sound_streams=sound.stream_indices,
            clock=MediaClock(sound.start_seconds),
            duration_seconds=sound.duration_seconds,
        )
    return MediaFile(
        path=info.path,
        video=info,
        sound_streams=tuple(stream.index for stream in info.audio_streams),
        clock=info.clock,
        duration_seconds=info.duration_seconds,
    )


def probe_sources(edit: EditList) -> dict[str, MediaFile]:
    """Look at every file of a timeline, before any work is done.

    Returns:
        What `probe` said, by the path of the source.

    Raises:
        MediaNotFoundError: A file is not there.
        MediaError: A file cannot be read, or is shorter than the timeline says.
    """
    found: dict[str, MediaFile] = {}
    missing: list[str] = []
    for path in dict.fromkeys(source.path for source in edit.sources):
        try:
            found[path] = look_at(Path(path))
        except MediaNotFoundError:
            missing.append(path)
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise MediaNotFoundError(
            f"no such file: {missing[0]}{others}",
            hint="`hl render --search FOLDER` finds media that have moved",
        )
    for event in edit.events:
        file = found[event.source.path]
        end_seconds = event.frames.stop / event.source.frame_rate
        if file.duration_seconds is None:
            continue
        rates = [event.source.frame_rate, *([file.video.frame_rate] if file.video else [])]
        if end_seconds - file.duration_seconds > _TOLERATED_FRAMES / min(rates):
            raise MediaError(
                f"{file.path} is {float(file.duration_seconds):.2f} s long, the timeline takes "
                f"footage from it until {float(end_seconds):.2f} s",
                hint="it was trimmed or replaced: put the old file back, or score and export it "
                "again",
            )
    return found


def timeline_size(edit: EditList, media: dict[str, MediaFile]) -> tuple[int, int]:
    """Return the size of the picture, both numbers even: the timeline's, or its first source's."""
    width, height = edit.width, edit.height
    if width < 2 or height < 2:
        shown = [event for event in edit.events if event.video_track is not None]
        if not shown:
            return _NO_PICTURE_SIZE
        first = media[shown[0].source.path].picture
        width, height = first.width, first.height
    return even(Fraction(width)), even(Fraction(height))


def even(size: Fraction) -> int:
    """Return the nearest even number of pixels, at least 2: half as many carry colour."""
    return max(2, round(size / 2) * 2)
