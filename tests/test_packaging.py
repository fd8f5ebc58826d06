"""What pip is asked to install, on machines that nobody here has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
INTEL_MAC = {"sys_platform": "darwin", "platform_machine": "x86_64", "python_version": "3.12"}
OTHERS = [
    {"sys_platform": "darwin", "platform_machine": "arm64", "python_version": "3.12"},
    {"sys_platform": "linux", "platform_machine": "x86_64", "python_version": "3.12"},
    {"sys_platform": "win32", "platform_machine": "AMD64", "python_version": "3.12"},
]


def allowed(package: str, version: str, machine: dict[str, str]) -> bool:
    """Return whether the metadata lets a machine have a version of a package."""
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    named = [one for one in wanted if one.name.lower() == package]
    assert named, package
    return all(
        one.specifier.contains(version)
        for one in named
        if one.marker is None or one.marker.evaluate(machine)
    )


def test_an_intel_mac_gets_packages_that_fit_each_other() -> None:
    # torch 2.2.2 is the last with wheels there; it was built for NumPy 1.
    assert allowed("torch", "2.2.2", INTEL_MAC)
    assert allowed("numpy", "1.26.4", INTEL_MAC)
    assert not allowed("numpy", "2.0.0", INTEL_MAC)
    assert allowed("opentimelineio", "0.17.0", INTEL_MAC)
    assert not allowed("opentimelineio", "0.18.1", INTEL_MAC)


@pytest.mark.parametrize("machine", OTHERS, ids=lambda machine: machine["sys_platform"])
def test_other_machines_may_have_the_newest(machine: dict[str, str]) -> None:
    for package, version in (("numpy", "2.4.6"), ("opentimelineio", "0.18.1"), ("torch", "2.13.0")):
        assert allowed(package, version, machine)


def test_no_python_is_let_in_for_which_opentimelineio_has_no_build() -> None:
    pythons = SpecifierSet(PROJECT["requires-python"])
    assert [f"3.{minor}.1" in pythons for minor in range(9, 15)] == [False, *[True] * 4, False]


def test_what_development_pins_is_what_the_metadata_allows() -> None:
    lines = (ROOT / "scripts/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    names = {Requirement(text).name.lower() for text in PROJECT["dependencies"]}
    compared = 0
    for machine in (INTEL_MAC, *OTHERS):
        for pin in pins:
            if pin.marker is not None and not pin.marker.evaluate(machine):
                continue
            version = str(pin.specifier).removeprefix("==")
            if pin.name.lower() in names:
                compared += 1
                assert allowed(pin.name.lower(), version, machine), (pin, machine)
    assert compared >= 30
