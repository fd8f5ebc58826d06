"""The features of the footage: from the cache, and of what is new by decoding it once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence

from hlcli import paths
from hlcli.errors import HlError, MediaError, OutputError, TrainingError, reason_of, unexpected
from hlcli.features.encoder import Encoders
from hlcli.features.extract import extract_features
from hlcli.features.store import FeatureStore
from hlcli.features.types import VideoFeatures
from hlcli.media.probe import probe
from hlcli.progress import Progress, silent
from hlcli.training.clips import is_finite
from hlcli.training.extraction import extract_files
from hlcli.tuning.footage import LeftOut, RawFile

logger = logging.getLogger(__name__)

STAGE = "looking and listening"
"""Name of the stage that counts seconds of video."""
_LONG_SECONDS = 60
"""Files of this length and more are read one by one, so that seconds can be counted."""


def gather_features(
    files: Sequence[RawFile],
    *,
    encoders: Encoders,
    progress: Progress = silent,
) -> tuple[dict[str, VideoFeatures], list[LeftOut]]:
    """Return the features of files by identity, and the files that could not be read.

    Every file's features are stored as soon as they are there, so a stopped run does not decode
    it again. What cannot be stored is used all the same.

    Args:
        files: The footage.
        encoders: Those the parent learned from.
        progress: Called with seconds of new video.

    Raises:
        TrainingError: No file could be read.
        DeviceError: The device is out of memory.
        OutputError: The feature cache cannot be read.
    """
    store = FeatureStore(paths.features_dir())
    found: dict[str, VideoFeatures] = {}
    left_out: list[LeftOut] = []

    failure: HlError | None = None

    def take(file: RawFile, result: VideoFeatures | HlError, *, is_new: bool) -> None:
        nonlocal failure
        if isinstance(result, HlError):
            left_out.append(LeftOut(path=file.path, reason=reason_of(result)))
            if not isinstance(result, MediaError):
                failure = failure or result
        elif not is_finite(result):
            left_out.append(LeftOut(path=file.path, reason="its features are not all numbers"))
        else:
            if is_new:
                try:
                    store.put(file.identity, encoders.spec, result)
                except OutputError as error:
                    logger.warning("features of %s are not stored: %s", file.path, error)
            found[file.identity] = result

    new = []
    for file in files:
        stored = store.get(file.identity, encoders.spec)
        if stored is None:
            new.append(file)
        else:
            take(file, stored, is_new=False)
    total = float(sum(file.info.duration_seconds for file in new))
    done = 0.0
    long = [file for file in new if file.info.duration_seconds >= _LONG_SECONDS]
    for file in long:
        take(file, _extracted(file, encoders, _shifted(progress, done, total)), is_new=True)
        done += float(file.info.duration_seconds)
        progress(STAGE, done, total)
    short = {file.path: file for file in new if file.info.duration_seconds < _LONG_SECONDS}
    if short:
        extracted = extract_files(list(short), encoders=encoders)
        with contextlib.closing(extracted):
            for one in extracted:
                file = short[one.file]
                take(file, one.result, is_new=True)
                done += float(file.info.duration_seconds)
                progress(STAGE, done, total)
    if not found and failure is not None:
        raise failure
    if not found:
        raise TrainingError(
            f"none of the {len(files)} videos could be read: "
            + "; ".join(f"{one.path}: {one.reason}" for one in left_out[:3]),
            hint="check one with `hl score`",
        )
    return found, left_out


def _extracted(
    file: RawFile, encoders: Encoders, progress: Callable[[str, float, float], None]
) -> VideoFeatures | HlError:
    try:
        return extract_features(probe(file.path), encoders=encoders, progress=progress)
    except HlError as error:
        return error
    except Exception as error:  # noqa: BLE001 - one bad file does not cost the others
        return unexpected(error)


def _shifted(progress: Progress, before: float, total: float) -> Progress:
    def report(stage: str, done: float, of: float) -> None:
        progress(STAGE, before + done, total)

    return report
