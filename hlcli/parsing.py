"""Lengths of time, rates and sizes, as people write them."""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction

from hlcli.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_PART = re.compile(rf"\s*({_NUMBER})\s*(h|min|m|sec|s|ms)(?![a-z])", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d{1,2}(?:\.\d+)?)", re.ASCII)
# Not "1e9": a power of ten can be longer than the memory.
_RATE = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,9}/\d{1,9}", re.ASCII)
_HEIGHTS = re.compile(r"(\d{3,4})p")
_LARGEST = 16384


def parse_duration(text: str, *, option: str) -> float:
    """Turn a length of time as people write it into seconds.

    Args:
        text: `90s`, `1m30s`, `1.5min`, `500ms`, `1:30`, `0:01:30`, or a bare number of seconds.
        option: The option it came with, for the error.

    Raises:
        UsageError: It is none of these.

    Example:
        >>> [parse_duration(text, option="--handles") for text in ("1m30s", "1:30", "500ms")]
        [90.0, 90.0, 0.5]
    """
    plain = text.strip().lower()
    if re.fullmatch(_NUMBER, plain, re.ASCII):
        return float(plain)
    clock = _CLOCK.fullmatch(plain)
    if clock and float(clock[3]) < 60 and not (clock[1] and int(clock[2]) >= 60):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    seconds, position, smallest = 0.0, 0, float("inf")
    # Units go from large to small, each once: 1h2m3s, not 3s1h.
    while match := _PART.match(plain, position):
        unit = _UNITS[match[2]]
        if unit >= smallest:
            break
        seconds += float(match[1]) * unit
        position, smallest = match.end(), unit
    if not plain or position != len(plain):
        raise UsageError(
            f"{option}: {text!r} is not a duration",
            hint="write it as 90s, 1m30s, 1:30, 1.5min or 500ms",
        )
    return seconds


def parse_stretch(text: str, *, option: str) -> tuple[str | None, float, float]:
    """Turn a stretch of a video as people write it into a name and seconds.

    Args:
        text: `12:30-12:40`, `90s-1m40s`, or with the name of its video `match.mp4:12:30-12:40`.
        option: The option it came with, for the error.

    Returns:
        Name, None without one, start and end.

    Raises:
        UsageError: It is none of these.

    Example:
        >>> parse_stretch("a-b.mp4:1:30-1:40", option="--pin")
        ('a-b.mp4', 90.0, 100.0)
    """
    before, _, last = text.rpartition("-")
    # The longest text that is a time: a name may hold colons and numbers too.
    places = [-1, *(index for index, letter in enumerate(before) if letter == ":")]
    for place in places:
        with contextlib.suppress(UsageError):
            start = parse_duration(before[place + 1 :], option=option)
            end = parse_duration(last, option=option)
            name = before[:place] if place > 0 else None
            return name, start, end
    raise UsageError(
        f"{option}: {text!r} is not a stretch of a video",
        hint="write where it starts and ends, 12:30-12:40, after the name of its video where there "
        "are several: match.mp4:12:30-12:40",
    )


def parse_frame_rate(text: str, *, option: str = "--frame-rate") -> Fraction:
    """Turn a rate as people write it into the exact one.

    Args:
        text: `25`, `30000/1001`, or a rounded `23.976`, `29.97`, `59.94`.
        option: The option it came with, for the error.

    Raises:
        UsageError: It is no rate an editor has.

    Example:
        >>> parse_frame_rate("29.97")
        Fraction(30000, 1001)
    """
    from hlcli.media.rates import STANDARD_RATES, snap_rate

    plain = text.strip()
    try:
        rate = Fraction(plain) if _RATE.fullmatch(plain) else Fraction(0)
        exact = snap_rate(rate) if rate > 0 else None
    except ZeroDivisionError:
        exact = None
    if exact is None:
        raise UsageError(
            f"{option}: {text!r} is no rate a timeline can have",
            hint="use one of "
            + ", ".join(f"{float(rate):.6g}" for rate in STANDARD_RATES if rate >= 20),
        )
    return exact


def parse_size(
    text: str | None, *, vertical: bool, option: str = "--size"
) -> tuple[int, int] | None:
    """Turn the size of a picture as people write it into pixels.

    Args:
        text: "1280x720", or "720p" for 16:9, or for 9:16 when upright; None is none.
        vertical: Whether the picture is upright.
        option: The option it came with, for the error.

    Returns:
        Width and height in pixels; None when none is given.

    Raises:
        UsageError: It is no size, or one of odd numbers, which 4:2:0 cannot have.
    """
    if text is None:
        return None
    short = _HEIGHTS.fullmatch(text.strip().lower())
    parts = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if short:
        side = int(short[1])
        long_side = round(Fraction(side * 16, 9) / 2) * 2
        width, height = (side, long_side) if vertical else (long_side, side)
    elif parts:
        width, height = int(parts[1]), int(parts[2])
    else:
        raise UsageError(f"{option}: {text!r} is no size", hint="write 1280x720, 1080p or 720p")
    if width % 2 or height % 2 or not (16 <= width <= _LARGEST and 16 <= height <= _LARGEST):
        raise UsageError(
            f"{option}: {text} cannot be encoded",
            hint=f"both numbers must be even and from 16 to {_LARGEST}",
        )
    return width, height
