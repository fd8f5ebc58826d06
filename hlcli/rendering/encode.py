"""One ffmpeg process that takes pictures as they are made and writes the film."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from hlcli.errors import OutputError
from hlcli.media.canvas import Colour, Planes
from hlcli.media.ffmpeg import FfmpegProgram
from hlcli.media.rates import rate_text
from hlcli.rendering.encoders import FilmEncoder
from hlcli.rendering.sound import SoundFile

# Pictures on their way to ffmpeg: enough for both to work at once, few enough for any memory.
_MOST_WAITING = 4
_SOUND_CODECS: dict[str, dict[str, Any]] = {
    ".mp4": {"acodec": "aac", "audio_bitrate": "256k"},
    ".mov": {"acodec": "pcm_s16le"},
    ".mkv": {"acodec": "flac"},
}


def encode_command(
    program: FfmpegProgram,
    output: Path,
    *,
    size: tuple[int, int],
    frame_rate: Fraction,
    colour: Colour,
    encoder: FilmEncoder,
    sounds: Sequence[SoundFile],
    sample_rate: int,
) -> list[str]:
    """Return the command line of the process."""
    rate = rate_text(frame_rate)
    given = ffmpeg.input(
        "pipe:0",
        format="rawvideo",
        pix_fmt="yuv420p",
        s=f"{size[0]}x{size[1]}",
        framerate=rate,
        thread_queue_size=16,
    )
    picture = (
        given["v:0"]
        .filter("setsar", 1)
        .filter(
            "setparams",
            range="tv",
            color_primaries=colour.primaries,
            color_trc=colour.curve,
            colorspace=colour.matrix,
        )
    )
    streams = [picture]
    for sound in sounds:
        wave = ffmpeg.input(str(sound.path), format="f32le", ar=sample_rate, ac=2)["a:0"]
        if sound.peak > 1:
            wave = wave.filter("volume", f"{1 / sound.peak:.9f}", precision="float")
        streams.append(wave)
    suffix = output.suffix.lower()
    options: dict[str, Any] = {"vcodec": encoder.name, "pix_fmt": "yuv420p", **encoder.options}
    if sounds:
        options |= {**_SOUND_CODECS[suffix], "ar": sample_rate}
    if suffix != ".mkv":
        options |= {"movflags": "+faststart+write_colr"}
    graph = ffmpeg.output(*streams, f"file:{output}", map_metadata=-1, **options)
    graph = graph.global_args("-v", "error", "-nostats", "-progress", "pipe:1")
    command: list[str] = graph.overwrite_output().compile(cmd=program.path)
    return command


class EncoderProcess:
    """Runs the command; leaves no process behind, however the `with` block ends."""

    def __init__(self, command: list[str], output: Path, on_frames: Callable[[int], None]) -> None:
        """Start it.

        Args:
            command: What `encode_command` gives.
            output: What the user calls the film, for errors.
            on_frames: Called with the number of pictures encoded so far.
        """
        self._output, self._on_frames = output, on_frames
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._waiting: queue.Queue[Planes | None] = queue.Queue(_MOST_WAITING)
        self._words: list[str] = []
        self._encoded = 0
        self._broken = threading.Event()
        self._failure: Exception | None = None
        self._threads = [
            threading.Thread(target=target, daemon=True)
            for target in (self._feed, self._read_progress, self._read_words)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> EncoderProcess:
        """Return the process itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """End it if it still runs."""
        self._broken.set()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        for thread in self._threads:
            thread.join(timeout=5)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()

    def write(self, planes: Planes) -> None:
        """Give it the next picture.

        Raises:
            OutputError: It has stopped.
        """
        self._put(planes)
        self._on_frames(self._encoded)

    def finish(self) -> None:
        """Wait until the film is whole.

        Raises:
            OutputError: It could not be written.
        """
        self._put(None)
        while self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=0.2)
            self._on_frames(self._encoded)
        for thread in self._threads:
            thread.join()
        if self._process.returncode != 0 or self._broken.is_set():
            raise self._error()

    def _put(self, planes: Planes | None) -> None:
        while True:
            if self._broken.is_set():
                # What it has to say may still be on its way.
                self._process.wait()
                self._threads[2].join(timeout=5)
                raise self._error()
            try:
                self._waiting.put(planes, timeout=0.2)
            except queue.Full:
                continue
            return

    def _error(self) -> OutputError:
        words = next((line for line in self._words if line.strip()), "")
        if not isinstance(self._failure, OSError | None):
            # Of a pipe that breaks, the program itself says why.
            words = words or f"{type(self._failure).__name__}: {self._failure}"
        if any("No space left" in line for line in self._words):
            return OutputError(
                f"the disk is full: cannot write {self._output}", hint="free some space"
            )
        return OutputError(
            f"ffmpeg could not write {self._output}: "
            f"{words or f'it ended with {self._process.returncode}'}",
            hint="try another --encoder or another extension",
        )

    def _feed(self) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        try:
            while (planes := self._waiting.get()) is not None:
                stdin.write(planes.data)
            stdin.close()
        except Exception as error:  # noqa: BLE001
            # Whoever waits must hear of it, and the program, which waits for more, must end.
            self._failure = error
            self._broken.set()
            with contextlib.suppress(OSError, ValueError):
                stdin.close()

    def _read_progress(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stdout:
                key, _, value = line.partition(b"=")
                if key == b"frame" and value.strip().isdigit():
                    self._encoded = int(value)

    def _read_words(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stderr:
                # A damaged film could fill any memory with complaints.
                if len(self._words) < 100:
                    self._words.append(line.decode(errors="replace").strip())
