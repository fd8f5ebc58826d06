"""Runs the service from its start to Ctrl-C."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from hlcli import paths
from hlcli.atomic import write_text
from hlcli.errors import UsageError
from hlcli.serve.app import make_app
from hlcli.serve.connection import Connection
from hlcli.serve.folder import locked_folder, private_folder, read_or_make_token, token_file
from hlcli.serve.guard import MAX_HEAD_BYTES, Guard
from hlcli.serve.job import Job
from hlcli.serve.pairing import Pairing
from hlcli.serve.pictures import Pictures
from hlcli.serve.queue import JobQueue
from hlcli.serve.review_store import ReviewStore
from hlcli.serve.service import Service
from hlcli.serve.store import JobStore
from hlcli.serve.tickets import Tickets

ADDRESS = "127.0.0.1"
"""The only address that is listened on."""
_PAIRED_FILE = "paired"
_ADDRESS_FILE = "address"
_SHUTDOWN_SECONDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """What the user asked for."""

    port: int = 8765
    """0 takes any that is free."""
    roots: tuple[Path, ...] = ()
    """Folders that may be read; none is the user's home."""
    device: str = "auto"
    """As `--device` names it."""
    open_pairing: bool = False
    """Whether a code is shown although a panel was paired before."""
    origins: tuple[str, ...] = ()
    """Origins of pages that may talk to the service, besides panels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What there is to say when the service runs."""

    address: str
    """Where it listens, as a URL."""
    roots: tuple[Path, ...]
    """Folders that may be read."""
    code: str | None
    """For pairing; None when it is closed."""
    token_file: Path
    """Where the token is, for programs of this user."""
    num_waiting: int
    """Jobs of an earlier service that go on."""


def serve(
    settings: ServeSettings,
    *,
    on_start: Callable[[Started], None],
    on_end: Callable[[Job], None] = lambda job: None,
) -> int:
    """Listen until a signal ends it, then stop all work.

    Args:
        settings: What the user asked for.
        on_start: Called when clients can connect.
        on_end: Called with each job that comes to an end, from another thread.

    Returns:
        How many running jobs were stopped; they go on next time.

    Raises:
        UsageError: A root is no folder, or the port is taken.
        OutputError: The folder of the service cannot be used, or another service uses it.
        KeyboardInterrupt: Ctrl-C before it was listening.
    """
    roots = tuple(_root(path) for path in settings.roots or (Path.home(),))
    folder = private_folder(paths.serve_dir())
    with locked_folder(folder), _listening(settings.port) as listener:
        port = int(listener.getsockname()[1])
        token = read_or_make_token(folder)
        paired = folder / _PAIRED_FILE
        pairing = Pairing(
            token,
            is_open=settings.open_pairing or not paired.exists(),
            on_pair=paired.touch,
        )
        queue = JobQueue(JobStore(folder / "jobs"), device=settings.device, on_end=on_end)
        service = Service(
            queue=queue,
            pairing=pairing,
            pictures=Pictures(folder),
            roots=roots,
            tickets=Tickets(token),
            review_store=ReviewStore(paths.reviews_dir()),
            token=token,
        )
        guard = Guard(make_app(service), token=token, port=port, origins=settings.origins)
        stopped = 0
        address = folder / _ADDRESS_FILE
        try:
            write_text(address, f"http://{ADDRESS}:{port}\n")
            num_waiting = queue.start()
            on_start(
                Started(
                    address=f"http://{ADDRESS}:{port}",
                    roots=roots,
                    code=pairing.code,
                    token_file=token_file(folder),
                    num_waiting=num_waiting,
                )
            )
            _run(guard, listener, service)
        finally:
            # One that was killed leaves it: whoever reads it asks who answers there.
            address.unlink(missing_ok=True)
            stopped = service.close()
        return stopped


def running_address() -> str | None:
    """Return where a service of this user listens, if one seems to run; it may have been killed."""
    try:
        return (paths.serve_dir() / _ADDRESS_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


class _Server(uvicorn.Server):
    """A server that takes its signals for an end, not for an error to pass on.

    Args:
        config: As uvicorn's.
        service: Notified of the end, so that streams end.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin to end, at Ctrl-C or SIGTERM."""
        self._service.queue.is_closing = True
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def _run(guard: Guard, listener: socket.socket, service: Service) -> None:
    # Its words would be mixed with those of the command; what matters is in ours.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        guard,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    try:
        _Server(config, service).run(sockets=[listener])
    except KeyboardInterrupt:
        # uvicorn ends first and raises the signal again afterwards.
        return


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # On Windows the usual option would let any other program take over the port.
    option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
    listener.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        listener.bind((ADDRESS, port))
        # From here on clients wait for an answer instead of being turned away.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on port {port}: {error.strerror or error}",
            hint="another program has it; give another with --port, and to the panel, too",
        ) from error
    return listener


def _root(path: Path) -> Path:
    try:
        real = path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"--root: there is no folder {path}", hint="check the spelling") from error
    if not real.is_dir():
        raise UsageError(f"--root: {path} is no folder", hint="name the folder it is in")
    return real
