"""Simulates the scoring of 100,000 files by many workers: lengths, stragglers, poison, lost nodes.

Computed, not measured: what goes in besides the speed of a core is made up, and printed. The rules
are those of `hl score --jobs` and `--shard`: longest first, a file that ended its worker comes
again after all others and is given up at the third time, a lost node's files come again, and what
is stored is never done twice.
"""

from __future__ import annotations

import argparse
import bisect
import heapq
import random
from dataclasses import dataclass

CORES_A_NODE = 16
POISON = 0.01
STRAGGLERS = 0.02
STRAGGLER_SPEED = 0.5
HOURS_BETWEEN_LOSSES = 200.0
REPAIR_SECONDS = 600.0
ATTEMPTS = 3
START_SECONDS = 5.0
SPLIT_SECONDS = 1200.0


@dataclass
class Outcome:
    """What a simulated run came to."""

    hours: float
    busy: float
    attempts: int
    set_aside: int
    losses: int


def lengths(count: int, rng: random.Random) -> list[float]:
    """Return lengths in seconds: half below 3 minutes, a long tail that ends at 4 hours."""
    return [min(14_400.0, max(2.0, rng.lognormvariate(5.2, 1.3))) for _ in range(count)]


def split(files: list[float]) -> list[float]:
    """Return the lengths of parts, each at most so long; joining them is taken to cost nothing."""
    return [
        part
        for length in files
        for part in [SPLIT_SECONDS] * int(length // SPLIT_SECONDS) + [length % SPLIT_SECONDS]
        if part
    ]


def run(
    files: list[float], nodes: int, speed: float, rng: random.Random, *, longest_first: bool = True
) -> Outcome:
    """Let the workers of some nodes, one for each core, score all files.

    Args:
        files: Seconds of video.
        nodes: Machines.
        speed: Seconds of video that a core scores in a second.
        rng: Chance.
        longest_first: Whether the longest is begun first, else in the order given.
    """
    order = sorted(files, reverse=True) if longest_first else list(files)
    poisoned = {file for file in range(len(order)) if rng.random() < POISON}
    queue = list(range(len(order)))[::-1]
    later: list[int] = []
    tries = [0] * len(order)
    workers = nodes * CORES_A_NODE
    speeds = [
        speed * (STRAGGLER_SPEED if rng.random() < STRAGGLERS else 1.0) for _ in range(workers)
    ]
    lost = [_losses(rng) for _ in range(nodes)]
    free = [(START_SECONDS, worker) for worker in range(workers)]
    heapq.heapify(free)
    busy, attempts, set_aside, end = 0.0, 0, 0, 0.0
    while queue or later:
        if not queue:
            queue, later = later[::-1], []
        now, worker = heapq.heappop(free)
        times = lost[worker // CORES_A_NODE]
        place = bisect.bisect_right(times, now)
        if place and now < times[place - 1] + REPAIR_SECONDS:
            heapq.heappush(free, (times[place - 1] + REPAIR_SECONDS + START_SECONDS, worker))
            continue
        file = queue.pop()
        attempts += 1
        takes = order[file] / speeds[worker]
        if file in poisoned:
            takes *= rng.random()
        if now + takes > times[place]:
            # The node is gone and comes back; what it was at comes again.
            busy += times[place] - now
            later.append(file)
            heapq.heappush(free, (times[place], worker))
            continue
        busy += takes
        end = max(end, now + takes)
        if file in poisoned:
            tries[file] += 1
            if tries[file] < ATTEMPTS:
                later.append(file)
            else:
                set_aside += 1
            takes += START_SECONDS  # for the next worker process
        heapq.heappush(free, (now + takes, worker))
    losses = sum(bisect.bisect_right(times, end) for times in lost)
    return Outcome(end / 3600, busy / (end * workers), attempts, set_aside, losses)


def _losses(rng: random.Random) -> list[float]:
    """Return when a node is lost, ascending, in seconds, far beyond any run."""
    mean, at, times = 3600 * HOURS_BETWEEN_LOSSES, 0.0, list[float]()
    while at < 100 * mean:
        at += rng.expovariate(1 / mean)
        times.append(at)
    return times


def sharded(files: list[float], nodes: int, speed: float, rng: random.Random) -> Outcome:
    """Let each node score its own part, as `--shard` does, without help from the others."""
    parts: list[list[float]] = [[] for _ in range(nodes)]
    for length in files:
        parts[rng.randrange(nodes)].append(length)
    outcomes = [run(part, 1, speed, rng) for part in parts]
    hours = max(outcome.hours for outcome in outcomes)
    return Outcome(
        hours,
        sum(outcome.busy * outcome.hours for outcome in outcomes) / (hours * nodes),
        sum(outcome.attempts for outcome in outcomes),
        sum(outcome.set_aside for outcome in outcomes),
        sum(outcome.losses for outcome in outcomes),
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--speed", type=float, default=6.9, help="video seconds a core second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = lengths(options.files, random.Random(options.seed))
    total = sum(files) / 3600
    print(f"{options.files} files, {total:.0f} h, the longest {max(files) / 3600:.1f} h;")
    print(f"a core scores {options.speed:g} s of video in a second; {CORES_A_NODE} cores a node\n")
    print("| nodes | how | hours | cores busy | attempts | set aside | nodes lost |")
    print("| --: | --- | --: | --: | --: | --: | --: |")
    for nodes in (1, 8, 64, 256):
        for name in ("longest first", "as listed", "--shard", "parts of 20 min"):
            rng = random.Random(options.seed)
            if name == "--shard":
                found = sharded(files, nodes, options.speed, rng)
            else:
                work = split(files) if name == "parts of 20 min" else files
                is_sorted = name != "as listed"
                found = run(work, nodes, options.speed, rng, longest_first=is_sorted)
            print(
                f"| {nodes} | {name} | {found.hours:.2f} | {100 * found.busy:.1f} % "
                f"| {found.attempts} | {found.set_aside} | {found.losses} |"
            )


if __name__ == "__main__":
    main()
