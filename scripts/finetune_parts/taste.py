"""AP on unseen groups before and after learning from a cut, beside a logistic regression."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from finetune_parts.footage import (
    LABELS_A_PROJECT,
    TEST_FILES,
    TRAIN_FILES,
    File,
    Material,
    marks_of_cut,
    project,
)
from hlcli.evaluation.metrics import average_precision
from hlcli.model.fusion import FusedScorer
from hlcli.model.taste import smoothed, unit_rows
from hlcli.tuning.fit_taste import MarkedVideo, fit_taste

NUM_SPANS = (1, 3, 10, 30)
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
Scores = Callable[[File], npt.NDArray[np.floating]]


@dataclass(frozen=True)
class Measured:
    """One row of one taste of one project."""

    row: str
    spans: int
    seed: int
    project: int
    opposite: bool
    """Whether it is the second of two tastes on the same footage."""
    ap: float


def measure(
    material: Material, scorer: FusedScorer, *, seeds: int, general: Sequence[Any]
) -> Iterator[Measured]:
    """Tune on every project with every taste and number of spans.

    Args:
        material: Clips and features.
        scorer: The untuned model.
        seeds: How often each project is made.
        general: Composites of the general benchmark, as `(features, positive_T)`.
    """
    for seed in range(seeds):
        for number, labels in enumerate(projects(material.labels)):
            train = project(material, labels, "train", num_files=TRAIN_FILES, seed=seed)
            test = project(material, labels, "test", num_files=TEST_FILES, seed=seed)
            # Two tastes on the same footage: one label is kept, then another.
            for opposite, keep in enumerate(labels[:2]):
                for row, spans, ap in _one(scorer, train, test, keep, general):
                    yield Measured(row, spans, seed, number, bool(opposite), ap)


def projects(labels: Sequence[str]) -> list[list[str]]:
    """Four labels each, so that every label is kept once and passed over often."""
    steps = (0, 1, 3, 5)[:LABELS_A_PROJECT]
    return [[labels[(i + step) % len(labels)] for step in steps] for i in range(len(labels))]


def _one(
    scorer: FusedScorer, train: Sequence[File], test: Sequence[File], keep: str, general: Any
) -> Iterator[tuple[str, int, float]]:
    yield "random", 0, float(np.mean([file.shows_T(keep).mean() for file in test]))
    for modality in ("v", "va"):
        yield f"untuned ({modality})", 0, _ap(test, keep, _raw(scorer, modality))
    for spans in NUM_SPANS:
        marks = marks_of_cut(train, keep, spans)
        videos = [
            MarkedVideo(name=f"{number}", features=file.features, marks_T=marks_T)
            for number, (file, marks_T) in enumerate(zip(train, marks, strict=True))
        ]
        started = time.process_time()
        tuned = scorer.with_taste(fit_taste(scorer, videos))
        yield "CPU seconds of learning", spans, time.process_time() - started
        for modality in ("v", "va"):
            yield f"tuned ({modality})", spans, _ap(test, keep, _raw(tuned, modality))
        yield from _logistic_regression(train, marks, test, keep, spans)
        if spans == 10:
            losses = [
                average_precision(positive_T, _raw(tuned, "v")(one), seed=0)
                - average_precision(positive_T, _raw(scorer, "v")(one), seed=0)
                for one, positive_T in general
            ]
            yield "general composites, tuned minus untuned", spans, float(np.mean(losses))


def _logistic_regression(
    train: Sequence[File], marks: Sequence[Any], test: Sequence[File], keep: str, spans: int
) -> Iterator[tuple[str, int, float]]:
    """At the ridge that is best on the test files, which is more than anyone could know."""
    rows = np.concatenate([unit_rows(file.features.visual_TV) for file in train])
    centre = rows.mean(axis=0)
    scale = np.sqrt(((rows - centre) ** 2).sum(axis=1).mean()) / 10
    said = np.concatenate(marks) >= 0
    inputs, labels = ((rows - centre) / scale)[said], np.concatenate(marks)[said] == 1
    plain, smooth = [], []
    for ridge in RIDGES:
        weight = fit_logistic_regression(inputs.astype(np.float64), labels, ridge)

        def score(file: File, weight: Any = weight) -> npt.NDArray[np.floating]:
            scores: npt.NDArray[np.floating] = (
                (unit_rows(file.features.visual_TV) - centre) / scale
            ) @ weight
            return scores

        def smooth_score(file: File, score: Any = score) -> npt.NDArray[np.floating]:
            return smoothed(score(file))

        plain.append(_ap(test, keep, score))
        smooth.append(_ap(test, keep, smooth_score))
    yield "logistic regression (v)", spans, max(plain)
    yield "logistic regression (v), its scores smoothed", spans, max(smooth)


def fit_logistic_regression(
    inputs_NV: npt.NDArray[np.float64], labels_N: npt.NDArray[np.bool_], ridge: float
) -> npt.NDArray[np.float64]:
    """Weights of a class-balanced logistic regression, the intercept left out."""
    shares = np.where(labels_N, 0.5 / max(1, labels_N.sum()), 0.5 / max(1, (~labels_N).sum()))
    signs = np.where(labels_N, 1.0, -1.0)

    def loss(both: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        weight, intercept = both[:-1], both[-1]
        margins = signs * (inputs_NV @ weight + intercept)
        pull = -shares * signs / (1 + np.exp(margins))
        value = (shares * np.logaddexp(0, -margins)).sum() + 0.5 * ridge * weight @ weight
        return value, np.append(inputs_NV.T @ pull + ridge * weight, pull.sum())

    start = np.zeros(inputs_NV.shape[1] + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return np.asarray(found.x[:-1])


def _raw(scorer: FusedScorer, modality: Any) -> Callable[[Any], npt.NDArray[np.floating]]:
    def raw(one: Any) -> npt.NDArray[np.floating]:
        features = one.features if isinstance(one, File) else one
        found = _untuned_scores(scorer, features, modality)
        if scorer.taste is not None:
            found = found + scorer.taste.preferences(features, modality)
        return found

    return raw


_untuned: dict[tuple[int, str], tuple[Any, npt.NDArray[np.floating]]] = {}


def _untuned_scores(scorer: FusedScorer, features: Any, modality: Any) -> npt.NDArray[np.floating]:
    """Scores without taste; every tuned model of a run has the same parent."""
    key = (id(features), modality)
    if key not in _untuned:
        plain = scorer.with_taste(None)
        # The features are kept too, so that no other object gets their id.
        _untuned[key] = (features, plain.raw_scores(features, (modality,))[modality])
    return _untuned[key][1]


def _ap(test: Sequence[File], keep: str, score: Scores) -> float:
    found = [average_precision(file.shows_T(keep), score(file), seed=0) for file in test]
    return float(np.mean(found))
