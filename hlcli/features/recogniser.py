"""Words of speech, recognised on this machine by vosk, with a model that the user has."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hlcli.document import Caption
from hlcli.document.transcript import PHRASE_SECONDS, Word
from hlcli.errors import CheckpointError, UsageError
from hlcli.features.types import FloatArray
from hlcli.media.identity import content_identity

SAMPLE_RATE = 16000
"""What vosk's models listen at, in Hz."""
_ACOUSTIC = ("am/final.mdl", "final.mdl")  # of newer models, of older ones
_LONGEST_SECONDS = 6.0
_HINT = "unpack a model of vosk and name its folder, the one with am and conf in it"


class Recogniser:
    """A model of vosk, ready to listen.

    Args:
        folder: Of the model; nothing is downloaded.

    Raises:
        UsageError: The extra `listen` is not installed, or the folder is no model of vosk.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("vosk") is None:
            raise UsageError(
                "recognising speech needs the extra listen", hint='pip install "hlcli[listen]"'
            )
        acoustic = next(filter(Path.is_file, (folder / name for name in _ACOUSTIC)), None)
        if acoustic is None:
            raise UsageError(f"{folder} is no model of vosk", hint=_HINT)
        self._folder = folder
        self.digest = hashlib.sha256(content_identity(acoustic).encode()).hexdigest()
        """Tells models apart."""
        self._model: Any = None

    def listen(self, blocks: Iterable[FloatArray]) -> list[Caption]:
        """Return what is said, in phrases of a few seconds, each with its words.

        Args:
            blocks: Mono sound at `SAMPLE_RATE` in [-1, 1], float32, shape `(N,)` each, starting at
                the first video frame.

        Raises:
            CheckpointError: The model cannot be loaded.
        """
        import vosk

        vosk.SetLogLevel(-1)
        if self._model is None:
            try:
                self._model = vosk.Model(str(self._folder))
            except Exception as error:  # vosk raises nothing narrower
                raise CheckpointError(
                    f"vosk cannot load the model in {self._folder}",
                    hint="a file of it is damaged or missing: unpack it again",
                ) from error
        recogniser = vosk.KaldiRecognizer(self._model, SAMPLE_RATE)
        recogniser.SetWords(True)
        said: list[Caption] = []
        for block in blocks:
            sound = np.nan_to_num(block).clip(-1, 1)
            if recogniser.AcceptWaveform((sound * 32767).astype("<i2").tobytes()):
                said += _phrases(recogniser.Result())
        return said + _phrases(recogniser.FinalResult())


def _phrases(result: str) -> list[Caption]:
    words = [
        (float(one["start"]), float(one["end"]), str(one["word"]))
        for one in json.loads(result).get("result", ())
    ]
    return [
        Caption(
            start_seconds=phrase[0][0],
            end_seconds=phrase[-1][1],
            text=" ".join(word for _, _, word in phrase),
            words=tuple(phrase),
        )
        for phrase in _split(words)
    ]


def _split(words: list[Word]) -> Iterator[list[Word]]:
    """Yield words that belong together: up to a pause, and not for long."""
    phrase: list[Word] = []
    last = math.inf
    for word in words:
        is_pause = word[0] - last >= PHRASE_SECONDS
        if phrase and (is_pause or word[1] - phrase[0][0] > _LONGEST_SECONDS):
            yield phrase
            phrase = []
        phrase.append(word)
        last = word[1]
    if phrase:
        yield phrase
