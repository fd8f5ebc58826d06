"""plugin.toml: which files a plugin is made of, where they go, which hold the path of `hl`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hlcli import toml
from hlcli.errors import OutputError, UsageError
from hlcli.plugins.baking import LANGUAGES

PLACES = ("resolve-fusion", "blender-addons", "premiere-ccx")
"""Kinds of folders; plugins/README.md says which each is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFile:
    """One file of a plugin."""

    source: Path
    """The file as it is shipped."""
    place: str
    """One of `PLACES`."""
    target: PurePosixPath
    """Where it goes inside the place; relative, never upwards."""
    program: str | None
    """The language whose `HL = "hl"` line gets the path of `hl`; None leaves the bytes alone."""
    parts: tuple[Path, ...] = ()
    """Lua files that are put into this one, by name; it may load no other where it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """What `hl plugins install NAME` installs."""

    name: str
    """Name of its folder: resolve, premiere or blender."""
    title: str
    """Name of the program it is for."""
    next_step: str
    """Where to find it in the program, one sentence."""
    files: tuple[PluginFile, ...]
    """Its files, at least one, all of one kind of place."""

    @property
    def place(self) -> str:
        """The kind of folder it goes to."""
        return self.files[0].place


def plugins_dir(package: Path | None = None) -> Path:
    """Folder of the plugins: `hlcli/_plugins` in a wheel, else the checkout's.

    Args:
        package: Folder of the installed `hlcli` package; ours when left out.

    Raises:
        OutputError: There is neither; the installation is broken.
    """
    package = package or Path(__file__).resolve().parents[1]
    # An editable install has no `_plugins`: the wheel's files are not put into a checkout.
    for folder in (package / "_plugins", package.parent / "plugins"):
        if folder.is_dir():
            return folder
    raise OutputError(
        f"no plugins beside {package}",
        hint="install again: `pip install --force-reinstall hlcli`",
    )


def list_plugins(folder: Path | None = None) -> list[Plugin]:
    """Return all plugins, by name.

    Args:
        folder: Where they lie; the program's own when left out.

    Raises:
        OutputError: A plugin.toml is damaged or a file it lists is missing.
    """
    folder = folder or plugins_dir()
    return [_read(path) for path in sorted(folder.glob("*/plugin.toml"))]


def find_plugin(name: str, folder: Path | None = None) -> Plugin:
    """Return the plugin of a name.

    Raises:
        UsageError: There is none.
        OutputError: As for `list_plugins`.
    """
    plugins = list_plugins(folder)
    for plugin in plugins:
        if plugin.name == name:
            return plugin
    raise UsageError(
        f"there is no plugin {name}",
        hint=f"the plugins are {', '.join(plugin.name for plugin in plugins)}",
    )


def _read(path: Path) -> Plugin:
    try:
        fields = toml.loads(path.read_text(encoding="utf-8"))
        plugin = Plugin(
            name=path.parent.name,
            title=str(fields["title"]),
            next_step=str(fields["next_step"]),
            files=tuple(_file(path.parent, entry) for entry in fields["files"]),
        )
        if len({file.place for file in plugin.files}) != 1:
            raise ValueError("its files must go to one kind of place")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path} is damaged: {error}",
            hint="install again: `pip install --force-reinstall hlcli`",
        ) from error
    return plugin


def _file(folder: Path, entry: dict[str, Any]) -> PluginFile:
    source, target = folder / str(entry["source"]), PurePosixPath(str(entry["target"]))
    program = entry.get("program")
    parts = tuple(sorted((folder / entry["parts"]).glob("*.lua"))) if "parts" in entry else ()
    if unknown := set(entry) - {"source", "place", "target", "program", "parts"}:
        raise ValueError(f"unknown key {min(unknown)}")
    if not source.is_file():
        raise ValueError(f"there is no {source}")
    if entry["place"] not in PLACES:
        raise ValueError(f"unknown place {entry['place']}")
    if target.is_absolute() or ".." in target.parts or not target.parts:
        raise ValueError(f"{target} leads out of the folder")
    if program is not None and program not in LANGUAGES:
        raise ValueError(f"unknown language {program}")
    if "parts" in entry and not parts:
        raise ValueError(f"there are no parts in {folder / entry['parts']}")
    return PluginFile(
        source=source, place=str(entry["place"]), target=target, program=program, parts=parts
    )
