"""Jobs on disk: a folder for each, one JSON file in it, written whole or not at all."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shutil
from pathlib import Path

from hlcli.atomic import make_folder, sweep_unfinished, write_text
from hlcli.errors import OutputError
from hlcli.serve.folder import private_folder
from hlcli.serve.job import Job, Unreadable

MAX_FINISHED = 200
"""Most jobs in a final state that are kept."""
MAX_AGE = datetime.timedelta(days=30)
"""How long one is kept."""
SCORES_FILE = "scores.json"
"""The scores documents, in the job's folder."""
OUTPUT_FOLDER = "files"
"""What was written without a place of its own, in the job's folder."""
LOG_FILE = "worker.log"
"""What the worker's libraries said, in the job's folder."""
TEMPORARY_FOLDER = "tmp"
"""Where the worker's libraries put what they forget."""

_JOB_FILE = "job.json"
_ID = re.compile(r"[0-9a-f]{16}")


class JobStore:
    """Keeps jobs.

    Args:
        folder: Where; it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)

    def folder_of(self, job_id: str) -> Path:
        """Return a job's own folder."""
        return self.folder / job_id

    def save(self, job: Job) -> None:
        """Write a job in place of what was there.

        Raises:
            OutputError: The disk is full or cannot be written.
        """
        folder = self.folder_of(job.id)
        make_folder(folder, hint="set HL_CACHE_DIR to a folder you may write to")
        write_text(folder / _JOB_FILE, json.dumps(job.to_json(), indent=1) + "\n")

    def load(self) -> tuple[list[Job], list[Unreadable]]:
        """Return all jobs, the oldest first, and the folders whose job cannot be read.

        What a service that died left half-written is removed, and the empty folder of a job that
        was never confirmed to the client. Nothing else is: a job may be of a newer version, and
        a disk may answer again.

        Raises:
            OutputError: The folder of all jobs cannot be read.
        """
        try:
            folders = sorted(self.folder.iterdir())
        except OSError as error:
            raise OutputError(
                f"cannot read {self.folder}: {error.strerror or error}",
                hint="set HL_CACHE_DIR to a folder you may read and write",
            ) from error
        jobs: list[Job] = []
        unreadable: list[Unreadable] = []
        for folder in folders:
            sweep_unfinished(folder)
            try:
                job = Job.from_json(json.loads((folder / _JOB_FILE).read_bytes()))
                if job.id != folder.name or not _ID.fullmatch(job.id):
                    raise ValueError(f"it is of the job {job.id!r}")
            except FileNotFoundError:
                try:
                    folder.rmdir()
                except OSError:
                    unreadable.append(Unreadable(folder=folder, why=f"it has no {_JOB_FILE}"))
            except OSError as error:
                unreadable.append(Unreadable(folder=folder, why=error.strerror or str(error)))
            except (ValueError, TypeError, RecursionError) as error:
                unreadable.append(Unreadable(folder=folder, why=f"{_JOB_FILE}: {error}"))
            else:
                self.tidy(job)
                jobs.append(job)
        return sorted(jobs, key=lambda job: (job.created, job.id)), unreadable

    def tidy(self, job: Job) -> None:
        """Remove what a worker that was killed left behind."""
        folder = self.folder_of(job.id)
        _remove(folder / TEMPORARY_FOLDER)
        places = {folder, folder / OUTPUT_FOLDER, *(Path(output).parent for output in job.outputs)}
        for place in places:
            sweep_unfinished(place)

    def prune(self, jobs: list[Job], *, now: datetime.datetime) -> list[Job]:
        """Remove the folders of jobs that finished long ago, and return those jobs.

        Args:
            jobs: All jobs.
            now: The time, with its zone.
        """
        finished = sorted(
            (job for job in jobs if job.is_final), key=lambda job: job.finished or "", reverse=True
        )
        oldest = (now - MAX_AGE).isoformat()
        gone = [
            job
            for number, job in enumerate(finished)
            if number >= MAX_FINISHED or (job.finished or "") < oldest
        ]
        for job in gone:
            _remove(self.folder_of(job.id))
        return gone


def _remove(path: Path) -> None:
    # What cannot be removed today, on Windows because it is open, is removed at the next start.
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
