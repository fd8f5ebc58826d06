"""Kills a run of worker processes at random points, and looks at what is left: scripts/prove-kills.

Each round starts the same run over the same store and kills the parent or a worker by SIGKILL after
a random time. A last run goes to its end. Then every video must have the bytes of a plain run, none
may have been decoded more often than it was killed in the middle of, plus once, and no process and
no unfinished file may be left.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from media_factory import AudioTrack, click_track, make_video, moving_square  # noqa: E402

DRIVER = """
import json, sys
from pathlib import Path
from hlcli.document import write_documents
from hlcli.media.discover import find_videos
from hlcli.progress import Listener
from hlcli.workflows.jobs import JobSettings
from hlcli.workflows.score import Pipeline, score_videos

folder, log, output, jobs = sys.argv[1:]


class Log(Listener):
    seen = set()

    def batch(self, progress):
        if not progress.elapsed_seconds:
            return
        running = set(progress.running.items())
        with open(log, "a") as stream:
            for pid, path in running - self.seen:
                stream.write(json.dumps(["begins", pid, path.name]) + "\\n")
            for pid, path in self.seen - running:
                stream.write(json.dumps(["ends", pid, path.name]) + "\\n")
        self.seen = running


settings = JobSettings(num_jobs=int(jobs)) if int(jobs) else None
files = find_videos([folder])
documents = list(score_videos(Pipeline(), files, jobs=settings, on=Log()))
write_documents(Path(output), documents)
"""


def make_clips(folder: Path, count: int) -> None:
    """Write short videos with sound, all different."""
    folder.mkdir(parents=True)
    for number in range(count):
        seconds = 2 + number % 4
        make_video(
            folder,
            name=f"clip{number:04d}.mp4",
            num_frames=30 * seconds,
            first_number=(17 * number) % 3900,
            paint=moving_square,
            audio=(AudioTrack(click_track(seconds, (0.3 + number % 2,))),),
        )


def workers_of(pid: int) -> list[int]:
    """Return the child processes of a process; none where it is gone."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def is_alive(pid: int) -> bool:
    """Whether a process runs; what waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def prove(folder: Path, *, clips: int, kills: int, jobs: int, seed: int) -> dict[str, int]:
    """Do it all in an empty folder; returns what was counted.

    Raises:
        AssertionError: Something was lost, done twice or left behind.
    """
    chance = random.Random(seed)
    media, log, output = folder / "media", folder / "log", folder / "out.json"
    make_clips(media, clips)
    cache = folder / "cache"
    environment = os.environ | {"HL_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", DRIVER, str(media), str(log), str(output), str(jobs)]

    plain = folder / "plain.json"
    subprocess.run(
        [*command[:-3], str(folder / "plain.log"), str(plain), "0"],
        env=environment | {"HL_CACHE_DIR": str(folder / "plain-cache")},
        cwd=ROOT,
        check=True,
    )
    interrupted: Counter[str] = Counter()
    killed = Counter[str]()
    log.touch()
    for _ in range(kills):
        before = len(log.read_text().splitlines())
        process = subprocess.Popen(command, env=environment, cwd=ROOT)
        # Counted from the first file, so that kills fall into the work and not into start-up only.
        deadline = time.monotonic() + 60
        while len(log.read_text().splitlines()) == before and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 3))
        workers = workers_of(process.pid)
        what = chance.choice(["parent", "worker"])
        running = _running(log, before)
        victim = process.pid if what == "parent" or not workers else chance.choice(workers)
        if process.poll() is None:
            os.kill(victim, signal.SIGKILL)
            killed[what] += 1
            hit = running.values() if victim == process.pid else [running.get(victim)]
            interrupted.update(name for name in hit if name)
        if what == "worker":
            time.sleep(chance.uniform(0, 1))
            interrupted.update(_running(log, before).values())
            process.kill()
        process.wait()
        deadline = time.monotonic() + 30
        while any(map(is_alive, workers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_alive, workers)), "a worker outlives its parent"
    subprocess.run(command, env=environment, cwd=ROOT, check=True)
    assert output.read_bytes() == plain.read_bytes(), "other bytes than those of a plain run"
    begun = Counter(
        name
        for event, _, name in map(json.loads, log.read_text().splitlines())
        if event == "begins"
    )
    twice = {name: n for name, n in begun.items() if n > interrupted[name] + 1}
    assert not twice, f"decoded too often: {twice}, interrupted {interrupted}"
    assert len(begun) == clips
    litter = [path for path in folder.rglob("*.part") if not path.is_relative_to(media)]
    assert not litter, f"left behind: {litter}"
    return {
        "clips": clips,
        "parents killed": killed["parent"],
        "workers killed": killed["worker"],
        "files interrupted": sum(interrupted.values()),
        "files begun": sum(begun.values()),
    }


POISON_SECONDS = 60


def prove_ray(folder: Path, *, clips: int, seed: int) -> dict[str, int]:
    """Kill a worker and a node of a cluster in the middle of a run, in an empty folder.

    Raises:
        AssertionError: Something was lost or differs.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray has no types that could be checked, and need not be there.
    cluster_utils = importlib.import_module("ray.cluster_utils")
    media, cache = folder / "media", folder / "cache"
    make_clips(media, clips)
    good = sorted(map(str, media.iterdir()))
    for number in range(2):
        make_video(
            media,
            name=f"poison{number}.mp4",
            num_frames=30 * POISON_SECONDS,
            first_number=number,
            paint=moving_square,
        )
    # To be found by whatever Python the nodes start.
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    hl = [sys.executable, "-m", "hlcli", "score", "--quiet"]
    plain = [folder / "plain.json", folder / "plain.parquet"]
    subprocess.run(
        [*hl, *good, "-o", str(plain[0]), "-o", str(plain[1])],
        env=environment | {"HL_CACHE_DIR": str(folder / "plain-cache")},
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    cluster = cluster_utils.Cluster()
    try:
        nodes = [
            cluster.add_node(
                num_cpus=1,
                object_store_memory=100_000_000,
                include_dashboard=False,
                env_vars={"PYTHONPATH": str(ROOT)},
            )
            for _ in range(3)
        ]
        raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
        found = [folder / "ray.json", folder / "ray.parquet"]
        outputs = ["-o", str(found[0]), "-o", str(found[1])]
        with _poisonous(raylets) as num_poisoned:
            process = subprocess.Popen(
                [*hl, str(media), *outputs, "--engine", cluster.address],
                env=environment | {"HL_CACHE_DIR": str(cache)},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                _until_stored(cache, clips // 4, process)
                chance = random.Random(seed)
                workers = [pid for raylet in raylets for pid in _below(raylet) if _scores(pid)]
                victim = chance.choice(workers)
                os.kill(chance.choice([victim, _parent_of(victim)]), signal.SIGKILL)
                _until_stored(cache, clips // 2, process)
                cluster.remove_node(nodes[2], allow_graceful=False)
                _, errors = process.communicate(timeout=1800)
            finally:
                process.kill()
        assert process.returncode == 3, errors
        for number in range(2):
            assert f"poison{number}.mp4 is set aside: it was tried 3 times" in errors, errors
        for one, other in zip(found, plain, strict=True):
            assert one.read_bytes() == other.read_bytes(), f"{one.name} has other bytes"
        stored = list((cache / "scores").glob("*.json"))
        assert len(stored) == clips, f"{len(stored)} documents in the store"
        left = [pid for raylet in raylets[:2] for pid in _below(raylet) if _scores(pid)]
        deadline = time.monotonic() + 30
        while any(map(is_alive, left)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not any(map(is_alive, left)), "a worker outlives the run"
        return {"clips": clips, "poison files": 2, "poisoned": len(num_poisoned)}
    finally:
        cluster.shutdown()


@contextlib.contextmanager
def _poisonous(raylets: list[int]) -> Iterator[list[int]]:
    """Crash every worker below some processes that has a poison file open; yields which."""
    killed: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            for pid in [one for raylet in raylets for one in _below(raylet)]:
                with contextlib.suppress(OSError):
                    names = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
                    if any("/poison" in name for name in names) and pid not in killed:
                        os.kill(pid, signal.SIGSEGV)
                        killed.append(pid)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def _below(pid: int) -> Iterator[int]:
    for child in workers_of(pid):
        yield child
        yield from _below(child)


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def _scores(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"job_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _until_stored(cache: Path, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 1800
    while len(list((cache / "scores").glob("*.json"))) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running(log: Path, since: int) -> dict[int, str]:
    running: dict[int, str] = {}
    for line in log.read_text().splitlines()[since:]:
        event, pid, name = json.loads(line)
        if event == "begins":
            running[pid] = name
        elif running.get(pid) == name:
            del running[pid]
    return running


def main() -> None:
    """Prove it as often as asked, and say what was counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ray", action="store_true", help="kill workers and a node of Ray")
    parser.add_argument("--clips", type=int, help="200; 60 with --ray")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hl-kills-") as folder:
        if options.ray:
            counts = prove_ray(Path(folder), clips=options.clips or 60, seed=options.seed)
        else:
            counts = prove(
                Path(folder),
                clips=options.clips or 200,
                kills=options.kills,
                jobs=options.jobs,
                seed=options.seed,
            )
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
