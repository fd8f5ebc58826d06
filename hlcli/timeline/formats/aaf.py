"""AAF for Avid Media Composer: cuts, timecodes, channels and markers, linked to the files.

Written with pyaaf2, the library below otio-aaf-adapter, which reads it back in the tests; what the
adapter itself writes is in docs/decisions/0010. Each source is one master clip with a slot for its
picture and one for every channel of its sound, made from a file mob, made from a tape mob that has
the timecode. No media is embedded.

What an AAF of this kind cannot say: sources of another rate than the timeline (refused), rotation,
scores beside the text of a marker.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hlcli import __version__
from hlcli.atomic import write_bytes
from hlcli.errors import UsageError
from hlcli.timeline.edit_list import EditList, Event, Source
from hlcli.timeline.formats.aaf_mobs import MADE, PICTURE_SLOT, Mobs, auid, same_shuffle, sound_slot
from hlcli.timeline.formats.channels import channel_uses, lanes_of
from hlcli.timeline.formats.rates import EDITOR_RATES, check_rates

if TYPE_CHECKING:
    from aaf2.file import AAFFile
    from aaf2.mobs import Mob

# Slots of the timeline have numbers that no master clip has: a marker names the slot it is on, and
# otio-aaf-adapter takes that of a clip on it where the numbers are alike.
_TRACK_SLOTS = {"picture": 1001, "sound": 2001}
_MARKER_SLOTS = 4001
_COLORS = {"ORANGE": "Red", "PINK": "Magenta", "PURPLE": "Magenta"}


def write(edit: EditList, path: Path, *, target: str = "avid") -> None:
    """Write an AAF, the same bytes for the same edit list.

    Raises:
        UsageError: The extra for AAF is missing; or the format cannot hold the timeline, see above.
        OutputError: It cannot be written there.
    """
    if find_spec("aaf2") is None:
        raise UsageError(
            f"cannot write {path}: the extra for AAF is not installed",
            hint='pip install "hlcli[aaf]"',
        )
    check_rates(edit, title="AAF", has_rate=lambda rate: rate in EDITOR_RATES)
    for source in edit.sources:
        if source.frame_rate != edit.frame_rate:
            raise UsageError(
                f"an AAF of hl has one frame rate: {source.name} has {source.frame_rate}, "
                f"the timeline {edit.frame_rate}",
                hint="write one AAF for each rate, or .otio or .xml for all of them",
            )
    write_bytes(path, _aaf_bytes(edit))


def _aaf_bytes(edit: EditList) -> bytes:
    import aaf2

    with TemporaryDirectory(prefix="hl-aaf-") as folder, same_shuffle():
        file = Path(folder) / "reel.aaf"
        with aaf2.open(str(file), "w") as aaf:
            _Composition(aaf, edit).build()
        return file.read_bytes()


class _Composition:
    """Builds the timeline of one file."""

    def __init__(self, aaf: AAFFile, edit: EditList) -> None:
        self._aaf = aaf
        self._edit = edit
        self._mobs = Mobs(aaf, edit)
        self._rate = str(edit.frame_rate)

    def build(self) -> None:
        edit = self._edit
        self._identify()
        masters = {source: self._mobs.add_master(source) for source in edit.sources}
        composition = self._mobs.add("CompositionMob", edit.name, repr(edit))
        composition.usage = "Usage_TopLevel"
        for number in range(edit.num_video_tracks):
            placed = [(event, PICTURE_SLOT) for event in edit.events if event.video_track == number]
            self._add_track(composition, "picture", number, placed, masters)
        lanes = lanes_of(edit)
        uses: list[list[tuple[Event, int]]] = [[] for _ in lanes]
        for event in edit.events:
            for use in channel_uses(event, lanes):
                uses[use.lane.number].append((event, sound_slot(use.file_channel)))
        for lane, placed in zip(lanes, uses, strict=True):
            self._add_track(composition, "sound", lane.number, placed, masters)
        self._mobs.add_timecode(
            composition, edit.start_frame, edit.num_frames, drop_frame=edit.drop_frame
        )
        self._add_markers(composition)

    def _identify(self) -> None:
        header = self._aaf.header
        header["LastModified"].value = MADE
        (maker,) = header["IdentificationList"].value
        maker["CompanyName"].value = "hl"
        maker["ProductName"].value = "hl"
        maker["ProductVersionString"].value = __version__
        maker["Platform"].value = "any"
        maker["Date"].value = MADE
        maker["GenerationAUID"].value = auid(repr(self._edit))

    def _add_track(
        self,
        composition: Mob,
        kind: str,
        number: int,
        placed: list[tuple[Event, int]],
        masters: dict[Source, Mob],
    ) -> None:
        """Add a track of cuts and of black or silence between them."""
        slot = composition.create_empty_sequence_slot(
            self._rate, slot_id=_TRACK_SLOTS[kind] + number, media_kind=kind
        )
        slot.name = f"{'V' if kind == 'picture' else 'A'}{number + 1}"
        slot["PhysicalTrackNumber"].value = number + 1
        parts, at = [], 0
        for event, master_slot in placed:
            if event.record.start > at:
                parts.append(self._aaf.create.Filler(kind, event.record.start - at))
            parts.append(
                masters[event.source].create_source_clip(
                    master_slot,
                    start=event.frames.start,
                    length=len(event.frames),
                    media_kind=kind,
                )
            )
            at = event.record.stop
        if self._edit.num_frames > at:
            parts.append(self._aaf.create.Filler(kind, self._edit.num_frames - at))
        slot.segment["Components"].extend(parts)
        slot.segment.length = self._edit.num_frames

    def _add_markers(self, composition: Mob) -> None:
        """Add the markers of each video track to a slot of their own, as Avid does."""
        from aaf2.misc import TaggedValueHelper

        edit, create = self._edit, self._aaf.create
        for number in range(edit.num_video_tracks):
            parts = []
            for event in (event for event in edit.events if event.video_track == number):
                for marker in event.markers:
                    part = create.DescriptiveMarker()
                    at = event.record_of(marker.frames.start, edit.frame_rate)
                    part["Position"].value = at
                    part["Length"].value = len(marker.frames)
                    part["Comment"].value = ", ".join(filter(None, (marker.name, marker.comment)))
                    part["DescribedSlots"].value = {_TRACK_SLOTS["picture"] + number}
                    color = _COLORS.get(marker.written_color, marker.written_color.capitalize())
                    TaggedValueHelper(part["CommentMarkerAttributeList"])["_ATN_CRM_COLOR"] = color
                    parts.append(part)
            if not parts:
                continue
            slot = create.EventMobSlot()
            slot.slot_id = _MARKER_SLOTS + number
            slot.edit_rate = self._rate
            slot["PhysicalTrackNumber"].value = number + 1
            slot.segment = create.Sequence(media_kind="DescriptiveMetadata")
            slot.segment["Components"].value = sorted(parts, key=lambda p: p["Position"].value)
            composition.slots.append(slot)
