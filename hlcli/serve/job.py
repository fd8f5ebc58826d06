"""A job as the service keeps it: what was asked for, how far it is, what came of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from hlcli.serve.allowed import Allowed

Kind = Literal["score", "export", "render", "finetune", "proxy", "find", "match"]
"""What is done."""
State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
"""Where it stands."""
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled", "interrupted"})
"""States that never change again."""
MAX_INTERRUPTIONS = 1
"""How often a job is begun anew after the service died in it: it may be what killed it."""

_TEXTS = ("id", "kind", "state", "stage", "created")
# What stays in the service.
_PRIVATE = ("names", "roots", "picked", "outputs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. Frozen: every change is another object."""

    id: str
    """16 hexadecimal digits."""
    kind: Kind
    """What is done."""
    paths: tuple[str, ...]
    """Files and folders, whole and with links resolved."""
    options: dict[str, Any]
    """As given, checked."""
    names: dict[str, str] = field(default_factory=dict)
    """What the client calls those paths, where a link leads to them: an editor knows its media by
    that name, so timelines and scores say it, too."""
    roots: tuple[str, ...]
    """Folders that may be read, as they were when the job came."""
    picked: tuple[str, ...] = ()
    """Files outside that may be read."""
    outputs: tuple[str, ...] = ()
    """Files named by the client that will be written."""
    state: State = "queued"
    """Where it stands."""
    stage: str = ""
    """What is being done, in words."""
    done: float = 0.0
    """How much of `total` is done."""
    total: float = 0.0
    """In the unit of the stage; 0 is unknown."""
    created: str
    """When it came, ISO 8601 in UTC."""
    started: str | None = None
    """When it was begun last."""
    finished: str | None = None
    """When it came to an end."""
    interruptions: int = 0
    """How often the service died in it."""
    error: dict[str, Any] | None = None
    """Why it failed: message, hint, exit_code."""
    problems: tuple[dict[str, Any], ...] = ()
    """Inputs that could not be used, while others could."""
    remarks: tuple[str, ...] = ()
    """Sentences worth showing."""
    files: tuple[str, ...] = ()
    """What was written."""
    num_scores: int = 0
    """Scores documents in the job's folder."""
    model: str | None = None
    """Name of the model that was tuned."""

    @property
    def is_final(self) -> bool:
        """Whether it never changes again."""
        return self.state in FINAL

    @property
    def allowed(self) -> Allowed:
        """What it may read."""
        return Allowed(roots=tuple(map(Path, self.roots)), picked=frozenset(map(Path, self.picked)))

    def to_json(self) -> dict[str, Any]:
        """Return all of it, for the disk and the worker."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Job:
        """Read what `to_json` gave, in this version of hl or in another.

        Of a job that is over, keys that this version does not know are left out. One that is
        still to be done would not be the same job without them.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
        fields = {one.name: one for one in dataclasses.fields(cls)}
        required = {name for name, one in fields.items() if _has_no_default(one)}
        if missing := sorted(required - value.keys()):
            raise ValueError(f"it lacks {missing[0]!r}")
        if value["kind"] not in get_args(Kind) or value["state"] not in get_args(State):
            raise ValueError(f"a {value['kind']!r} that is {value['state']!r} is not known")
        unknown = sorted(value.keys() - fields.keys())
        if unknown and value["state"] not in FINAL:
            raise ValueError(f"the key {unknown[0]!r} is not known")
        for name in fields.keys() & value.keys():
            if name in _TEXTS and not isinstance(value[name], str):
                raise ValueError(f"{name!r} is not a text")
        known: dict[str, Any] = {
            name: tuple(one) if isinstance(one, list) else one
            for name, one in value.items()
            if name in fields
        }
        return cls(**known)

    def shown(self, position: int | None) -> dict[str, Any]:
        """Return what a client sees.

        Args:
            position: How many jobs are before it; None unless it is queued.
        """
        value = {name: one for name, one in self.to_json().items() if name not in _PRIVATE}
        results = {name: value.pop(name) for name in ("files", "num_scores", "model")}
        return value | {"position": position, "results": results}


def _has_no_default(one: dataclasses.Field[Any]) -> bool:
    return one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """The folder of a job that cannot be read now; it stays as it is."""

    folder: Path
    """Where it is."""
    why: str
    """What is wrong, in words."""


@dataclass(slots=True, kw_only=True)
class Result:
    """What a worker has to say at the end."""

    files: list[str] = field(default_factory=list)
    """What was written."""
    model: str | None = None
    """Name of the model that was tuned."""
