"""Which model the user made the default: a small JSON file beside his own models."""

from __future__ import annotations

import json
from pathlib import Path

from hlcli.atomic import make_folder, write_text
from hlcli.errors import CheckpointError, OutputError
from hlcli.paths import own_models_dir
from hlcli.zoo.manifest_values import is_model_name

SCHEMA = "hl.default-model/1"
"""Name and version of the file's layout."""


def choice_path() -> Path:
    """Where the choice is kept, if one was made."""
    return own_models_dir() / "default.json"


def chosen_name() -> str | None:
    """Return the name of the chosen model; None where none was chosen. It may be gone by now.

    Raises:
        CheckpointError: The file is damaged or of another layout.
    """
    path = choice_path()
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise _damaged(path, f"it is not of the layout {SCHEMA}")
    name = value.get("name")
    if not isinstance(name, str) or not is_model_name(name):
        raise _damaged(path, f"{name!r} is no name of a model")
    return name


def write_choice(name: str) -> None:
    """Keep `name` as the default.

    Raises:
        OutputError: The folder cannot be written.
    """
    path = choice_path()
    make_folder(path.parent, hint="set HL_MODELS_DIR to a folder you may write to")
    write_text(path, json.dumps({"schema": SCHEMA, "name": name}) + "\n")


def reset_choice() -> None:
    """Forget the choice, damaged or not; nothing happens where none was made.

    Raises:
        OutputError: The file cannot be deleted.
    """
    path = choice_path()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot delete {path}: {error.strerror or error}",
            hint="check the rights of the folder",
        ) from error


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"the choice of a default model cannot be read: {path}: {why}",
        hint="`hl models default --reset` goes back to the one that comes with hl",
    )
