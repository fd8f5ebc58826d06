"""What a run says about itself: the card of its model, and what the user should know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hlcli.training.loop import LOG_FILE
from hlcli.training.register import read_losses
from hlcli.tuning.footage import LeftOut, RawFile
from hlcli.tuning.held_out import HeldOut
from hlcli.tuning.plan import FinetunePlan
from hlcli.zoo.card import Figure, FootageFile, ModelCard, Parent, TrainingSource, plain_name

FEW_SPANS = 5
"""Fewer kept spans than these make a rough taste."""


def card_of_run(
    plan: FinetunePlan,
    files: Sequence[RawFile],
    check: HeldOut | None,
    *,
    warnings: Sequence[str],
    work: Path,
    created: str,
) -> ModelCard:
    """Write the card.

    Args:
        plan: The run.
        files: What it learned from.
        check: The held-out figures, where there are some.
        warnings: What its user should know.
        work: Folder of the training, with its log.
        created: Today, in ISO 8601.
    """
    minutes = float(sum(file.info.duration_seconds for file in files)) / 60
    ways = [one for one, is_so in (("footage", plan.adapts),) if is_so]
    ways += [plain_name(annotation.file) for annotation in plan.annotations]
    log = work / LOG_FILE
    return ModelCard(
        name=plan.settings.name,
        description=f"{plan.parent.name}, tuned on {len(files)} files ({minutes:.0f} minutes): "
        + ", ".join(ways),
        created=created,
        parent=Parent(
            name=plan.parent.name, version=plan.parent.version, sha256=plan.parent.sha256
        ),
        footage=tuple(
            FootageFile(
                file=plain_name(file.path),
                sha256_head=file.identity,
                seconds=float(file.info.duration_seconds),
            )
            for file in files
        ),
        lessons=training_sources(plan),
        settings={"seed": plan.settings.seed}
        | ({"steps": plan.num_steps} if plan.num_steps else {}),
        losses=read_losses(log) if plan.num_steps and log.is_file() else (),
        figures=figures_of(check),
        warnings=tuple(warnings),
    )


def training_sources(plan: FinetunePlan) -> tuple[TrainingSource, ...]:
    """Return the ways a model learns, with the spans of each."""
    lessons = [TrainingSource(way="footage")] if plan.adapts else []
    lessons += [
        TrainingSource(
            way=annotation.way,
            file=plain_name(annotation.file),
            num_kept=annotation.num_kept,
            num_passed=annotation.num_passed,
            num_unmatched=annotation.num_unmatched,
        )
        for annotation in plan.annotations
    ]
    return tuple(lessons)


def figures_of(check: HeldOut | None) -> tuple[Figure, ...]:
    """Return what was measured."""
    if check is None:
        return ()
    return (
        Figure(
            name="average precision",
            before=round(check.before, 6),
            after=round(check.after, 6),
            num_files=check.num_files,
            num_spans=check.num_spans,
            held_out=True,
        ),
    )


def warnings_of(
    plan: FinetunePlan, check: HeldOut | None, left_out: Sequence[LeftOut]
) -> list[str]:
    """Return what the user of the model should know, a sentence each."""
    warnings = []
    if left_out:
        names = ", ".join(plain_name(one.path) for one in left_out[:5])
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        warnings.append(f"Left out, because they could not be read: {names}{more}.")
    unmatched = sum(annotation.num_unmatched for annotation in plan.annotations)
    if unmatched:
        warnings.append(f"{unmatched} spans were not matched; nothing was learned from them.")
    if not plan.annotations:
        return [*warnings, "There were no marks to compare it with its parent on: look at both."]
    kept = sum(annotation.num_kept for annotation in plan.annotations)
    if kept < FEW_SPANS:
        spans = "span" if kept == 1 else "spans"
        warnings.append(f"It learned from {kept} kept {spans}; more would teach it more.")
    if check is None:
        warnings.append("Too few spans to hold some out: it is not known whether it is better.")
    elif not check.is_better:
        warnings.append(
            f"On held-out marks it is not better than its parent {plan.parent.name}: average "
            f"precision {check.after:.2f}, before {check.before:.2f}."
        )
    elif check.within_file:
        warnings.append("It was checked within one file, which is easier than on another.")
    return warnings
