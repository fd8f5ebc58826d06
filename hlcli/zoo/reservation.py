"""Names of models that are being made: held by one process, with a folder to work in."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hlcli.atomic import make_folder, unfinished_folder
from hlcli.errors import HlError, OutputError, UsageError
from hlcli.lock import exclusive_lock
from hlcli.paths import own_models_dir
from hlcli.zoo.manifest import find_model, known_names
from hlcli.zoo.manifest_values import is_model_name

WRITABLE_HINT = "set HL_MODELS_DIR to a folder you may write to"
"""What to do where the folder of own models cannot be written."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A name that is held by this process; what `reserve` gives."""

    name: str
    """The name."""


@contextlib.contextmanager
def reserve(name: str) -> Iterator[Reservation]:
    """Hold a free name while a model is made, so that a long run cannot lose it at the end.

    A process that dies lets go of the name.

    Args:
        name: Lowercase letters, digits and inner dashes.

    Raises:
        UsageError: No such name can be given, a model has it, or another process holds it.
        OutputError: The folder of own models cannot be written.
    """
    check_free(name)
    with locked(name):
        check_free(name)
        yield Reservation(name)


def check_free(name: str) -> None:
    """Accept a name that a new model can have, as far as can be seen without holding it.

    Raises:
        UsageError: No such name can be given, or a model has it.
    """
    if not is_model_name(name):
        raise UsageError(
            f"{name!r} cannot be the name of a model",
            hint="take lowercase letters, digits and inner dashes, such as weddings-2025",
        )
    if name not in known_names():
        return
    hint = "choose another name"
    with contextlib.suppress(HlError):
        if not find_model(name).is_bundled:
            hint += f", or run `hl models remove {name}` first"
    raise UsageError(f"there is a model called {name!r} already", hint=hint)


@contextlib.contextmanager
def staging(name: str) -> Iterator[Path]:
    """Make an empty folder among the user's models that no list shows; it is gone afterwards.

    Raises:
        OutputError: It cannot be made.
    """
    models = own_models_dir()
    make_folder(models, hint=WRITABLE_HINT)
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(unfinished_folder(models, name))
        except OSError as error:
            raise OutputError(
                f"cannot write into {models}: {error.strerror or error}", hint=WRITABLE_HINT
            ) from error
        yield folder


def delete(folder: Path) -> None:
    """Delete a folder as far as possible; of a link only the link."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a name, free or not.

    Raises:
        UsageError: Another process holds it.
        OutputError: The folder of own models cannot be written.
    """

    def busy() -> NoReturn:
        raise UsageError(
            f"another run is making or removing a model called {name!r} right now",
            hint="wait until it is done, or choose another name",
        )

    path = own_models_dir() / ".locks" / f"{name}.lock"
    with exclusive_lock(path, on_wait=busy, hint=WRITABLE_HINT):
        yield
