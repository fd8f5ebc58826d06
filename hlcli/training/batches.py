"""Brings the batch of each step to the device; ahead of time where the device is a GPU.

A GPU is done with a step sooner than numpy has cut the next batch, so a thread draws it
meanwhile. What is drawn depends on the seed and the step alone, so nothing else changes.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import torch
from torch import Tensor

from hlcli.training.dataset import Batch

DrawBatch: TypeAlias = Callable[[int], Batch]
"""Draws the batch of a step on the CPU."""


@contextlib.contextmanager
def batches_on(device: torch.device, draw: DrawBatch, *, last_step: int) -> Iterator[DrawBatch]:
    """Give a function that returns the batch of a step on the device.

    Args:
        device: Where the batches are wanted. On CUDA the next step's is drawn in a thread.
        draw: Draws them; called from one thread at a time.
        last_step: No step after this one is drawn.
    """
    if device.type != "cuda":
        yield lambda step: on_device(draw(step), device)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hl-batch") as executor:
        ahead: dict[int, Future[Batch]] = {}

        def fetch(step: int) -> Batch:
            future = ahead.pop(step, None) or executor.submit(_draw_for_cuda, draw, step, device)
            if step < last_step:
                ahead[step + 1] = executor.submit(_draw_for_cuda, draw, step + 1, device)
            return future.result()

        try:
            yield fetch
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return the same batch on another device."""
    return _changed(batch, lambda one: one.to(device, non_blocking=True))


def _draw_for_cuda(draw: DrawBatch, step: int, device: torch.device) -> Batch:
    # Pinned memory is copied while the GPU calculates.
    return on_device(_changed(draw(step), Tensor.pin_memory), device)


def _changed(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    values = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    changed: dict[str, Any] = {
        name: change(value) if isinstance(value, Tensor) else value
        for name, value in values.items()
    }
    return Batch(**changed)
