"""What must stand where for a plugin to be installed as this version of `hl` ships it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hlcli.errors import OutputError, UsageError
from hlcli.paths import plugin_receipts_dir
from hlcli.plugins import adobe
from hlcli.plugins.baking import bake, put_in
from hlcli.plugins.mailbox import lua_name, mailbox_dir
from hlcli.plugins.manifest import Plugin, PluginFile
from hlcli.plugins.places import find_places
from hlcli.plugins.system import System

PANEL_EDITION = "Premiere Pro"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """One file as it should be."""

    path: Path
    """Where, absolute."""
    content: bytes
    """Its bytes, the path of `hl` baked in."""
    edition: str
    """The program, with its edition or version."""


def wanted_files(
    plugin: Plugin, system: System, *, program: Path, all_users: bool, force: bool
) -> list[WantedFile]:
    """Return the files of a plugin for this machine.

    Args:
        plugin: What to install.
        system: The machine.
        program: Absolute path of `hl`.
        all_users: Into the folders for all users.
        force: Also where the program is not found.

    Raises:
        EditorNotFoundError: The program is not found.
        UsageError: There is no folder for all users.
        OutputError: A shipped file cannot be read.
    """
    if plugin.place == "premiere-ccx":
        if all_users:
            raise UsageError(
                "for whom the panel is installed is decided by Adobe's installer",
                hint="leave --all-users out",
            )
        if not force:
            adobe.check_system(system)
        return [panel_package(plugin, program=program)]
    # What one user's `hl resolve` writes, the others cannot read.
    mailbox = b"" if all_users else lua_name(mailbox_dir(system))
    return [
        WantedFile(
            path=place.folder.joinpath(*file.target.parts),
            content=file_content(file, program=program, mailbox=mailbox),
            edition=place.edition,
        )
        for place in find_places(plugin.place, system, all_users=all_users, force=force)
        for file in plugin.files
    ]


def panel_package(plugin: Plugin, *, program: Path) -> WantedFile:
    """Return the packed panel, which lies in the data folder of `hl`."""
    files = {str(file.target): file_content(file, program=program) for file in plugin.files}
    name, _ = adobe.package_names(files.get("manifest.json", b""))
    return WantedFile(
        path=plugin_receipts_dir().absolute() / name,
        content=adobe.pack(files),
        edition=PANEL_EDITION,
    )


def panel_name(plugin: Plugin) -> str:
    """Return the name that Adobe's installer knows the panel by."""
    for file in plugin.files:
        if str(file.target) == "manifest.json":
            return adobe.package_names(file.source.read_bytes())[1]
    raise OutputError("the panel has no manifest.json")


def file_content(file: PluginFile, *, program: Path, mailbox: bytes = b"") -> bytes:
    """Return a file as it is installed.

    Args:
        file: The file as shipped.
        program: Absolute path of `hl`.
        mailbox: The folder of `hl resolve`, as plain Lua opens it.

    Raises:
        OutputError: It cannot be read, or its lines are not there.
    """
    try:
        content = file.source.read_bytes()
    except OSError as error:
        raise OutputError(f"cannot read {file.source}: {error.strerror or error}") from error
    name = file.source.name
    if file.program is not None:
        content = bake(content, language=file.program, program=str(program), name=name)
    if file.parts:
        content = put_in(content, parts=file.parts, mailbox=mailbox, name=name)
    return content
