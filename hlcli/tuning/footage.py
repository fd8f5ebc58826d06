"""The raw files a model is tuned on, and how cuts and marks find their way back to them.

A file is known by its path, then by its name, then by its content; what has its name and another
length is another file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from hlcli.errors import HlError, MediaNotFoundError, TrainingError, reason_of
from hlcli.media.discover import MayRead, any_file, find_videos
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.media.proxies import places_of_original, stem_key
from hlcli.progress import Progress, silent
from hlcli.timeline.edit_list import Source
from hlcli.timeline.paths import media_path, readable
from hlcli.timeline.relink import MissingMedia, difference, name_key

_MOST_OF_PATH = 32_767
"""Letters of the longest path that any system has (Windows)."""
STAGE = "looking at the footage"
"""Name of the stage that counts files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """One file of the footage."""

    info: MediaInfo
    """What `probe` found."""
    identity: str
    """Content identity, `hlcli.media.identity`."""

    @property
    def path(self) -> Path:
        """Absolute path."""
        return self.info.path

    @property
    def source(self) -> Source:
        """The file as timelines know it."""
        return Source.from_media(self.info, identity=self.identity)

    @property
    def camera(self) -> str:
        """What recorded it, as far as the file says: make, model, size, codec and rate.

        Held upright or not, a camera is the same.
        """
        info = self.info
        long, short = sorted((info.width, info.height), reverse=True)
        parts = (info.recorded_with, f"{long}x{short}", info.video_codec, f"{info.bit_depth} bit")
        return ", ".join(filter(None, (*parts, f"{float(info.frame_rate):.5g} fps")))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that teaches nothing."""

    path: Path
    """Where it is, or was."""
    reason: str
    """Why, without a full stop."""


class Footage:
    """The files of a run.

    Args:
        inputs: Files, folders and globs, as the user typed them.
        search: Folders to look in for files that cuts and marks name; what is found there is
            learned from, too.
        without: Content identities of files that are no footage, such as a film made of it.
        may_read: Asked before a file is opened.
        progress: Called with the files looked at.

    Raises:
        MediaNotFoundError: An input or a folder to look in does not exist, or holds no video.
        TrainingError: No file can be read.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        *,
        search: Sequence[Path] = (),
        without: Collection[str] = (),
        may_read: MayRead = any_file,
        progress: Progress = silent,
    ) -> None:
        self.may_read = may_read
        """Asked before a file is opened."""
        self.files: list[RawFile] = []
        """The files to learn from, each content once."""
        self.left_out: list[LeftOut] = []
        """Those that cannot be used, with the reason."""
        self.repeated: list[Path] = []
        """Copies of files that are there already; each content teaches once."""
        self._twins: dict[str, RawFile] = {}
        self._by_identity: dict[str, RawFile] = {}
        self._without = frozenset(without)
        self._search = tuple(search)
        self._searched: list[Path] | None = None
        self._searched_identities: dict[Path, str | None] = {}
        for folder in self._search:
            if not folder.is_dir():
                raise MediaNotFoundError(
                    f"--search: there is no folder {folder}", hint="name an existing folder"
                )
        paths = find_videos(inputs, may_read=may_read)
        for done, path in enumerate(paths):
            progress(STAGE, done, len(paths))
            self._add(path)
        progress(STAGE, len(paths), len(paths))
        if not self.files:
            raise TrainingError(
                f"none of the {len(paths)} videos could be read: "
                + "; ".join(f"{one.path}: {one.reason}" for one in self.left_out[:3]),
                hint="check one with `hl score`",
            )

    def find(self, wanted: MissingMedia, *, base: Path | None = None) -> RawFile | str:
        """Return the file that a cut or a mark means, or why there is none.

        Args:
            wanted: What is known about it.
            base: Folder that a relative path starts at.
        """
        reasons: list[str] = []
        for places in (self.files, None):
            if places is None:
                # Walked only where the footage itself does not have it.
                self._add_searched(wanted)
            found = self._among(wanted, base, reasons)
            if found is not None:
                return found
        keys = {key for _, key in places_of_original(Path(wanted.path))}
        # What was cut from proxies was filmed in their originals.
        originals = [
            file
            for file in self.files
            if stem_key(file.path.stem) in keys
            and _differs(file, dataclasses.replace(wanted, sha256_head=None)) is None
        ]
        if len(originals) == 1:
            return originals[0]
        name = readable(media_path(wanted.path).name)
        return reasons[0] if reasons else f"no file of the footage is {name}"

    def _among(self, wanted: MissingMedia, base: Path | None, reasons: list[str]) -> RawFile | None:
        places = {_place(Path(wanted.path)), *([_place(base / wanted.path)] if base else [])}
        for file in self.files:
            if _place(file.path) in places and _differs(file, wanted) is None:
                return file
        for place in places & self._twins.keys():
            return self._twins[place]
        if wanted.sha256_head is not None and wanted.sha256_head in self._by_identity:
            return self._by_identity[wanted.sha256_head]
        pure = media_path(wanted.path)
        for part in ("name", "stem"):
            asked = getattr(pure, part)
            named = [file for file in self.files if _same(getattr(file.path, part), asked)]
            fitting = []
            for file in named:
                reason = _differs(file, wanted)
                if reason is None:
                    fitting.append(file)
                else:
                    reasons.append(f"{readable(file.path.name)} {reason}")
            best = max((_shared_tail(one.path, pure) for one in fitting), default=0)
            closest = [one for one in fitting if _shared_tail(one.path, pure) == best]
            if len(closest) == 1:
                return closest[0]
            if closest:
                reasons.append(
                    f"{readable(pure.name)} is there {len(closest)} times: "
                    + ", ".join(readable(str(one.path)) for one in closest)
                )
            # A name without its ending is looked for only where none was written.
            if named or pure.suffix:
                return None
        return None

    def _add(self, path: Path) -> None:
        try:
            path = self.may_read(path)
            identity = content_identity(path)
            if identity in self._without:
                return
            twin = self._by_identity.get(identity)
            if twin is not None:
                self._twins[_place(path)] = twin
                self.repeated.append(path)
                return
            info = probe(path)
        except Exception as error:  # noqa: BLE001 - one bad file does not cost the others
            self.left_out.append(LeftOut(path=path, reason=reason_of(error)))
            return
        file = RawFile(info=info, identity=identity)
        self.files.append(file)
        self._by_identity[identity] = file

    def _add_searched(self, wanted: MissingMedia) -> None:
        """Add what has the name or the content of a wanted file below the folders to look in."""
        if self._searched is None:
            self._searched = list(_files_of(self._search))
        known = {file.path for file in self.files} | {one.path for one in self.left_out}
        known |= set(self.repeated)
        name = media_path(wanted.path).name
        for path in self._searched:
            if path in known:
                continue
            if _same(path.name, name) or (
                wanted.sha256_head is not None and self._identity_of(path) == wanted.sha256_head
            ):
                self._add(path)

    def _identity_of(self, path: Path) -> str | None:
        """Read the content of a file to look among once, however many are looked for."""
        if path not in self._searched_identities:
            try:
                self._searched_identities[path] = content_identity(self.may_read(path))
            except HlError:
                self._searched_identities[path] = None
        return self._searched_identities[path]


def _files_of(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        # One that holds no video is no mistake: it was given to look in.
        with contextlib.suppress(MediaNotFoundError):
            yield from find_videos([str(folder)])


def _differs(file: RawFile, wanted: MissingMedia) -> str | None:
    """Say why a file is not the one that is wanted; None when nothing speaks against it."""
    if wanted.sha256_head is not None and wanted.sha256_head == file.identity:
        return None
    return difference(file.info, wanted)


def _shared_tail(path: PurePath, other: PurePath) -> int:
    """Count the names that two paths share at their ends."""
    count = 0
    for part, two in zip(reversed(path.parts), reversed(other.parts), strict=False):
        if not _same(part, two):
            break
        count += 1
    return count


def _same(name: str, other: str) -> bool:
    return name_key(name) == name_key(other)


def _place(path: Path) -> str:
    # Following links takes time that grows with the square of a path's length, and a timeline or a
    # list of marks can write any length.
    if len(str(path)) <= _MOST_OF_PATH:
        # A name that no file can have, as one with a zero byte, is in no place.
        with contextlib.suppress(OSError, ValueError):
            return name_key(os.path.realpath(path))
    return name_key(str(path))
