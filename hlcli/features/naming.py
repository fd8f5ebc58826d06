"""What can be heard and seen, in words an editor uses, and which pictures of a video are alike.

Axes: T clips, V visual feature size, C classes, G groups of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hlcli.features.types import FloatArray, RowArray

SOUNDS: dict[str, tuple[float, tuple[str, ...]]] = {
    "cheering": (0.2, ("Cheering", "Whoop")),
    "applause": (0.2, ("Applause", "Clapping")),
    "laughter": (
        0.2,
        ("Laughter", "Baby laughter", "Giggle", "Snicker", "Belly laugh", "Chuckle, chortle"),
    ),
    "screaming": (0.25, ("Screaming",)),
    "shouting": (0.25, ("Shout", "Bellow", "Yell", "Children shouting")),
    "crying": (0.3, ("Crying, sobbing", "Baby cry, infant cry", "Whimper", "Wail, moan")),
    "crowd": (0.25, ("Crowd", "Chatter", "Hubbub, speech noise, speech babble")),
    "children playing": (0.3, ("Children playing",)),
    "singing": (
        0.3,
        ("Singing", "Choir", "Chant", "Child singing", "Rapping"),
    ),
    "speech": (
        0.4,
        ("Speech", "Child speech, kid speaking", "Conversation", "Narration, monologue"),
    ),
    "whispering": (0.3, ("Whispering",)),
    "music": (0.4, ("Music", "Musical instrument")),
    "drums": (
        0.3,
        ("Drum", "Drum kit", "Snare drum", "Bass drum", "Drum roll", "Timpani", "Cymbal"),
    ),
    "whistle": (0.25, ("Whistle", "Whistling")),
    "bang": (
        0.4,
        (
            "Explosion", "Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire",
            "Cap gun", "Firecracker", "Fireworks", "Boom", "Bang", "Burst, pop", "Eruption",
        ),
    ),
    "thunder": (0.3, ("Thunder", "Thunderstorm")),
    "crash": (0.3, ("Smash, crash", "Shatter", "Breaking")),
    "thump": (0.3, ("Thump, thud", "Whack, thwack", "Slap, smack", "Slam")),
    "siren": (
        0.3,
        (
            "Siren", "Civil defense siren", "Police car (siren)", "Ambulance (siren)",
            "Fire engine, fire truck (siren)",
        ),
    ),
    "bell": (0.3, ("Bell", "Church bell", "Bicycle bell", "Jingle bell")),
    "horn": (
        0.3,
        (
            "Vehicle horn, car horn, honking", "Toot", "Air horn, truck horn", "Train horn",
            "Train whistle", "Foghorn",
        ),
    ),
    "tyres squealing": (0.3, ("Tire squeal", "Skidding")),
    "engine": (
        0.45,
        (
            "Car", "Race car, auto racing", "Car passing by", "Truck", "Motorcycle", "Engine",
            "Motor vehicle (road)", "Accelerating, revving, vroom", "Engine starting",
            "Heavy engine (low frequency)", "Medium engine (mid frequency)",
            "Motorboat, speedboat",
        ),
    ),
    "aircraft": (
        0.5,
        ("Aircraft", "Helicopter", "Fixed-wing aircraft, airplane", "Jet engine"),
    ),
    "train": (0.5, ("Train", "Rail transport", "Railroad car, train wagon")),
    "splashing": (0.3, ("Splash, splatter", "Slosh")),
    "waves": (0.3, ("Ocean", "Waves, surf")),
    "running water": (0.4, ("Stream", "Waterfall", "Water", "Gurgling")),
    "rain": (0.35, ("Rain", "Raindrop", "Rain on surface")),
    "fire crackling": (0.3, ("Fire", "Crackle")),
    "dog": (0.3, ("Dog", "Bark", "Bow-wow", "Yip", "Howl", "Growling", "Whimper (dog)")),
    "cat": (0.3, ("Cat", "Meow", "Purr", "Caterwaul")),
    "horse": (0.3, ("Horse", "Neigh, whinny", "Clip-clop")),
    "farm animals": (
        0.35,
        (
            "Cattle, bovinae", "Moo", "Sheep", "Goat", "Bleat", "Pig", "Oink",
            "Chicken, rooster", "Cluck", "Crowing, cock-a-doodle-doo", "Duck", "Goose",
        ),
    ),
    "birdsong": (
        0.3,
        ("Bird", "Bird vocalization, bird call, bird song", "Chirp, tweet", "Squawk", "Caw"),
    ),
    "ball bouncing": (0.3, ("Basketball bounce", "Bouncing")),
    "footsteps": (0.3, ("Walk, footsteps", "Run")),
    "phone": (0.3, ("Telephone", "Telephone bell ringing", "Ringtone")),
    "alarm": (0.3, ("Alarm", "Alarm clock", "Smoke detector, smoke alarm", "Fire alarm")),
}  # fmt: skip
"""The AudioSet classes behind each word, and the least probability of the likeliest one at which it
is heard. Classes that tell an editor nothing (room tone, hum, mechanisms) are left out."""

SIGHTS: dict[str, tuple[int, ...]] = {
    "a dog": tuple(range(151, 269)),
    "a cat": tuple(range(281, 286)),
    "a bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "a horse": (339, 603),
    "cattle or sheep": (345, 348, 349),
    "an elephant": (385, 386),
    "fish": (0, 1, 2, 3, 4, 5, 6, *range(389, 398)),
    "a whale": (147, 148),
    "a beach": (977, 978),
    "a lake": (975,),
    "mountains": (970, 979, 980),
    "a cliff": (972, 976),
    "a coral reef": (973,),
    "a diver": (983,),
    "a boat": (472, 484, 554, 576, 625, 814, 871, 914),
    "an aeroplane": (404, 895),
    "a parachute": (701,),
    "a balloon": (417,),
    "a train": (466, 547, 565, 705, 820, 829),
    "a racing car": (751, 817),
    "a motorbike": (665, 670),
    "a bicycle": (444, 671),
    "skiing": (795,),
    "a sledge": (450, 537, 802),
    "gymnastics": (416, 602, 702),
    "weightlifting": (422, 543),
    "archery": (456,),
    "basketball": (430,),
    "football": (805,),
    "volleyball": (890,),
    "tennis": (752, 852),
    "golf": (574,),
    "baseball": (429, 981),
    "rugby": (768,),
    "a stage": (819,),
    "a guitar": (402, 546),
    "a violin": (889,),
    "drums": (541,),
    "a brass band": (513, 566, 776, 875),
    "a piano": (579, 881),
    "a bride or groom": (982,),
    "a church": (497, 663, 668),
    "a fountain": (562,),
    "a castle": (483, 698),
    "food": (*range(923, 937), *range(959, 966)),
}
"""The ImageNet classes behind each word, by their usual numbers. Few, and only such as the network
is right about when it is sure: most of its classes are things that no film is about."""
_SURE = 0.6
_BROAD = {"a dog": 0.9, "a bird": 0.9, "fish": 0.9, "food": 0.9}
"""Words of many classes: a little doubt in each adds up."""
_ROWS_AT_ONCE = 4096
_FEWEST_SIGHT_CLIPS = 2
_LONGEST_PAUSE_CLIPS = 1
_ALIKE = 0.75
"""Cosine between two pictures' features from which they show the same thing."""
_MOST_GROUPS = 300


@dataclass(frozen=True, slots=True)
class Named:
    """A stretch of clips in which something can be heard or seen."""

    name: str
    """A key of `SOUNDS` or `SIGHTS`."""
    first_clip: int
    """First clip, from 0."""
    last_clip: int
    """Last clip, itself included."""
    score: float
    """Highest probability inside, in [0, 1]."""


def named_sounds(events_TC: RowArray, class_names: Sequence[str]) -> Iterator[Named]:
    """Yield what can be heard, word by word, each in time order.

    Args:
        events_TC: Probability of each AudioSet class, shape `(T, C)`.
        class_names: Names of the C classes; words none of whose classes is among them are never
            heard.
    """
    column = {name: index for index, name in enumerate(class_names)}
    for word, (least, classes) in SOUNDS.items():
        columns = [column[name] for name in classes if name in column]
        if columns:
            yield from _stretches(word, events_TC[:, columns].max(axis=1), least)


def named_sights(
    visual_TV: RowArray, classify: Callable[[RowArray], FloatArray]
) -> Iterator[Named]:
    """Yield what can be seen, word by word, each in time order; only what is sure.

    Args:
        visual_TV: Image embedding of each clip, shape `(T, V)`.
        classify: Gives the probability of each ImageNet class of embeddings `(N, V)`, shape
            `(N, 1000)`.
    """
    likely: dict[str, list[npt.NDArray[np.floating[Any]]]] = {word: [] for word in SIGHTS}
    for start in range(0, len(visual_TV), _ROWS_AT_ONCE):
        probability_NC = classify(visual_TV[start : start + _ROWS_AT_ONCE])
        for word, classes in SIGHTS.items():
            likely[word].append(probability_NC[:, list(classes)].sum(axis=1))
    for word, parts in likely.items():
        for named in _stretches(word, np.concatenate(parts), _BROAD.get(word, _SURE)):
            if named.last_clip - named.first_clip >= _FEWEST_SIGHT_CLIPS - 1:
                yield named


def _stretches(word: str, probability_T: RowArray, least: float) -> Iterator[Named]:
    present = np.flatnonzero(probability_T >= least)
    breaks = np.flatnonzero(np.diff(present) > _LONGEST_PAUSE_CLIPS + 1) + 1
    for run in np.split(present, breaks) if len(present) else ():
        first, last = int(run[0]), int(run[-1])
        highest = min(1.0, float(probability_T[first : last + 1].max()))
        yield Named(word, first, last, highest)


def look_groups(visual_TV: RowArray) -> npt.NDArray[np.int64]:
    """Put the clips of a video into groups of pictures that look alike.

    Each clip joins the group whose mean points most nearly the same way, or, where none does so
    nearly enough, begins a group of its own: one pass in time order, the same every time.

    Args:
        visual_TV: Image embedding of each clip, shape `(T, V)`.

    Returns:
        Group of each clip, numbered from 0 in order of appearance, shape `(T,)`.
    """
    num_clips, size = visual_TV.shape
    groups_T = np.zeros(num_clips, dtype=np.int64)
    sums_GV = np.zeros((0, size), dtype=np.float32)
    means_GV = sums_GV
    for clip in range(num_clips):
        row = visual_TV[clip].astype(np.float32)
        row /= max(float(np.linalg.norm(row)), 1e-9)
        likeness_G = means_GV @ row
        best = int(likeness_G.argmax()) if len(likeness_G) else -1
        if best < 0 or (likeness_G[best] < _ALIKE and len(likeness_G) < _MOST_GROUPS):
            best = len(sums_GV)
            sums_GV = np.vstack([sums_GV, row])
            means_GV = np.vstack([means_GV, row])
        else:
            sums_GV[best] += row
            means_GV[best] = sums_GV[best] / max(float(np.linalg.norm(sums_GV[best])), 1e-9)
        groups_T[clip] = best
    return groups_T
