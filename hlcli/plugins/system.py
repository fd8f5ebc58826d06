"""What the plugins must know of the machine: its system, the home folder, the environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hlcli.errors import EditorNotFoundError

Platform = Literal["linux", "macos", "windows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A machine as far as plugins are concerned; tests make one of a folder."""

    platform: Platform
    """Which system's layout holds."""
    home: Path
    """The user's home folder."""
    root: Path = Path("/")
    """What absolute folders of macOS and Linux, such as /Library and /opt, stand in."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables: APPDATA, PROGRAMDATA, ProgramFiles, XDG_*, BLENDER_USER_SCRIPTS."""

    @staticmethod
    def current() -> System:
        """Return this machine."""
        platforms: dict[str, Platform] = {"darwin": "macos", "win32": "windows"}
        return System(
            platform=platforms.get(sys.platform, "linux"),
            home=Path.home(),
            variables=dict(os.environ),
        )

    def variable(self, name: str, default: Path) -> Path:
        """Return the folder that an environment variable names, or `default` without one."""
        value = self.variables.get(name)
        return Path(value) if value else default

    @property
    def app_data(self) -> Path:
        """Windows: where programs keep a user's settings, %APPDATA%."""
        return self.variable("APPDATA", self.home / "AppData" / "Roaming")

    @property
    def program_data(self) -> Path:
        """Windows: where programs keep settings for all users, %PROGRAMDATA%."""
        return self.variable("PROGRAMDATA", Path("C:/ProgramData"))

    @property
    def program_files(self) -> Path:
        """Windows: where programs are installed, %ProgramFiles%."""
        return self.variable("ProgramFiles", Path("C:/Program Files"))

    @property
    def application_support(self) -> Path:
        """The folder where programs on macOS keep a user's settings."""
        return self.home / "Library" / "Application Support"


def program_path() -> Path:
    """Return the absolute path of the `hl` program that runs, for plugins to start.

    Links are not followed: the link that an installer made outlives the file behind it.

    Raises:
        EditorNotFoundError: There is no such program, as when hl runs as `python -m hlcli` from a
            folder that was never installed.
    """
    name = "hl.exe" if sys.platform == "win32" else "hl"
    called = Path(sys.argv[0])
    if called.stem.lower() == "hl" and (found := shutil.which(str(called.absolute()))):
        return Path(found).absolute()
    if found := shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name):
        return Path(found).absolute()
    raise EditorNotFoundError(
        "there is no hl program that a plugin could start",
        hint="install hl with pip, pipx or uv, and run `hl plugins install` with that hl",
    )
