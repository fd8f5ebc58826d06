"""`hl score` in the background: started, watched, stopped, and what it wrote."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from pathlib import Path

from .finding import Finding
from .trouble import Trouble

# `hl plugins install blender` puts the path of hl here.
HL = "hl"


class Job:
    """One `hl score` in the background."""

    def __init__(self, program: str, paths: list[str], options: list[str]) -> None:
        self.paths = paths
        self.words = "Starting"
        self.fraction = 0.0
        self._said: deque[str] = deque(maxlen=50)
        self._folder = Path(tempfile.mkdtemp(prefix="hl-blender-"))
        self._is_cancelled = False
        outputs = ["-o", str(self._folder / "hl.json"), "-o", str(self._folder / "hl.otio")]
        # Blender's own Python must not be the one of hl.
        environment = {name: os.environ[name] for name in os.environ if name != "PYTHONHOME"}
        environment |= {"HL_PROGRESS": "json", "PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}
        try:
            self._process = subprocess.Popen(
                [program, "score", *paths, *outputs, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environment,
                # Windows would open a console.
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise Trouble(f"hl cannot be started: {error}; see the add-on's preferences") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode("utf-8", "replace").strip()
            if not text.startswith('{"stage"'):
                self._said.append(text)
                continue
            with contextlib.suppress(ValueError, KeyError):
                step = json.loads(text)
                self.words = str(step["stage"])
                self.fraction = min(1.0, step["done"] / step["total"]) if step["total"] else 0.0

    @property
    def is_running(self) -> bool:
        """Whether hl still works."""
        return self._process.poll() is None

    def cancel(self) -> None:
        """Stop hl; what it has read of the files stays in its cache."""
        self._is_cancelled = True
        with contextlib.suppress(OSError):
            self._process.terminate()

    def result(self) -> Finding | None:
        """Wait for hl and return what it found; None when it was cancelled.

        Raises:
            Trouble: hl failed; its own words.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Asked to stop, it gets five seconds to tidy up.
            self._process.wait(timeout=5 if self._is_cancelled else None)
        if self.is_running:
            self._process.kill()
        code = self._process.wait()
        self._reader.join()
        try:
            if self._is_cancelled:
                return None
            if code != 0:
                raise Trouble(self._failure(code))
            documents = json.loads((self._folder / "hl.json").read_text(encoding="utf-8"))
            timeline = json.loads((self._folder / "hl.otio").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Trouble(f"hl wrote nothing that can be read: {error}") from error
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        return Finding(documents if isinstance(documents, list) else [documents], timeline)

    def _failure(self, code: int) -> str:
        marked = [
            line.split(": ", 1)[1] for line in self._said if line.startswith(("error: ", "hint: "))
        ]
        return "; ".join(marked or list(self._said)[-3:]) or f"hl ended with exit code {code}"
