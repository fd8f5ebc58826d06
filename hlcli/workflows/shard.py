"""Which part of many videos one of several machines scores, without any of them asking another."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from hlcli.errors import MediaError, UsageError
from hlcli.media.remote import Video, identity_of

_MOST_SHARDS = 100_000
_READERS = 16
_TEXT = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts of any number of videos."""

    number: int
    """Which part, from 1 to `count`."""
    count: int
    """How many parts there are."""

    def files(self, videos: Sequence[Video]) -> list[Video]:
        """Return those of the videos that are in this part, in their order.

        A part is chosen by content: every machine finds the same, wherever its files lie and in
        whatever order it lists them, and copies are in one part. A file that cannot be read is in
        the part that its name says, so that it is named once.
        """
        # Most of the time is waiting for a disk or a server.
        with ThreadPoolExecutor(_READERS) as pool:
            try:
                identities = list(pool.map(_identity, videos))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        return [video for video, one in zip(videos, identities, strict=True) if self.has(one)]

    def has(self, identity: str) -> bool:
        """Whether a content is in this part."""
        return int(identity[:16], 16) % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """Read "I/N", the I-th of N parts.

    Raises:
        UsageError: It is something else, or there is no I-th.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--shard: {text!r} is not I/N", hint="write 1/4 for the first of four parts"
        )
    number, count = map(int, match.groups())
    if not 1 <= count <= _MOST_SHARDS:
        raise UsageError(
            f"--shard: {count} parts are out of range", hint=f"make 1 to {_MOST_SHARDS} of them"
        )
    if not 1 <= number <= count:
        raise UsageError(
            f"--shard: there is no part {number} of {count}",
            hint=f"parts are counted from 1 to {count}; add 1 to a number that is counted from 0",
        )
    return Shard(number, count)


def _identity(video: Video) -> str:
    try:
        return identity_of(video)
    except MediaError:
        return hashlib.sha256(video.name.encode("utf-8", "surrogateescape")).hexdigest()
