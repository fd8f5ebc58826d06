"""Where programs look for plugins: by system, by edition, for one user or for all.

`docs/guides/plugins.md` has the table. The folder of a plugin is made where it is missing, the
folder of the program is not: without it, the program is not there, or was never started.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hlcli.errors import EditorNotFoundError, UsageError
from hlcli.plugins.system import System

_OLDEST_BLENDER = (3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder that a program reads plugins from."""

    edition: str
    """The program, with its edition or version."""
    product: Path
    """The folder whose presence says that the program is here."""
    folder: Path
    """Where the plugin's files go; made when missing."""

    @property
    def is_found(self) -> bool:
        """Whether the program is here."""
        return self.product.is_dir()


def find_places(kind: str, system: System, *, all_users: bool, force: bool) -> list[Place]:
    """Return the folders that a plugin goes to on this machine.

    Args:
        kind: "resolve-fusion" or "blender-addons".
        system: The machine.
        all_users: The folders for all users, not those of this one.
        force: Return the usual folder where the program is not found.

    Raises:
        EditorNotFoundError: The program is not found.
        UsageError: There is no folder for all users on this system.
    """
    if kind == "resolve-fusion":
        candidates, name = list(_resolve(system, all_users)), "DaVinci Resolve"
        hint = "start DaVinci Resolve once, or say --force to make its folder"
    else:
        candidates, name = list(_blender(system, all_users)), "Blender"
        hint = (
            "start Blender 3.4 or later once and save its preferences, "
            "or set BLENDER_USER_SCRIPTS to its scripts folder"
        )
    if found := [place for place in candidates if place.is_found]:
        return found
    if force and candidates:
        return candidates[:1]
    looked = ", ".join(str(place.product) for place in candidates) or str(
        _blender_versions_folder(system)
    )
    raise EditorNotFoundError(f"{name} was not found: there is no folder {looked}", hint=hint)


def _resolve(system: System, all_users: bool) -> Iterator[Place]:
    name, vendor = "DaVinci Resolve", Path("Blackmagic Design") / "DaVinci Resolve"
    if system.platform == "windows":
        if all_users:
            product = system.program_data / vendor
            yield Place(edition=name, product=product, folder=product / "Fusion")
        else:
            product = system.app_data / vendor
            yield Place(edition=name, product=product, folder=product / "Support" / "Fusion")
    elif system.platform == "macos":
        library = system.home / "Library"
        if all_users:
            library = system.root / "Library"
        product = library / "Application Support" / vendor
        yield Place(edition=name, product=product, folder=product / "Fusion")
        if not all_users:
            yield from _resolve_of_the_app_store(library, vendor)
    elif all_users:
        for product in (system.root / "opt" / "resolve", system.root / "home" / "resolve"):
            yield Place(edition=name, product=product, folder=product / "Fusion")
    else:
        # XDG_DATA_HOME is not known to move it.
        product = system.home / ".local" / "share" / "DaVinciResolve"
        yield Place(edition=name, product=product, folder=product / "Fusion")


def _resolve_of_the_app_store(library: Path, vendor: Path) -> Iterator[Place]:
    """Yield both folders that builds from the App Store were seen to read, in their container."""
    for container in sorted((library / "Containers").glob("com.blackmagic-design.*")):
        if "resolve" not in container.name.lower():
            continue
        support = container / "Data" / "Library" / "Application Support"
        for inner in (vendor / "Fusion", Path("Fusion")):
            yield Place(
                edition="DaVinci Resolve from the App Store",
                product=container / "Data",
                folder=support / inner,
            )


def _blender(system: System, all_users: bool) -> Iterator[Place]:
    name = "BLENDER_SYSTEM_SCRIPTS" if all_users else "BLENDER_USER_SCRIPTS"
    if scripts := system.variables.get(name):
        product = Path(scripts)
        yield Place(edition=f"Blender, {name}", product=product, folder=product / "addons")
        return
    if not all_users:
        yield from _blender_versions(_blender_versions_folder(system), system)
    elif system.platform == "windows":
        for program in sorted((system.program_files / "Blender Foundation").glob("Blender*")):
            yield from _blender_versions(program, system)
    elif system.platform == "linux":
        # Distributions put the scripts of the one version they have here.
        product = system.root / "usr" / "share" / "blender" / "scripts"
        yield Place(edition="Blender", product=product, folder=product / "addons")
        yield from _blender_versions(system.root / "usr" / "share" / "blender", system)
    else:
        raise UsageError(
            "Blender on macOS has no folder for all users outside the program itself",
            hint="leave --all-users out, or set BLENDER_SYSTEM_SCRIPTS",
        )


def _blender_versions_folder(system: System) -> Path:
    if system.platform == "windows":
        return system.app_data / "Blender Foundation" / "Blender"
    if system.platform == "macos":
        return system.application_support / "Blender"
    return system.variable("XDG_CONFIG_HOME", system.home / ".config") / "blender"


def _blender_versions(folder: Path, system: System) -> Iterator[Place]:
    """Yield every version that the add-on is made for, the oldest first."""
    found = []
    for path in folder.glob("*.*"):
        if re.fullmatch(r"\d+\.\d+", path.name) and path.is_dir():
            major, minor = path.name.split(".")
            found.append(((int(major), int(minor)), path))
    for version, path in sorted(found):
        if version >= _OLDEST_BLENDER:
            yield Place(
                edition=f"Blender {path.name}", product=path, folder=path / "scripts" / "addons"
            )
