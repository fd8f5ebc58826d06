"""From pictures in any order to one row per clip.

Axes: H and W pixels, T clips, V visual size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from hlcli.errors import MediaUnreadableError
from hlcli.features.encoder import VisualEncoder
from hlcli.features.types import FloatArray, RowArray
from hlcli.media.frames import Picture
from hlcli.stages import stage


def encode_pictures(
    pictures: Iterable[Picture],
    num_clips: int,
    encoder: VisualEncoder,
    *,
    num_threads: int = 1,
    report: Callable[[int], None] = lambda done: None,
) -> RowArray:
    """Look at one picture of every clip.

    Neighbouring clips share a batch, whatever the order in which their pictures come: the same
    file gives the same bits with any number of decoders. A clip without a picture takes the row
    of its nearest neighbour, the earlier one when both are as near.

    Args:
        pictures: At most one picture for each clip, of the encoder's size.
        num_clips: T.
        encoder: Turns pictures into rows.
        num_threads: How many batches are encoded at once; it never changes the result.
        report: Called with the number of clips done after each batch.

    Returns:
        Embeddings, float16, shape `(T, V)`.

    Raises:
        MediaUnreadableError: There is no picture at all.
        DeviceError: The device is out of memory.
    """
    visual_TV = np.zeros((num_clips, encoder.size), dtype=np.float16)
    is_read_T = np.zeros(num_clips, dtype=bool)
    waiting: dict[int, dict[int, Picture]] = {}
    seen_alone: dict[float | None, Future[FloatArray]] = {}
    begun: deque[tuple[list[int], list[int], Future[FloatArray]]] = deque()

    @stage("pictures encoded")
    def encode(pictures_NHWC: npt.NDArray[np.uint8]) -> FloatArray:
        return encoder.encode(pictures_NHWC)

    def begin(batch: int) -> None:
        members = waiting.pop(batch)
        clips = sorted(members)
        # A still screen or a jump of the clock gives one frame to many clips: look at it once.
        frames: dict[float, npt.NDArray[np.uint8]] = {}
        for clip in clips:
            frames.setdefault(members[clip].pts_seconds, members[clip].rgb_HWC)
        alone = next(iter(frames)) if len(frames) == 1 else None
        if alone in seen_alone:
            rows = seen_alone[alone]
        else:
            rows = pool.submit(encode, np.stack(list(frames.values())))
        if alone is not None:
            # Only of batches of one frame, which give the same bits whichever comes first.
            seen_alone.clear()
            seen_alone[alone] = rows
        place = {seconds: row for row, seconds in enumerate(frames)}
        begun.append((clips, [place[members[clip].pts_seconds] for clip in clips], rows))
        while len(begun) > 2 * num_threads:
            finish()

    def finish() -> None:
        clips, places, rows = begun.popleft()
        visual_TV[clips] = rows.result()[places].astype(np.float16)
        is_read_T[clips] = True
        report(int(is_read_T.sum()))

    with ThreadPoolExecutor(num_threads, thread_name_prefix="hl-encode") as pool:
        for picture in pictures:
            batch = picture.clip // encoder.batch_size
            members = waiting.setdefault(batch, {})
            members[picture.clip] = picture
            if len(members) == min(encoder.batch_size, num_clips - batch * encoder.batch_size):
                begin(batch)
        for batch in sorted(waiting):
            begin(batch)
        while begun:
            finish()
    if not is_read_T.any():
        raise MediaUnreadableError(
            "no picture of the video could be read", hint="try to play the file from its start"
        )
    return _filled(visual_TV, is_read_T)


def _filled(rows_TV: RowArray, is_read_T: npt.NDArray[np.bool_]) -> RowArray:
    read = np.flatnonzero(is_read_T)
    for clip in np.flatnonzero(~is_read_T):
        rows_TV[clip] = rows_TV[read[np.abs(read - clip).argmin()]]
    return rows_TV
