"""From words to what the networks know: which classes of sound and of picture a query means.

Two ways, both with nothing decoded. *Words*: a class counts where its name shares words with the
query, or with what `SYNONYMS` says of them. *Meaning*: a sentence-embedding model says which names
mean nearly the same (`hlcli.features.sentences`).

Axes: C classes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from hlcli.features.naming import SIGHTS, SOUNDS
from hlcli.features.picture_classes import picture_names
from hlcli.features.sound_classes import event_names
from hlcli.features.types import FloatArray, RowArray

Side: TypeAlias = Literal["sound", "picture"]

SYNONYMS: dict[str, str] = {
    "aeroplane": "airplane aircraft", "ambulance": "siren", "archer": "archery bow",
    "audience": "crowd applause", "ball": "bouncing", "band": "music brass drum",
    "beat": "drum", "bike": "bicycle motorcycle", "birdsong": "bird", "blast": "explosion",
    "boat": "ship motorboat", "bomb": "explosion", "bow": "archery arrow", "bride": "groom",
    "call": "telephone", "chat": "conversation speech", "cheer": "cheering crowd",
    "clap": "applause clapping", "clock": "tick", "cop": "police siren", "cosmetics": "lipstick",
    "cow": "cattle moo", "crowd": "cheering", "cry": "crying sobbing", "dance": "music",
    "drive": "car vehicle", "drummer": "drum", "dunk": "basketball", "engine": "motor vehicle",
    "explode": "explosion", "firework": "fireworks firecracker", "fiddle": "violin",
    "flute": "flute", "footstep": "footsteps", "giggle": "laughter", "goal": "cheering crowd",
    "gun": "gunshot gunfire", "gymnast": "balance beam", "gymnastics": "balance beam",
    "hen": "chicken", "hit": "whack thump", "hooray": "cheering", "hoop": "basketball",
    "infant": "baby", "instrument": "music", "joke": "laughter", "kid": "child",
    "kitten": "cat", "laugh": "laughter", "lightning": "thunder", "lips": "lipstick",
    "lorry": "truck", "makeup": "lipstick", "march": "drum brass", "meow": "cat",
    "motorbike": "motorcycle", "neigh": "horse", "ovation": "applause", "parade": "brass drum",
    "phone": "telephone", "plane": "airplane aircraft", "police": "siren", "puppy": "dog",
    "rooster": "crowing", "sea": "ocean waves", "shoot": "gunshot", "shore": "ocean seashore",
    "shot": "gunshot", "shout": "yell shout", "sing": "singing", "singer": "singing",
    "singing": "singing song", "soccer": "football", "song": "singing", "speak": "speech",
    "steps": "footsteps", "storm": "thunderstorm", "surf": "waves", "talk": "speech",
    "tap": "water", "toddler": "baby", "train": "rail", "typing": "keyboard", "voice": "speech",
    "walk": "footsteps", "weep": "crying", "whinny": "horse", "woof": "bark dog", "yell": "shout",
}  # fmt: skip
"""Words people say, and words of class names that mean the same or go with it."""

_SMALL_WORDS = (
    "a an and are at audio be by clip for from in into is it its moment moments noise noises of "
    "off on or our out people person somebody someone something sound sounds the their there this "
    "to up video when where which who with"
)
_STOP = frozenset(_SMALL_WORDS.split())
_LEAST_OVERLAP = 0.4
_NEAREST = 8
_LEAST_LIKENESS = 0.4
_BEHIND_BEST = 0.15


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that can be looked up in what is stored."""

    side: Side
    """In which of the two."""
    name: str
    """As people call it; several names are separated by commas."""
    columns: tuple[int, ...]
    """The classes it stands for."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a query means, as a weight in [0, 1] for each class."""

    sound_C: FloatArray
    """Of the AudioSet classes, float32."""
    picture_C: FloatArray
    """Of the ImageNet classes, float32."""

    @property
    def is_known(self) -> bool:
        """Whether there is any class to look for."""
        return bool(self.sound_C.any() or self.picture_C.any())

    def in_sound(self, events_TC: RowArray) -> FloatArray:
        """Return how much of each class is meant and heard in each clip, shape `(T, C)`.

        Args:
            events_TC: Probability of each AudioSet class, shape `(T, C)`.
        """
        rows_TC: FloatArray = events_TC.astype(np.float32) * self.sound_C
        return rows_TC

    def in_picture(self, classes_TC: FloatArray) -> FloatArray:
        """Return how much of each class is meant and seen in each clip, shape `(T, C)`.

        Args:
            classes_TC: Probability of each ImageNet class, shape `(T, C)`.
        """
        # What a network without any idea gives each class is no sign of it: 118 dogs add up.
        surprise_TC = np.maximum(classes_TC - np.float32(1 / len(self.picture_C)), 0.0)
        rows_TC: FloatArray = surprise_TC * self.picture_C
        return rows_TC


def sound_relevance(rows_TC: FloatArray) -> FloatArray:
    """Return the relevance of each clip from `Meant.in_sound`: the best class counts."""
    row_T: FloatArray = rows_TC.max(axis=1)
    return row_T


def picture_relevance(rows_TC: FloatArray) -> FloatArray:
    """Return the relevance of each clip from `Meant.in_picture`: a dog is 118 classes, summed."""
    row_T: FloatArray = np.minimum(rows_TC.sum(axis=1), np.float32(1.0))
    return row_T


def concepts() -> list[Concept]:
    """Return every class by itself, and the groups of classes that have a word of their own."""
    sounds, pictures = event_names(), picture_names()
    place = {name: index for index, name in enumerate(sounds)}
    return [
        *(Concept("sound", name, (index,)) for index, name in enumerate(sounds)),
        *(Concept("picture", name, (index,)) for index, name in enumerate(pictures)),
        *(
            Concept("sound", word, tuple(place[name] for name in names))
            for word, (_, names) in SOUNDS.items()
        ),
        *(Concept("picture", word, columns) for word, columns in SIGHTS.items()),
    ]


def meant_by(
    query: str,
    *,
    likeness: Callable[[str, Sequence[str]], FloatArray] | None = None,
    synonyms: bool = True,
) -> Meant:
    """Say which classes a query means.

    Args:
        query: Words.
        likeness: Gives the cosine of a text and each of several names; None compares words only.
        synonyms: Whether words count for what `SYNONYMS` says of them.
    """
    known = concepts()
    weights = np.array([_overlap(query, one.name, synonyms) for one in known], np.float32)
    best = float(weights.max(initial=0.0))
    weights[(weights < _LEAST_OVERLAP) | (weights < 0.6 * best)] = 0.0
    if likeness is not None:
        weights = np.maximum(weights, _from_likeness(likeness(query, [one.name for one in known])))
    columns = {
        "sound": np.zeros(len(event_names()), np.float32),
        "picture": np.zeros(len(picture_names()), np.float32),
    }
    for one, weight in zip(known, weights, strict=True):
        row_C, places = columns[one.side], list(one.columns)
        row_C[places] = np.maximum(row_C[places], weight)
    return Meant(columns["sound"], columns["picture"])


def _from_likeness(likeness: FloatArray) -> FloatArray:
    """Weigh the names that are nearest in meaning; one is as near as the best, 0 is too far."""
    best = float(likeness.max())
    nearest = np.argsort(-likeness, kind="stable")[:_NEAREST]
    weights = np.zeros_like(likeness)
    if best >= _LEAST_LIKENESS:
        behind = (best - likeness[nearest]) / _BEHIND_BEST
        weights[nearest] = np.clip(1.0 - behind, 0.0, 1.0) * min(1.0, best / 0.6)
    return weights


def _overlap(query: str, name: str, synonyms: bool) -> float:
    """Return how much of the words of a query and of a name are the same, in [0, 1]."""
    asked = stems(query)
    if not asked:
        return 0.0
    best = 0.0
    for part in re.split(r"[,()]", name):
        words = stems(part)
        if not words:
            continue
        direct = len(asked & words)
        through = 0
        if synonyms:
            others = [words & _SYNONYM_STEMS.get(word, frozenset()) for word in asked - words]
            through = sum(bool(other) for other in others)
        best = max(best, 2 * (direct + 0.8 * through) / (len(asked) + len(words)))
    return min(1.0, best)


def stems(text: str) -> frozenset[str]:
    """Return the words of a text without endings; small words are left out.

    Example:
        >>> sorted(stems("the dogs are barking"))
        ['bark', 'dog']
    """
    words = re.findall(r"[^\W_]+", text.lower())
    return frozenset(_stem(word) for word in words if word not in _STOP)


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = word.removesuffix(ending)
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word.removesuffix("e") if len(word) > 3 else word


_SYNONYM_STEMS = {_stem(word): stems(others) for word, others in SYNONYMS.items()}
