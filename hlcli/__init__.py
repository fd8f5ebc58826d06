"""hl: find the moments worth keeping in raw footage and hand them over as a timeline.

The public API; docs/guides/python.md shows it. Everything but the version loads on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hlcli import errors
    from hlcli.document import ScoresDocument, find_moments
    from hlcli.moments import Moment, Selection
    from hlcli.progress import Listener
    from hlcli.rendering.settings import RenderReport, RenderSettings
    from hlcli.timeline.build import Layout
    from hlcli.timeline.check import Violation
    from hlcli.timeline.check import check_timeline as check
    from hlcli.tuning.plan import FinetuneSettings
    from hlcli.workflows.export import export
    from hlcli.workflows.find import find
    from hlcli.workflows.finetune import finetune
    from hlcli.workflows.match import Conform, match
    from hlcli.workflows.render import render
    from hlcli.workflows.report import report
    from hlcli.workflows.score import score

__all__ = [
    "Conform",
    "FinetuneSettings",
    "Layout",
    "Listener",
    "Moment",
    "RenderReport",
    "RenderSettings",
    "ScoresDocument",
    "Selection",
    "Violation",
    "__version__",
    "check",
    "errors",
    "export",
    "find",
    "find_moments",
    "finetune",
    "match",
    "render",
    "report",
    "score",
]

__version__ = "0.1.0"

# Modules, and the name there where it is another.
_HOMES = {
    "Conform": "workflows.match",
    "FinetuneSettings": "tuning.plan",
    "Layout": "timeline.build",
    "Listener": "progress",
    "Moment": "moments",
    "Violation": "timeline.check",
    "RenderReport": "rendering.settings",
    "RenderSettings": "rendering.settings",
    "ScoresDocument": "document",
    "Selection": "moments",
    "check": "timeline.check:check_timeline",
    "export": "workflows.export",
    "find": "workflows.find",
    "find_moments": "document",
    "finetune": "workflows.finetune",
    "match": "workflows.match",
    "render": "workflows.render",
    "report": "workflows.report",
    "score": "workflows.score",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("hlcli.errors")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(f"hlcli.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
