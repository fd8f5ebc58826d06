"""The unfinished file of a download: what is there, what it hashes to, whether it can go on."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import IO

from hlcli.atomic import write_text
from hlcli.errors import DownloadError, OutputError

_CHUNK_BYTES = 1 << 20


class Partial:
    """`<target>.part`, and beside it `<target>.part.json` that says where its bytes come from.

    Use as a context manager; leaving it closes the file and keeps it for the next attempt.
    Errors of the disk come out as `OutputError`.

    Args:
        target: Where the finished file belongs.
        url: Address the bytes come from: bytes from another one are not continued.
        sha256: Published hash; bytes meant for another one are not continued.
        size_bytes: Published size: no byte more is ever written.
    """

    def __init__(self, target: Path, *, url: str, sha256: str, size_bytes: int) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self.sidecar = target.with_name(f"{target.name}.part.json")
        self.url = url
        self.sha256 = sha256
        self.size_bytes = size_bytes
        self.done_bytes = 0
        """Bytes on disk that count."""
        self.validator: str | None = None
        """ETag or Last-Modified of the file on the server that the bytes are from."""
        self._digest = hashlib.sha256()
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> Partial:
        try:
            if not self._load():
                self._stream = self.path.open("wb")
        except OSError as error:
            raise self._output_error(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            try:
                stream.close()
            except OSError as error:
                raise self._output_error(error) from error

    def _load(self) -> bool:
        """Open what an earlier attempt left; False when it is of no use."""
        try:
            notes = json.loads(self.sidecar.read_text(encoding="utf-8"))
            done_bytes = self.path.stat().st_size
        except (OSError, ValueError):
            return False
        validator = notes.get("validator") if isinstance(notes, dict) else None
        if notes != self._notes(validator) or not 0 < done_bytes <= self.size_bytes:
            return False
        self._stream = self.path.open("r+b")
        while chunk := self._stream.read(_CHUNK_BYTES):
            self._digest.update(chunk)
        self.done_bytes, self.validator = done_bytes, validator
        return True

    def _notes(self, validator: object) -> dict[str, object]:
        return {"url": self.url, "sha256": self.sha256, "validator": validator}

    @property
    def _open_stream(self) -> IO[bytes]:
        if self._stream is None:
            raise ValueError("the partial file is not open")
        return self._stream

    def restart(self, validator: str | None = None) -> None:
        """Forget all bytes: the next ones are the first of the file that `validator` names."""
        if self.done_bytes:
            try:
                self._open_stream.seek(0)
                self._open_stream.truncate()
            except OSError as error:
                raise self._output_error(error) from error
        self.done_bytes = 0
        self._digest = hashlib.sha256()
        self.validator = validator
        write_text(self.sidecar, json.dumps(self._notes(validator)))

    def append(self, chunk: bytes) -> None:
        """Write the next bytes.

        Raises:
            DownloadError: They are more than the published size; everything is removed.
            OutputError: The disk is full or fails.
        """
        if self.done_bytes + len(chunk) > self.size_bytes:
            self.discard()
            raise DownloadError(
                f"{self.url} sends more than the published {self.size_bytes:,} bytes",
                hint="the file on the server is another one; try later or use another mirror",
            )
        try:
            self._open_stream.write(chunk)
            # Whatever is counted must be in the file when this process is killed.
            self._open_stream.flush()
        except OSError as error:
            raise self._output_error(error) from error
        self._digest.update(chunk)
        self.done_bytes += len(chunk)

    def hexdigest(self) -> str:
        """Return the sha256 of all bytes so far."""
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Remove the file and its notes."""
        self.__exit__()
        self.path.unlink(missing_ok=True)
        self.sidecar.unlink(missing_ok=True)

    def publish(self) -> None:
        """Flush the bytes to disk and rename the file to its target."""
        try:
            os.fsync(self._open_stream.fileno())
            self.__exit__()
            # First the notes: a process that is killed in between leaves nothing that stays.
            self.sidecar.unlink(missing_ok=True)
            self.path.replace(self.target)
        except OSError as error:
            raise self._output_error(error) from error

    def _output_error(self, error: OSError) -> OutputError:
        # Windows has no EDQUOT.
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            left_bytes = self.size_bytes - self.done_bytes
            return OutputError(
                f"the disk is full: cannot write {self.path}",
                hint=f"free {left_bytes:,} bytes and run it again, it goes on from there",
            )
        return OutputError(
            f"cannot write {self.path}: {error.strerror or error}",
            hint="set HL_CACHE_DIR to a folder you may write to",
        )
