"""What a worker does for a job of the kind `finetune`."""

from __future__ import annotations

import datetime

from hlcli.serve.job import Result
from hlcli.serve.requests import FinetuneOptions, folders
from hlcli.serve.task import Problems, Task, find_allowed_videos


def finetune(task: Task) -> Result:
    """Teach a model, as `hl finetune` does."""
    from hlcli.finetune.plan import STEPS, FinetuneSettings, make_plan
    from hlcli.finetune.run import carry_out as learn
    from hlcli.training.loop import StepReport
    from hlcli.zoo.reservation import reserve

    options = FinetuneOptions.model_validate(task.job.options)
    allowed = task.allowed
    steps = STEPS if options.steps is None else options.steps
    problems = Problems(task)
    videos = find_allowed_videos(task, problems)
    problems.raise_if_nothing(videos)
    settings = FinetuneSettings(
        name=options.name,
        footage=tuple(map(str, videos)),
        cuts=tuple(allowed.existing(text) for text in options.from_cut),
        labels=tuple(allowed.existing(text) for text in options.labels),
        search=tuple(folders(options.search)),
        parent=options.parent,
        device=task.device,
        steps=steps,
        adapt=options.adapt,
        seed=options.seed,
    )

    def on_step(report: StepReport) -> None:
        task.progress("training", report.step, steps)

    today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
    with reserve(options.name) as reserved:
        plan = make_plan(settings, progress=task.progress)
        for note in (*plan.notes, *(note for one in plan.teachings for note in one.notes)):
            task.remark(note)
        for file in plan.footage.files:
            # Cuts and marks may name files of their own.
            allowed.existing(str(file.path))
        outcome = learn(plan, reserved, created=today, progress=task.progress, on_step=on_step)
    if outcome is None:
        return Result()
    for warning in outcome.card.warnings:
        task.remark(warning.removesuffix("."))
    if outcome.check is not None:
        task.remark(
            f"average precision on held-out marks: {outcome.check.before:.3f} before, "
            f"{outcome.check.after:.3f} after"
        )
    return Result(model=outcome.manifest.name)
