"""Receipts: what was installed where, so that it can be compared and taken back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from hlcli.atomic import make_folder, write_text
from hlcli.errors import OutputError
from hlcli.paths import plugin_receipts_dir
from hlcli.plain_data import fill, read_json

_SCHEMA = "hl.plugin-receipt/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFile:
    """One file that `hl` put somewhere."""

    path: str
    """Where it is, absolute."""
    sha256: str
    """Of its bytes as installed, hex."""
    backup: str | None
    """Where the file is that was there before; None when there was none."""
    edition: str
    """The program, with its edition or version."""
    all_users: bool
    """Whether it is in a folder for all users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What is installed of one plugin."""

    plugin: str
    """Its name."""
    version: str
    """Version of `hl` that installed it."""
    program: str
    """Path of `hl` that was baked in."""
    files: tuple[InstalledFile, ...] = ()
    """The files."""
    folders: tuple[str, ...] = ()
    """Folders that were made for them, inner ones last."""
    agent: bool = False
    """Whether Adobe's installer was told to install the file."""


def sha256_of(path: Path) -> str | None:
    """Return the sha256 of a file, hex; None where there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutputError(
            f"cannot read {path}: {error.strerror or error}", hint="look at its permissions"
        ) from error


def receipt_path(name: str) -> Path:
    """Where the receipt of a plugin is, if it is installed."""
    return plugin_receipts_dir() / f"{name}.json"


def read_receipt(name: str) -> Receipt | None:
    """Return what is installed of a plugin; None for nothing.

    Raises:
        OutputError: The receipt is damaged or of a later version.
    """
    path = receipt_path(name)
    try:
        fields = read_json(path.read_text(encoding="utf-8"))
        if fields.pop("schema") != _SCHEMA:
            raise ValueError("another schema")
        return fill(Receipt, fields, noun="key")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            f"the list of what is installed cannot be read: {path}: {error}",
            hint="delete that file, and the plugin's files by hand; then install again",
        ) from error


def write_receipt(receipt: Receipt) -> None:
    """Remember what is installed; a receipt without files is deleted.

    Raises:
        OutputError: It cannot be written.
    """
    path = receipt_path(receipt.plugin)
    try:
        if not receipt.files:
            path.unlink(missing_ok=True)
            return
    except OSError as error:
        raise OutputError(f"cannot delete {path}: {error.strerror or error}") from error
    make_folder(path.parent, hint="set HL_CACHE_DIR to a folder you may write to")
    fields = {"schema": _SCHEMA, **dataclasses.asdict(receipt)}
    write_text(path, json.dumps(fields, indent=2) + "\n")
