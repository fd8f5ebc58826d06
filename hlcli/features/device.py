"""Turns the word after `--device` into a device that is really there."""

from __future__ import annotations

import contextlib
import platform
import re
import threading
from collections.abc import Iterator

import torch

from hlcli.errors import DeviceError, UsageError, is_out_of_memory

_DEVICE_NAME = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")


def resolve_device(name: str) -> torch.device:
    """Return the device of that name.

    Args:
        name: "auto", "cpu", "cuda", "cuda:N" or "mps", in any case. "auto" is the first CUDA
            device where there is one, else the CPU; Apple's MPS is taken only when asked for,
            since nobody has measured it with these networks.

    Raises:
        UsageError: No device is ever called that.
        DeviceError: The device is not in this machine, or torch was built without it.
    """
    word = name.strip().lower()
    if not _DEVICE_NAME.fullmatch(word):
        raise UsageError(
            f"there is no device called {name!r}", hint="use auto, cpu, cuda, cuda:N or mps"
        )
    if word == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if word.startswith("cuda"):
        return _cuda_device(word)
    if word == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("there is no MPS device here", hint="use --device cpu, or auto")
    return torch.device(word)


def _cuda_device(word: str) -> torch.device:
    if not torch.cuda.is_available():
        why = "torch was built without CUDA" if torch.version.cuda is None else "no GPU was found"
        raise DeviceError(f"there is no CUDA device here: {why}", hint="use --device cpu, or auto")
    index = int(word.partition(":")[2] or 0)
    count = torch.cuda.device_count()
    if index >= count:
        raise DeviceError(
            f"there is no CUDA device {index}: this machine has {count}, counted from 0",
            hint="use --device cuda:0, or auto",
        )
    return torch.device("cuda", index)


def device_label(device: torch.device) -> str:
    """Return a short name for people, such as "NVIDIA H100 (cuda:0)" or "CPU, 8 threads"."""
    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        return f"{torch.cuda.get_device_name(index)} (cuda:{index})"
    if device.type == "mps":
        return f"Apple GPU (mps), {platform.machine()}"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"


_one_thread = threading.Lock()
_num_inside = 0
_num_threads_before = 0


@contextlib.contextmanager
def one_thread_a_call() -> Iterator[None]:
    """Let torch compute each call of the block in one thread of a CPU.

    With another number of threads it adds up in another order: the last digits of scores would
    depend on how many cores there are, and on what else runs. Whoever wants more threads makes
    more calls at once, in threads that begin inside the block.
    """
    global _num_inside, _num_threads_before
    with _one_thread:
        if _num_inside == 0:
            _num_threads_before = torch.get_num_threads()
        _num_inside += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _one_thread:
            _num_inside -= 1
            if _num_inside == 0:
                torch.set_num_threads(_num_threads_before)


@contextlib.contextmanager
def memory_errors(device: torch.device) -> Iterator[None]:
    """Turn torch's out-of-memory errors inside the block into a `DeviceError` with a hint."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"{device_label(device)} is out of memory",
            hint="close other programs that use it"
            + ("" if device.type == "cpu" else ", or use --device cpu"),
        ) from error
