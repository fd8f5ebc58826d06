"""What an AAF is made of ("mobs"): master clips, the files behind them, and their timecode."""

from __future__ import annotations

import contextlib
import datetime
import math
import random
import uuid
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hlcli.timeline.edit_list import EditList, Source
from hlcli.timeline.paths import file_url
from hlcli.timeline.timecode import labels_per_second

if TYPE_CHECKING:
    from aaf2.file import AAFFile
    from aaf2.mobs import Mob

# Files carry when they were made, and identifiers that are usually drawn by lot. Here both follow
# from what is written, so that two runs give the same bytes.
MADE = datetime.datetime(2026, 1, 1)
"""When a file says it was made."""
_NAMESPACE = uuid.UUID("6f4d1e38-5f0f-4c53-9b0c-3a1f7b3c2d10")
PICTURE_SLOT = 1
"""Slot of a master clip's picture; those of its sound follow, one a channel."""
TIMECODE_SLOT = 3001
"""Slot of a timecode, of whatever mob."""


@contextlib.contextmanager
def same_shuffle() -> Iterator[None]:
    """Let pyaaf2, which shuffles the entries of its container, shuffle them alike each time."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)


class Mobs:
    """Adds mobs to one file."""

    def __init__(self, aaf: AAFFile, edit: EditList) -> None:
        self._aaf = aaf
        self._edit = edit
        self._rate = str(edit.frame_rate)

    def add(self, kind: str, name: str, *key: str) -> Mob:
        """Add a mob of a class of pyaaf2 ("MasterMob"), known by a key of its own."""
        from aaf2.mobid import MobID

        mob = getattr(self._aaf.create, kind)(name)
        identifier = MobID.new()
        identifier.material = auid(kind, *key)
        mob.mob_id = identifier
        mob["CreationTime"].value = MADE
        mob["LastModified"].value = MADE
        self._aaf.content.mobs.append(mob)
        return mob

    def add_timecode(self, mob: Mob, start: int, length: int, *, drop_frame: bool) -> None:
        """Add a timecode to a mob; `start` and `length` in frames."""
        slot = mob.create_timeline_slot(self._rate, TIMECODE_SLOT)
        slot.name = "TC1"
        slot["PhysicalTrackNumber"].value = 1
        timecode = self._aaf.create.Timecode(labels_per_second(self._edit.frame_rate))
        timecode.drop = drop_frame
        timecode.start = start
        timecode.length = length
        slot.segment = timecode

    def add_master(self, source: Source) -> Mob:
        """Add the master clip of a source, the same one in every timeline, and its making."""
        key = repr(source)
        num_channels = sum(audio.channels for audio in source.audio)
        tape = self.add("SourceMob", source.name, "tape", key)
        tape.descriptor = self._aaf.create.TapeDescriptor()
        self.add_timecode(tape, source.start_frame, source.num_frames, drop_frame=source.drop_frame)
        picture = self.add("SourceMob", source.name, "picture", key)
        picture.descriptor = self._picture_descriptor(source)
        master = self.add("MasterMob", source.name, key)
        self._add_chain([tape, picture, master], "picture", PICTURE_SLOT, 0, source)
        if num_channels:
            sound = self.add("SourceMob", source.name, "sound", key)
            sound.descriptor = self._sound_descriptor(source, num_channels)
            for channel in range(num_channels):
                slot = sound_slot(channel)
                self._add_chain([tape, sound, master], "sound", slot, channel, source)
        return master

    def _add_chain(
        self, mobs: list[Mob], kind: str, slot_id: int, number: int, source: Source
    ) -> None:
        """Give each mob a slot that is made from the same slot of the one before it."""
        before = None
        for mob in mobs:
            slot = mob.create_timeline_slot(self._rate, slot_id)
            slot.name = f"{'V' if kind == 'picture' else 'A'}{number + 1}"
            slot["PhysicalTrackNumber"].value = number + 1
            if before is None:
                slot.segment = self._aaf.create.SourceClip(media_kind=kind)
                slot.segment.length = source.num_frames
            else:
                slot.segment = before.create_source_clip(
                    slot_id, start=0, length=source.num_frames, media_kind=kind
                )
            before = mob

    def _picture_descriptor(self, source: Source) -> Any:
        descriptor = self._aaf.create.CDCIDescriptor()
        width, height = source.width or 1920, source.height or 1080
        if source.rotation_degrees in (90, 270):
            width, height = height, width
        descriptor["ComponentWidth"].value = 8
        descriptor["HorizontalSubsampling"].value = 2
        descriptor["ImageAspectRatio"].value = str(Fraction(width, height))
        descriptor["StoredWidth"].value = width
        descriptor["StoredHeight"].value = height
        descriptor["FrameLayout"].value = "FullFrame"
        descriptor["VideoLineMap"].value = [42, 0]
        descriptor["SampleRate"].value = self._rate
        descriptor["Length"].value = source.num_frames
        self._add_locator(descriptor, source)
        return descriptor

    def _sound_descriptor(self, source: Source, num_channels: int) -> Any:
        descriptor = self._aaf.create.PCMDescriptor()
        sample_rate = source.audio[0].sample_rate
        descriptor["AudioSamplingRate"].value = sample_rate
        descriptor["SampleRate"].value = sample_rate
        descriptor["Channels"].value = num_channels
        descriptor["QuantizationBits"].value = 16
        descriptor["BlockAlign"].value = 2 * num_channels
        descriptor["AverageBPS"].value = 2 * num_channels * sample_rate
        length = math.floor(source.num_frames * sample_rate / source.frame_rate)
        descriptor["Length"].value = length
        self._add_locator(descriptor, source)
        return descriptor

    def _add_locator(self, descriptor: Any, source: Source) -> None:
        locator = self._aaf.create.NetworkLocator()
        locator["URLString"].value = file_url(source.path)
        descriptor["Locator"].append(locator)


def sound_slot(channel: int) -> int:
    """Return the slot of a channel of the file, 0 is the first, in a master clip."""
    return PICTURE_SLOT + 1 + channel


def auid(*key: str) -> Any:
    """Return an identifier that is the same for the same key, and for no other."""
    from aaf2.auid import AUID

    return AUID(str(uuid.uuid5(_NAMESPACE, "\n".join(key))))
