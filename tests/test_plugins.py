"""`hl plugins`: three systems' layouts on a fake home, backups, receipts, all or nothing."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hlcli import __version__
from hlcli.cli import app
from hlcli.errors import EditorNotFoundError, OutputError, UsageError
from hlcli.plugins import adobe, undo
from hlcli.plugins import system as system_module
from hlcli.plugins.baking import bake
from hlcli.plugins.install import InstallPlan, install, plan_install
from hlcli.plugins.manifest import Plugin, find_plugin, list_plugins, plugins_dir
from hlcli.plugins.receipt import read_receipt, receipt_path
from hlcli.plugins.remove import RemovalPlan, plan_removal, remove
from hlcli.plugins.state import state_of
from hlcli.plugins.system import Platform, System

ROOT = Path(__file__).resolve().parents[1]
HL = Path("/opt/my tools/hl")
BMD = "Blackmagic Design/DaVinci Resolve"
SCRIPTS = "Scripts/Utility"
LUA = b'local HL = "hl"  -- baked in\nprint(HL)\n'
PYTHON = b'import os\nHL = "hl"\n'


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Return a folder of plugins like the real ones, small."""
    folder = tmp_path / "shipped"
    plugin(
        folder / "resolve",
        "resolve-fusion",
        {
            "a.lua": (f"{SCRIPTS}/hl.lua", LUA, "lua"),
            "b.py": (f"{SCRIPTS}/hl.py", PYTHON, "python"),
        },
    )
    plugin(folder / "blender", "blender-addons", {"hl.py": ("hl.py", PYTHON, "python")})
    manifest = b'{"id": "hl.test", "name": "hl Test"}'
    plugin(
        folder / "premiere",
        "premiere-ccx",
        {
            "manifest.json": ("manifest.json", manifest, None),
            "main.js": ("js/main.js", b'const HL = "hl";\n', "javascript"),
        },
    )
    return folder


def plugin(folder: Path, place: str, files: dict[str, tuple[str, bytes, str | None]]) -> None:
    folder.mkdir(parents=True)
    lines = ['title = "The Editor"', 'next_step = "look"']
    for source, (target, content, language) in files.items():
        (folder / source).write_bytes(content)
        lines += ["[[files]]", f'source = "{source}"', f'place = "{place}"', f'target = "{target}"']
        lines += [f'program = "{language}"'] if language else []
    (folder / "plugin.toml").write_text("\n".join(lines), encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home with blanks and letters outside ASCII in its name."""
    folder = tmp_path / "J\u00fcrgen \u4e2d' \"x"
    folder.mkdir()
    return folder


def machine(platform: Platform, home: Path, **variables: str) -> System:
    root = home / "root"
    if platform == "windows":
        variables = {
            "APPDATA": str(home / "Roaming"),
            "PROGRAMDATA": str(root / "ProgramData"),
            "ProgramFiles": str(root / "Program Files"),
        } | variables
    return System(platform=platform, home=home, root=root, variables=variables)


def products(platform: Platform, home: Path) -> dict[str, Path]:
    """Return the folders whose presence says that Resolve is there, for a user and for all."""
    root = home / "root"
    if platform == "windows":
        return {"user": home / "Roaming" / BMD, "all": root / "ProgramData" / BMD}
    if platform == "macos":
        support = Path("Library/Application Support") / BMD
        return {"user": home / support, "all": root / support}
    return {"user": home / ".local/share/DaVinciResolve", "all": root / "opt/resolve"}


def planned(found: Plugin, system: System, **options: bool) -> InstallPlan:
    return plan_install(found, system, program=HL, **options)


def put(found: Plugin, system: System, **options: bool) -> list[str]:
    """Install; returns what was done."""
    plan = planned(found, system, **options)
    install(plan)
    return [step.action for step in plan.steps]


def take(found: Plugin, system: System, *, all_users: bool = False) -> RemovalPlan:
    plan = plan_removal(found, system, all_users=all_users)
    remove(plan)
    return plan


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder: content of files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
@pytest.mark.parametrize("scope", ["user", "all"])
def test_resolve_gets_its_scripts_and_loses_them(
    platform: Platform, scope: str, home: Path, shipped: Path
) -> None:
    system, found = machine(platform, home), find_plugin("resolve", shipped)
    product = products(platform, home)[scope]
    all_users = scope == "all"
    with pytest.raises(EditorNotFoundError, match="DaVinci Resolve was not found") as raised:
        planned(found, system, all_users=all_users)
    assert str(product) in raised.value.message
    product.mkdir(parents=True)
    before = tree(home)
    assert put(found, system, all_users=all_users) == ["write", "write"]
    inner = "Support/Fusion" if (platform, scope) == ("windows", "user") else "Fusion"
    folder = product / inner / SCRIPTS
    assert (folder / "hl.lua").read_bytes() == (
        b'local HL = "/opt/my tools/hl"  -- baked in\nprint(HL)\n'
    )
    assert (folder / "hl.py").read_bytes() == b"import os\nHL = '/opt/my tools/hl'\n"
    assert sorted(path.name for path in folder.iterdir()) == ["hl.lua", "hl.py"]
    first = tree(home)
    assert put(found, system, all_users=all_users) == ["keep", "keep"]
    assert tree(home) == first
    assert [step.fate for step in take(found, system, all_users=all_users).steps] == ["delete"] * 2
    assert tree(home) == before
    assert not receipt_path("resolve").exists()


def test_resolve_from_the_app_store(home: Path, shipped: Path) -> None:
    containers = home / "Library/Containers"
    for name in ("DaVinciResolveLite", "DaVinciResolve", "DiskSpeedTest"):
        (containers / f"com.blackmagic-design.{name}/Data").mkdir(parents=True)
    system, found = machine("macos", home), find_plugin("resolve", shipped)
    put(found, system)
    support = "Data/Library/Application Support"
    assert sorted(str(path.relative_to(containers)) for path in containers.rglob("hl.lua")) == [
        f"com.blackmagic-design.{name}/{support}/{inner}/{SCRIPTS}/hl.lua"
        for name in ("DaVinciResolve", "DaVinciResolveLite")
        for inner in (f"{BMD}/Fusion", "Fusion")
    ]
    # A second edition joins later: the first ones stay as they are.
    products("macos", home)["user"].mkdir(parents=True)
    assert state_of(found, system, program=HL).new_places == ("DaVinci Resolve",)
    assert put(found, system) == ["write"] * 2 + ["keep"] * 8
    take(found, system)
    assert list(home.rglob("hl.lua")) == []


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".config/blender"),
        ("macos", "Library/Application Support/Blender"),
        ("windows", "Roaming/Blender Foundation/Blender"),
    ],
)
def test_blender_every_version_from_3_4_on(
    platform: Platform, folder: str, home: Path, shipped: Path
) -> None:
    for name in ("2.93", "3.4", "4.10", "4.2", "cache.d"):
        (home / folder / name).mkdir(parents=True)
    system, found = machine(platform, home), find_plugin("blender", shipped)
    plan = planned(found, system)
    install(plan)
    assert [step.edition for step in plan.steps] == ["Blender 3.4", "Blender 4.2", "Blender 4.10"]
    assert sorted(home.rglob("hl.py")) == sorted(
        home / folder / version / "scripts/addons/hl.py" for version in ("3.4", "4.2", "4.10")
    )


def test_blender_for_all_users_and_by_variable(home: Path, shipped: Path) -> None:
    found = find_plugin("blender", shipped)
    windows = machine("windows", home)
    inner = home / "root/Program Files/Blender Foundation/Blender 4.2/4.2"
    inner.mkdir(parents=True)
    install(planned(found, windows, all_users=True))
    assert (inner / "scripts/addons/hl.py").is_file()
    linux = machine("linux", home)
    (home / "root/usr/share/blender/scripts").mkdir(parents=True)
    install(planned(found, linux, all_users=True))
    assert (home / "root/usr/share/blender/scripts/addons/hl.py").is_file()
    with pytest.raises(UsageError, match="no folder for all users"):
        planned(found, machine("macos", home), all_users=True)
    own = home / "scripts"
    own.mkdir()
    install(planned(found, machine("macos", home, BLENDER_USER_SCRIPTS=str(own))))
    assert (own / "addons/hl.py").is_file()
    with pytest.raises(EditorNotFoundError, match="Blender was not found"):
        planned(found, linux)


def test_force_makes_the_usual_folder(home: Path, shipped: Path) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    assert put(found, system, force=True) == ["write", "write"]
    assert (home / ".local/share/DaVinciResolve/Fusion" / SCRIPTS / "hl.lua").is_file()
    take(found, system)
    assert tree(home) == {}


def test_a_file_in_the_way_is_kept_and_comes_back(home: Path, shipped: Path) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    folder = home / ".local/share/DaVinciResolve/Fusion" / SCRIPTS
    folder.mkdir(parents=True)
    (folder / "hl.lua").write_bytes(b"mine")
    (folder / "hl.lua.backup-1").write_bytes(b"an older one of mine")
    before = tree(home)
    assert put(found, system) == ["replace", "write"]
    assert (folder / "hl.lua.backup-2").read_bytes() == b"mine"
    assert (folder / "hl.lua.backup-1").read_bytes() == b"an older one of mine"
    assert put(found, system) == ["keep", "keep"]
    plan = take(found, system)
    assert [step.fate for step in plan.steps] == ["restore", "delete"]
    assert tree(home) == before


def test_a_file_changed_since_is_kept(home: Path, shipped: Path) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    folder = home / ".local/share/DaVinciResolve/Fusion" / SCRIPTS
    put(found, system, force=True)
    (folder / "hl.lua").write_bytes(b"edited")
    (folder / "hl.py").unlink()
    state = state_of(found, system, program=HL)
    assert [name for _, name in state.files] == ["changed", "missing"]
    assert not state.is_current
    plan = take(found, system)
    assert [step.fate for step in plan.steps] == ["changed", "gone"]
    assert {str(path.name): path.read_bytes() for path in folder.iterdir()} == {"hl.lua": b"edited"}
    # Installing over it keeps what was edited.
    assert put(found, system) == ["replace", "write"]
    assert (folder / "hl.lua.backup-1").read_bytes() == b"edited"


def test_another_hl_and_another_version_are_seen_and_replaced(home: Path, shipped: Path) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    folder = home / ".local/share/DaVinciResolve/Fusion" / SCRIPTS
    put(found, system, force=True)
    other = state_of(found, system, program=Path("/elsewhere/hl"))
    assert [name for _, name in other.files] == ["outdated", "outdated"]
    # The next version has one file less and other words.
    (shipped / "resolve/a.lua").write_bytes(LUA + b"-- new\n")
    text = (shipped / "resolve/plugin.toml").read_text(encoding="utf-8")
    (shipped / "resolve/plugin.toml").write_text(text[: text.rindex("[[files]]")], encoding="utf-8")
    found = find_plugin("resolve", shipped)
    assert put(found, system) == ["update", "drop"]
    assert [path.name for path in folder.iterdir()] == ["hl.lua"]
    assert (folder / "hl.lua").read_bytes().endswith(b"-- new\n")
    receipt = read_receipt("resolve")
    assert receipt is not None
    assert [Path(file.path).name for file in receipt.files] == ["hl.lua"]
    assert receipt.version == __version__


def test_nothing_half_done_when_a_folder_cannot_be_made(home: Path, shipped: Path) -> None:
    system, found = machine("linux", home), find_plugin("blender", shipped)
    for version in ("3.4", "4.2"):
        (home / ".config/blender" / version).mkdir(parents=True)
    (home / ".config/blender/4.2/scripts").write_bytes(b"a file, not a folder")
    before = tree(home)
    with pytest.raises(OutputError, match=r"cannot make the folder .*4\.2"):
        put(found, system)
    assert tree(home) == before
    assert read_receipt("blender") is None


def test_nothing_half_done_when_a_write_fails(
    home: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    folder = home / ".local/share/DaVinciResolve/Fusion" / SCRIPTS
    folder.mkdir(parents=True)
    for name in ("hl.lua", "hl.py"):
        (folder / name).write_bytes(b"mine")
    before = tree(home)
    real = undo.write_bytes

    def write(path: Path, data: bytes) -> None:
        if path.name == "hl.py" and data != b"mine":
            raise OutputError(f"cannot write {path}: Read-only file system")
        real(path, data)

    monkeypatch.setattr(undo, "write_bytes", write)
    with pytest.raises(OutputError, match="Read-only"):
        put(found, system)
    assert tree(home) == before
    assert read_receipt("resolve") is None


def test_nothing_half_done_when_a_deletion_fails(
    home: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    put(found, system, force=True)
    before = tree(home)
    real = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.name == "hl.py":
            raise PermissionError(13, "Permission denied")
        real(self, missing_ok=missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", unlink)
        with pytest.raises(OutputError, match=r"cannot delete .*hl\.py: Perm") as raised:
            take(found, system)
    assert "may write there" in raised.value.hint
    assert tree(home) == before
    receipt = read_receipt("resolve")
    assert receipt is not None
    assert len(receipt.files) == 2


KILLED = """
import os, sys
from pathlib import Path
from hlcli.plugins import undo
from hlcli.plugins.install import install, plan_install
from hlcli.plugins.manifest import find_plugin
from hlcli.plugins.system import System
real = undo.write_bytes
def write(path, data):
    if path.name == "hl.py":
        os._exit(9)
    real(path, data)
undo.write_bytes = write
system = System(platform="linux", home=Path(sys.argv[1]))
install(plan_install(find_plugin("resolve", Path(sys.argv[2])), system, program=Path(sys.argv[3])))
"""


def test_killed_half_way_nothing_is_forgotten(home: Path, shipped: Path) -> None:
    system, found = machine("linux", home), find_plugin("resolve", shipped)
    folder = home / ".local/share/DaVinciResolve/Fusion" / SCRIPTS
    folder.mkdir(parents=True)
    (folder / "hl.lua").write_bytes(b"mine")
    (folder / "hl.py").write_bytes(b"mine too")
    before = tree(home)
    for again in (take, put):
        command = [sys.executable, "-c", KILLED, str(home), str(shipped), str(HL)]
        assert subprocess.run(command, check=False).returncode == 9
        # hl.py was moved aside, and not yet written.
        assert sorted(path.name for path in folder.iterdir()) == [
            "hl.lua", "hl.lua.backup-1", "hl.py.backup-1"
        ]  # fmt: skip
        again(found, system)
        if again is put:
            assert [name for _, name in state_of(found, system, program=HL).files] == [
                "current", "current"
            ]  # fmt: skip
            take(found, system)
        assert tree(home) == before


def test_user_and_all_users_are_removed_apart(home: Path, shipped: Path) -> None:
    system, found = machine("macos", home), find_plugin("resolve", shipped)
    put(found, system, force=True)
    put(found, system, force=True, all_users=True)
    plan = take(found, system)
    assert len(plan.kept) == 2
    assert [path.relative_to(home).parts[0] for path in home.rglob("hl.lua")] == ["root"]
    assert take(found, system).steps == ()
    take(found, system, all_users=True)
    assert list(home.rglob("*.*")) == []


AGENTS = {
    "macos": "Library/Application Support/Adobe/Adobe Desktop Common/RemoteComponents/UPI/"
    "UnifiedPluginInstallerAgent/UnifiedPluginInstallerAgent.app/Contents/MacOS/"
    "UnifiedPluginInstallerAgent",
    "windows": "Program Files/Common Files/Adobe/Adobe Desktop Common/RemoteComponents/UPI/"
    "UnifiedPluginInstallerAgent/UnifiedPluginInstallerAgent.exe",
}


@pytest.mark.parametrize("platform", ["macos", "windows"])
def test_premiere_through_the_agent(
    platform: Platform, home: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = home / "root" / AGENTS[platform]
    agent.parent.mkdir(parents=True)
    agent.write_bytes(b"")
    ran: list[list[str]] = []
    monkeypatch.setattr(adobe, "run", ran.append)
    system, found = machine(platform, home), find_plugin("premiere", shipped)
    package = receipt_path("x").parent / "hl.test_premierepro.ccx"
    assert put(found, system) == ["write", "run"]
    dash = "/" if platform == "windows" else "--"
    assert ran == [[str(agent), f"{dash}install", str(package)]]
    with zipfile.ZipFile(package) as packed:
        assert packed.namelist() == ["js/main.js", "manifest.json"]
        assert packed.read("js/main.js") == b'const HL = "/opt/my tools/hl";\n'
    assert put(found, system) == ["keep"]
    (shipped / "premiere/main.js").write_bytes(b'const HL = "hl";\n// new\n')
    assert put(find_plugin("premiere", shipped), system) == ["update", "run"]
    assert take(found, system).by_hand is None
    assert ran[2:] == [[str(agent), f"{dash}remove", "hl Test"]]
    assert not package.exists()


def test_premiere_whose_agent_refuses_leaves_nothing(
    home: Path, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = home / "root" / AGENTS["macos"]
    agent.parent.mkdir(parents=True)
    agent.write_text("#!/bin/sh\necho Failed to install, status = -201\nexit 1\n")
    agent.chmod(0o755)
    system, found = machine("macos", home), find_plugin("premiere", shipped)
    with pytest.raises(OutputError, match="refused: Failed to install, status = -201") as raised:
        put(found, system)
    assert "double-click" in raised.value.hint
    assert not list(receipt_path("x").parent.glob("*"))


def test_premiere_without_the_agent_is_double_clicked(home: Path, shipped: Path) -> None:
    found = find_plugin("premiere", shipped)
    plan = planned(found, machine("macos", home))
    install(plan)
    assert plan.by_hand == receipt_path("x").parent / "hl.test_premierepro.ccx"
    assert plan.by_hand.is_file()
    assert take(found, machine("macos", home)).by_hand == "hl Test"
    with pytest.raises(EditorNotFoundError, match="does not run on Linux"):
        planned(found, machine("linux", home))
    assert planned(found, machine("linux", home), force=True).by_hand == plan.by_hand
    with pytest.raises(UsageError, match="Adobe's installer"):
        planned(found, machine("macos", home), all_users=True)


PATHS = [
    r"C:\Program Files\J" '\u00fcrgen\'s "Tools"\\new\\hl.exe',
    "/Users/\u4e2d\u6587/\U0001f3ac 1/hl",
    "/odd/\udcff/bytes\n/hl",
]


@pytest.mark.parametrize("path", PATHS)
def test_any_path_is_baked_in(path: str) -> None:
    baked = bake(
        b'\xef\xbb\xbfx = 1\r\nHL = "hl"  # path\r\n', language="python", program=path, name="x"
    )
    assert baked.isascii() is False  # the mark at its start is kept
    line = baked.split(b"\r\n")[1]
    assert line.isascii()
    assert line.endswith(b"  # path")
    assert ast.literal_eval(line.split(b" = ", 1)[1].decode().rsplit("  #", 1)[0]) == path
    script = bake(b'export const HL = "hl";', language="javascript", program=path, name="x")
    assert script.isascii()
    assert json.loads(script.removeprefix(b"export const HL = ").removesuffix(b";")) == path


@pytest.mark.parametrize("path", PATHS)
def test_lua_gets_the_bytes(path: str) -> None:
    lupa = pytest.importorskip("lupa.lua51", reason="lupa is not installed")
    script = bake(LUA.replace(b"print(HL)", b"return HL"), language="lua", program=path, name="x")
    assert script.isascii()
    runtime = lupa.LuaRuntime(encoding=None)
    assert runtime.execute(script) == path.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("content", [b"", LUA + LUA, b'  local HL = "hl"\n', b'local HL = "hx"\n'])
def test_one_line_for_the_path_or_an_error(content: bytes) -> None:
    with pytest.raises(OutputError, match=r"x.lua has [02] lines for the path of hl"):
        bake(content, language="lua", program="/hl", name="x.lua")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('target = "hl.py"', 'target = "../hl.py"', "leads out of the folder"),
        ('target = "hl.py"', 'target = "/hl.py"', "leads out of the folder"),
        ('source = "hl.py"', 'source = "no.py"', "there is no"),
        ('place = "blender-addons"', 'place = "desk"', "unknown place desk"),
        ('program = "python"', 'program = "perl"', "unknown language perl"),
        ('program = "python"', 'hue = "red"', "unknown key hue"),
        ("[[files]]", "[files]", "damaged"),
    ],
)
def test_a_damaged_manifest_is_an_error(shipped: Path, old: str, new: str, words: str) -> None:
    path = shipped / "blender/plugin.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(OutputError, match=words):
        list_plugins(shipped)


def test_a_damaged_receipt_is_an_error(home: Path, shipped: Path) -> None:
    receipt_path("resolve").parent.mkdir(parents=True)
    for text in ("{", "[]", '{"schema": "hl.plugin-receipt/9"}'):
        receipt_path("resolve").write_text(text, encoding="utf-8")
        with pytest.raises(OutputError, match="cannot be read"):
            planned(find_plugin("resolve", shipped), machine("linux", home), force=True)


def test_the_plugins_that_are_shipped_can_be_installed(home: Path) -> None:
    for found in list_plugins():
        plan = planned(found, machine("macos", home, BLENDER_USER_SCRIPTS=str(home)), force=True)
        install(plan)
        assert {step.action for step in plan.steps} == {"write"}
        assert plan.changes_nothing is False
        assert planned(found, plan_system(home), force=True).changes_nothing
    assert {found.name for found in list_plugins()} >= {"blender"}


def plan_system(home: Path) -> System:
    return machine("macos", home, BLENDER_USER_SCRIPTS=str(home))


def test_command_line(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    scripts = home / "scripts"
    scripts.mkdir()
    program = tmp_path / "hl"
    program.write_text("")
    monkeypatch.setenv("BLENDER_USER_SCRIPTS", str(scripts))
    monkeypatch.setattr(system_module, "program_path", lambda: program)
    addon = scripts / "addons/hl_highlights/job.py"

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["plugins", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert run("install", "blender", "--dry-run").split()[:2] == ["write", str(addon).split()[0]]
    assert list(scripts.iterdir()) == []
    assert f"write    {addon} (Blender, BLENDER_USER_SCRIPTS)" in run("install", "blender")
    assert ascii(str(program)) in addon.read_text(encoding="utf-8")
    assert "all is installed already, nothing was changed" in run("install", "blender")
    rows = {row["name"]: row for row in json.loads(run("list", "--json"))}
    assert rows["blender"]["is_current"] is True
    assert {file["state"] for file in rows["blender"]["files"]} == {"current"}
    assert f"installed, matches hl {__version__}" in run("list")
    assert findings()["plugin blender"] == {
        "subject": "plugin blender",
        "status": "ok",
        "detail": f"installed, matches hl {__version__}: {addon.parent}",
        "hint": "",
    }
    addon.write_text("changed")
    assert findings()["plugin blender"]["status"] == "warning"
    assert findings()["plugin blender"]["hint"] == "run `hl plugins install blender` again"
    assert f"keep     {addon}" in run("remove", "blender", "--dry-run")
    assert "it was changed after hl wrote it" in run("remove", "blender")
    assert addon.read_text() == "changed"
    assert "nothing is installed there" in run("remove", "blender")
    result = CliRunner().invoke(app, ["plugins", "install", "avid"])
    assert result.exit_code == 2
    assert "there is no plugin avid" in result.stderr


def findings() -> dict[str, dict[str, str]]:
    from hlcli.cli.diagnosis import _plugins

    return {
        item.subject: {
            "subject": item.subject,
            "status": item.status,
            "detail": item.detail,
            "hint": item.hint,
        }
        for item in _plugins()
    }


def test_the_program_that_is_baked_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / ("hl.exe" if sys.platform == "win32" else "hl")
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert system_module.program_path() == program
    monkeypatch.setattr(sys, "argv", ["pytest"])
    monkeypatch.setattr(sys, "executable", str(program.parent / "python"))
    assert system_module.program_path() == program
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EditorNotFoundError, match="no hl program"):
        system_module.program_path()


def test_where_plugins_are_found(tmp_path: Path) -> None:
    package = tmp_path / "hlcli"
    package.mkdir()
    with pytest.raises(OutputError, match="no plugins beside"):
        plugins_dir(package)
    (tmp_path / "plugins").mkdir()
    assert plugins_dir(package) == tmp_path / "plugins"
    (package / "_plugins").mkdir()
    assert plugins_dir(package) == package / "_plugins"


@pytest.mark.slow
def test_a_wheel_holds_what_the_manifests_list(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    folder = plugins_dir()
    expected = {str(path.relative_to(folder)) for path in folder.glob("*/plugin.toml")}
    for found in list_plugins():
        for file in found.files:
            expected |= {str(path.relative_to(folder)) for path in (file.source, *file.parts)}
    with zipfile.ZipFile(wheel) as packed:
        names = {
            name.removeprefix("hlcli/_plugins/")
            for name in packed.namelist()
            if name.startswith("hlcli/_plugins/")
        }
    assert names == expected
