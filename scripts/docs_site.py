"""Makes the pages of the repository a site: hooks that MkDocs calls, named in mkdocs.yml.

The pages stay as they are read in the repository. Those outside docs/ that docs/ leads to are taken
in; links to files that are no pages become plain text; and what docs/README.md lists, in its
order, is the navigation, so that there is one list and not two.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "plugins/PROTOCOL.md", "model_zoo/*.md")
"""Pages outside docs/, as patterns."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(<?([^)>\s]+)>?((?: \"[^\"]*\")?)\)")
_ITEM = re.compile(r"\[([^\]]+)\]\(([^)#]+\.md)\)")


def address(path: str) -> str:
    """Return where a page of the repository lies in the site, from its path there.

    Example:
        >>> address("docs/guides/find.md"), address("README.md"), address("model_zoo/README.md")
        ('guides/find.md', 'project/README.md', 'model_zoo/README.md')
    """
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return path if "/" in path else f"project/{path}"


def outside() -> dict[str, Path]:
    """Return the pages outside docs/ by their address."""
    found = [path for pattern in OUTSIDE for path in sorted(ROOT.glob(pattern))]
    return {address(path.relative_to(ROOT).as_posix()): path for path in found}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Read the navigation from docs/README.md."""
    nav: list[Any] = [{"Documentation": "README.md"}]
    section: list[Any] = []
    for line in (ROOT / "docs/README.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = []
            nav.append({line[3:]: section})
        for title, link in _ITEM.findall(line):
            path = posixpath.normpath(posixpath.join("docs", link))
            section.append({title.replace("`", ""): address(path)})
    listed = {
        path for part in nav[1:] for item in next(iter(part.values())) for path in item.values()
    }
    rest = [one for one in outside() if one not in listed]
    nav.append({"Project": rest})
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the pages outside docs/ in."""
    for place, path in outside().items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where pages lie in the site; those to other files become text."""
    known = outside()
    here = known.get(page.file.src_uri, ROOT / "docs" / page.file.src_uri)
    folder = posixpath.dirname(here.relative_to(ROOT).as_posix())
    base = posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        image, text, target, title = match.groups()
        path, hash_sign, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return match[0]
        wanted = posixpath.normpath(posixpath.join(folder, unquote(path)))
        if not (ROOT / wanted).exists():
            raise PluginError(f"{here.relative_to(ROOT)}: {target} leads nowhere")
        place = address(wanted)
        if files.get_file_from_path(place) is None:
            return f"![{text}]({target})" if image else text
        return f"{image}[{text}]({posixpath.relpath(place, base or '.')}{hash_sign}{anchor}{title})"

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if part.startswith("```") else indented(_LINK.sub(link, part)) for part in parts
    )


def indented(markdown: str) -> str:
    """Indent what belongs to an item of a list by four, as Python's Markdown asks.

    Example:
        >>> indented("* one\\n\\n  two\\n  * three\\nfour")
        '* one\\n\\n    two\\n    * three\\nfour'
    """
    lines: list[str] = []
    inside = is_loose = False
    for line in markdown.split("\n"):
        bare = line.lstrip(" ")
        level = -(-(len(line) - len(bare)) // 3)
        if bare and not level:
            inside = re.match(r"(?:[*-]|\d+\.) ", line) is not None
            if inside and is_loose and lines[-1]:
                lines.append("")  # an item after another's second paragraph
            is_loose = False
        is_loose = is_loose or (inside and not bare)
        lines.append(" " * 4 * level + bare if inside else line)
    return "\n".join(lines)
