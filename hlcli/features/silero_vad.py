"""Silero VAD: whether somebody speaks, every 32 ms, and the stretches in which somebody does.

Axes: N samples of a block, F frames of a batch, W samples of a frame with its context, B values of
the Fourier transform, K parts of a frame, S stretches of speech.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from hlcli.errors import CheckpointError
from hlcli.features.device import memory_errors
from hlcli.features.layers import load_frozen
from hlcli.features.types import FloatArray
from hlcli.zoo.manifest import ModelManifest

SAMPLE_RATE = 16000
"""Samples per second of the sound the network was trained on."""
FRAME_SAMPLES = 512
"""Sound behind one probability: 32 ms."""
SPEAKING = 0.75
"""Probability from which a frame counts as speech. Higher than the published 0.5: that one joins
phrases over the short pauses which cuts are wanted in."""
SHORTEST_PAUSE = 0.05
"""Pauses shorter than this do not end a stretch of speech, in seconds."""
SHORTEST_SPEECH = 0.06
"""Stretches of speech shorter than this are left out, in seconds."""

_CONTEXT_SAMPLES = 64
_FFT_SIZE = 256
_FFT_BINS = _FFT_SIZE // 2 + 1
_HIDDEN = 128
_BATCH_FRAMES = 512
_PUBLISHED = {
    "stft.weight": "_model.stft.forward_basis_buffer",
    **{
        f"convolutions.{index}.{part}": f"_model.encoder.{index}.reparam_conv.{part}"
        for index in range(4)
        for part in ("weight", "bias")
    },
    **{
        f"memory.{part}_l0": f"_model.decoder.rnn.{part}"
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    },
    "output.weight": "_model.decoder.decoder.2.weight",
    "output.bias": "_model.decoder.decoder.2.bias",
}

State = tuple[torch.Tensor, torch.Tensor]


class SileroVad(nn.Module):
    """The published network for 16 kHz: a spectrum, four convolutions, and a memory."""

    def __init__(self) -> None:
        super().__init__()
        self.stft = nn.Conv1d(1, 2 * _FFT_BINS, _FFT_SIZE, stride=_FFT_SIZE // 2, bias=False)
        sizes = ((_FFT_BINS, 128, 1), (128, 64, 2), (64, 64, 2), (64, _HIDDEN, 1))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, 3, stride=stride, padding=1) for before, after, stride in sizes
        )
        self.memory = nn.LSTM(_HIDDEN, _HIDDEN)
        self.output = nn.Conv1d(_HIDDEN, 1, 1)

    def forward(
        self, frames_FW: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, State]:
        """Return the probability that somebody speaks in each of the frames that follow each other.

        Args:
            frames_FW: Mono sound in [-1, 1], each frame after the last 64 samples of the one
                before, shape `(F, 576)`.
            state: What the call for the frames before returned; None at the start.

        Returns:
            Probabilities, shape `(F,)`, and the state for the next frames.
        """
        padded = nn.functional.pad(frames_FW, (0, _CONTEXT_SAMPLES), mode="reflect")
        spectrum_FBK = self.stft(padded[:, None])
        x = (spectrum_FBK[:, :_FFT_BINS] ** 2 + spectrum_FBK[:, _FFT_BINS:] ** 2).sqrt()
        for convolution in self.convolutions:
            x = nn.functional.relu(convolution(x))
        hidden, state = self.memory(x.transpose(1, 2), state)
        speech: torch.Tensor = torch.sigmoid(self.output(nn.functional.relu(hidden[:, 0, :, None])))
        return speech[:, 0, 0], state

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> SileroVad:
        """Build the network from a converted weight file, ready to run.

        Raises:
            CheckpointError: Names or shapes are not this network's.
        """
        return load_frozen(cls(), tensors, name="silero-vad")


class SpeechDetector:
    """Finds where somebody speaks; on the CPU, for which it is small enough."""

    sample_rate = SAMPLE_RATE

    def __init__(self, network: SileroVad) -> None:
        self._network = network

    def listener(self) -> SpeechListener:
        """Return what takes in the sound of one video."""
        return SpeechListener(self._network)


class SpeechListener:
    """Takes in one sound in blocks; how it is cut into blocks changes no bit of the result."""

    def __init__(self, network: SileroVad) -> None:
        self._network = network
        self._state: State | None = None
        self._num_samples = 0
        self._batch = np.zeros(_CONTEXT_SAMPLES + _BATCH_FRAMES * FRAME_SAMPLES, dtype=np.float32)
        self._filled = _CONTEXT_SAMPLES
        self._speech: list[FloatArray] = []

    def extend(self, block_N: FloatArray) -> None:
        """Take in the next block of mono sound at 16 kHz in [-1, 1], float32, shape `(N,)`."""
        self._num_samples += len(block_N)
        while len(block_N):
            part = block_N[: len(self._batch) - self._filled]
            self._batch[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            block_N = block_N[len(part) :]
            if self._filled == len(self._batch):
                self._run()

    def finish(self) -> npt.NDArray[np.float64]:
        """Return the start and the end of each stretch of speech, in seconds, shape `(S, 2)`."""
        return speech_spans(self.probabilities(), self._num_samples / SAMPLE_RATE)

    def probabilities(self) -> FloatArray:
        """Return the probability of each frame once all sound is in, float32, shape `(F,)`."""
        if self._filled > _CONTEXT_SAMPLES:
            self._batch[self._filled :] = 0.0
            self._run()
        num_frames = -(-self._num_samples // FRAME_SAMPLES)
        return np.concatenate([*self._speech, np.zeros(0, np.float32)])[:num_frames]

    def _run(self) -> None:
        if self._batch.any():
            frames_FW = np.lib.stride_tricks.sliding_window_view(
                self._batch, _CONTEXT_SAMPLES + FRAME_SAMPLES
            )[::FRAME_SAMPLES]
            with memory_errors(torch.device("cpu")), torch.inference_mode():
                speech_F, self._state = self._network(
                    torch.from_numpy(frames_FW.copy()), self._state
                )
            self._speech.append(speech_F.numpy())
        else:
            # Hours of silence, as a jump of the clock leaves them, need no network.
            self._speech.append(np.zeros(_BATCH_FRAMES, dtype=np.float32))
            self._state = None
        self._batch[:_CONTEXT_SAMPLES] = self._batch[-_CONTEXT_SAMPLES:]
        self._filled = _CONTEXT_SAMPLES


def speech_spans(speech_F: FloatArray, duration: float) -> npt.NDArray[np.float64]:
    """Turn probabilities into stretches of speech.

    A stretch begins and ends where the line through the probabilities, each in the middle of its
    frame, crosses `SPEAKING`.

    Args:
        speech_F: Probability of each frame, shape `(F,)`.
        duration: Length of the sound, in seconds.

    Returns:
        Start and end of each, ascending and apart, in seconds, float64, shape `(S, 2)`.
    """
    frame_seconds = FRAME_SAMPLES / SAMPLE_RATE
    # Silence before and after, so that every stretch has two crossings.
    padded = np.concatenate([[0.0], speech_F.astype(np.float64), [0.0]])
    centres = (np.arange(len(padded)) - 0.5) * frame_seconds
    above = padded >= SPEAKING
    crossings = np.flatnonzero(above[1:] != above[:-1])
    before, after = padded[crossings], padded[crossings + 1]
    share = (SPEAKING - before) / (after - before)
    instants = np.clip(centres[crossings] + share * frame_seconds, 0.0, duration)
    spans = instants.reshape(-1, 2)
    if len(spans):
        is_pause = spans[1:, 0] - spans[:-1, 1] >= SHORTEST_PAUSE
        spans = np.stack(
            [spans[np.concatenate([[True], is_pause]), 0],
             spans[np.concatenate([is_pause, [True]]), 1]], axis=1
        )  # fmt: skip
    long_enough = spans[:, 1] - spans[:, 0] >= SHORTEST_SPEECH
    return np.asarray(spans[long_enough], dtype=np.float64)


def load_speech_detector(
    manifest: ModelManifest, tensors: Mapping[str, torch.Tensor], device: torch.device
) -> SpeechDetector:
    """Build the detector; the manifest has nothing to say but the family.

    Raises:
        CheckpointError: The weights are not Silero VAD's.
    """
    return SpeechDetector(SileroVad.from_tensors(tensors))


def convert(
    manifest: ModelManifest, published: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Take the network for 16 kHz out of the published archive, which has one for 8 kHz too.

    Raises:
        CheckpointError: A tensor is missing.
    """
    missing = [name for name in _PUBLISHED.values() if name not in published]
    if missing:
        raise CheckpointError(f"the published weights have no tensor {missing[0]!r}")
    return {name: published[theirs] for name, theirs in _PUBLISHED.items()}
