"""Help in plain text: options under headings, right at any width, without loading Rich."""

from __future__ import annotations

import inspect
from typing import Any

from typer.core import TyperCommand, TyperGroup

EXIT_CODES = (
    ("0", "done"),
    ("1", "anything unexpected"),
    ("2", "wrong command line or setting"),
    ("3", "a video, a timeline or scores cannot be used"),
    ("4", "a model cannot be used"),
    ("5", "no such device, or out of its memory"),
    ("6", "an output cannot be written"),
    ("7", "training failed"),
    ("8", "hl check found what a program refuses"),
    ("130", "stopped by Ctrl-C or a signal"),
)
"""What the program's exit codes mean; `hlcli.errors` decides them."""


def _summary(help_text: str | None) -> str:
    """Return the first paragraph of a help text as one line."""
    return " ".join(inspect.cleandoc(help_text or "").partition("\n\n")[0].split())


class HlGroup(TyperGroup):
    """Commands under one name, whose summaries are shown whole."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the summary, however long: Click would end it in "..."."""
        return _summary(self.help)


class HlCommand(TyperCommand):
    """A command whose options are listed under the headings they were given."""

    def get_short_help_str(self, limit: int = 0) -> str:
        """Return the summary, however long: Click would end it in "..."."""
        return _summary(self.help)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Write required arguments without the braces that newer releases of Typer add."""
        return [
            piece.translate({123: None, 125: None}) for piece in super().collect_usage_pieces(ctx)
        ]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the description, then the examples, one to a line."""
        text, _, examples = inspect.cleandoc(self.help or "").partition("\nExamples:\n")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text.strip())
        lines = [line.strip() for line in examples.splitlines() if line.strip()]
        if lines:
            with formatter.section("Examples"):
                for line in lines:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments first, then options without a heading, then each heading's."""
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            names, text = record
            if param.param_type_name == "argument":
                # Typer appends the Python type, which tells a user nothing.
                names, title = names.split(" <")[0], "Arguments"
            else:
                title = getattr(param, "rich_help_panel", None) or "Options"
            sections.setdefault(title, []).append((names, text))
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records, col_max=28)
