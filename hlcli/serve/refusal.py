"""What the service says no to, with the HTTP status that says it."""

from __future__ import annotations

from typing import Any

from hlcli.errors import HlError, MediaNotFoundError, UsageError


class RequestError(UsageError):
    """A request that is not carried out.

    Args:
        message: What is wrong, one sentence without a full stop.
        hint: What to do next.
        status: HTTP status, 400 to 599.
    """

    def __init__(self, message: str, *, hint: str = "", status: int) -> None:
        super().__init__(message, hint=hint)
        self.status = status


def status_of(error: HlError) -> int:
    """Return the HTTP status of an error that a request ran into at once."""
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, MediaNotFoundError):
        return 404
    return 400 if error.exit_code in (2, 3, 4, 6) else 500


def problem_of(error: HlError) -> dict[str, Any]:
    """Return an error as every body of status 400 and above has it.

    A refusal has no exit code: the command line knows no such thing.
    """
    return problem(
        error.message,
        hint=error.hint,
        exit_code=None if isinstance(error, RequestError) else error.exit_code,
    )


def problem(message: str, *, hint: str = "", exit_code: int | None = None) -> dict[str, Any]:
    """Return the body of an error."""
    return {"message": message, "hint": hint, "exit_code": exit_code}


BUG = problem(
    "unexpected: this is a bug in hl", hint="the log of hl serve has the details", exit_code=1
)
"""What a client gets where nobody foresaw what happened."""
