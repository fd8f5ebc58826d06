"""What every test gets: its own cache, no colours, no network but loopback."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# A shell starts what runs in the background with Ctrl-C ignored, CI perhaps too, and children
# inherit that: tests that stop a program by Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# `nohup` does the same with the end of the terminal.
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
# As the program does, and as early: torch's threads shall not spin while others work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The tests' processes share the cores already: numpy's and torch's own threads only get into each
# other's way (a test of memory took 207 s in place of 31).
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# Run by root, Chromium gives its audio threads realtime priority, which nothing interrupts: a run
# of these tests once brought a virtual machine of two cores to a halt for over an hour. No child of
# ours may do that (PR_CAPBSET_DROP of CAP_SYS_NICE; refused where we are not root).
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(24, 23, 0, 0, 0)


@pytest.fixture(autouse=True)
def isolated_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep tests out of the user's cache and make terminal output the same everywhere."""
    monkeypatch.setenv("HL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("HL_OFFLINE", raising=False)
    # Own models follow HL_CACHE_DIR then.
    monkeypatch.delenv("HL_MODELS_DIR", raising=False)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail on any connection that leaves this machine."""
    real_connect = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else address
        if host not in ("127.0.0.1", "::1", "localhost") and self.family != getattr(
            socket, "AF_UNIX", None
        ):
            raise AssertionError(f"a test tried to reach {host}")
        real_connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that prints the summary which engines this one asked for."""
    engines = sys.modules.get("engines")
    collected = getattr(session.config, "workeroutput", None)
    if engines is not None and collected is not None:
        collected["engines"] = dict(engines.runs)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a process of pytest-xdist told."""
    runs = getattr(node, "workeroutput", {}).get("engines")
    if runs is not None:
        import engines

        engines.runs.update(runs)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which rendering engines checked our timelines, when any test asked for one."""
    engines = sys.modules.get("engines")
    if engines is not None:
        terminalreporter.section("engines")
        terminalreporter.line(engines.summary())


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread: small networks lose more time waiting than computing."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Return the research data of our own machines; skips where there is none."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("HL_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip("no shared research data here (set HL_SHARED)")
    return folder
