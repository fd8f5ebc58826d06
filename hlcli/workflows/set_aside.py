"""Files that ended the processes that scored them, remembered so that no later run tries again.

One small JSON file for each content and model, in the cache: `hl score --retry-failed`, or removing
it, gives the file another chance.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlcli import paths
from hlcli.atomic import make_folder, write_text
from hlcli.errors import MediaUnreadableError
from hlcli.media.remote import Video


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One file that was given up."""

    identity: str
    """Its content identity."""
    model_sha256: str
    """The detector it was to be scored by."""
    path: str
    """Where it was."""
    reason: str
    """What happened at the last attempt, in words."""
    attempts: int
    """How often it was tried."""
    when: str
    """When it was given up, ISO 8601 in UTC."""
    created_with: str
    """The program that gave it up."""

    def as_error(self, video: Video) -> MediaUnreadableError:
        """Return what to say about the file, and where it is now."""
        times = "once" if self.attempts == 1 else f"{self.attempts} times"
        return MediaUnreadableError(
            f"{video} is set aside: it was tried {times}, and {self.reason}",
            hint="leave it out, or try again with --retry-failed",
        )

    def write(self) -> None:
        """Remember it.

        Raises:
            OutputError: The cache folder cannot be written.
        """
        folder = _folder()
        make_folder(folder, hint="set HL_CACHE_DIR to a folder you may write to")
        text = json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=True)
        write_text(folder / _name(self.identity, self.model_sha256), text + "\n")

    @classmethod
    def find(cls, identity: str, model_sha256: str) -> SetAside | None:
        """Return what is remembered of a file; None where nothing is, or it cannot be read."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            value: Any = json.loads((_folder() / _name(identity, model_sha256)).read_bytes())
            record = cls(**value)
            if (record.identity, record.model_sha256) == (identity, model_sha256):
                return record
        return None

    @staticmethod
    def forget(identity: str, model_sha256: str) -> None:
        """Remember nothing of a file."""
        with contextlib.suppress(OSError):
            (_folder() / _name(identity, model_sha256)).unlink(missing_ok=True)


def _folder() -> Path:
    return paths.cache_dir() / "set-aside"


def _name(identity: str, model_sha256: str) -> str:
    return f"{identity[:32]}-{model_sha256[:16]}.json"
