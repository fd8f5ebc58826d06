"""Finding where a finished film comes from in the footage, as a timeline of that footage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlcli.atomic import check_not_a_source, write_text
from hlcli.clock_text import clock_text
from hlcli.document import VideoRecord
from hlcli.errors import HlError, MediaNotFoundError, NothingFoundError, UsageError
from hlcli.media.discover import MayRead, any_file, find_videos
from hlcli.media.identity import content_identity
from hlcli.media.probe import MediaInfo, probe
from hlcli.progress import Listener
from hlcli.timeline.build import Layout
from hlcli.timeline.edit_list import EditList, Event, Marker, Sound, Source
from hlcli.timeline.formats import check_target, format_of, write_edit
from hlcli.timeline.paths import readable
from hlcli.timeline.timecode import frame_at, has_drop_frame, is_drop_frame, start_frame, timecode
from hlcli.workflows.outputs import output_paths
from hlcli.workflows.replacing import replacing
from hlcli.workflows.score import Pipeline

if TYPE_CHECKING:
    from hlcli.features.types import RowArray
    from hlcli.matching.match import FilmMatch, MatchedShot

NOTHING_FOUND = "name the folder with the raw files that the film was cut from"
_NORMAL_SPEED = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class Conform:
    """A film as a cut of its footage."""

    film: VideoRecord
    """The film."""
    footage: tuple[VideoRecord, ...]
    """The files that it was looked for in."""
    found: FilmMatch
    """Where its shots come from; they name files by their index in `footage`."""
    edit: EditList
    """The same as a timeline: as long as the film, at its rate, with gaps where nothing was
    found."""
    files: tuple[Path, ...] = ()
    """What was written."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values: docs/guides/match.md."""
        rate = self.film.frame_rate
        return {
            "schema": "hl.match/1",
            "film": self.film.to_json(),
            "shots": [self._shot(shot) for shot in self.found.shots],
            "unmatched": [
                {
                    "film_start_frame": one.start,
                    "film_end_frame": one.stop,
                    "film_start_seconds": round(float(one.start / rate), 6),
                    "film_end_seconds": round(float(one.stop / rate), 6),
                }
                for one in self.found.unmatched
            ],
        }

    def _shot(self, shot: MatchedShot) -> dict[str, Any]:
        rate, source = self.film.frame_rate, self.footage[shot.file]
        start, end = (float(at / rate) for at in (shot.film.start, shot.film.stop))
        return {
            "film_start_frame": shot.film.start,
            "film_end_frame": shot.film.stop,
            "film_start_seconds": round(start, 6),
            "film_end_seconds": round(end, 6),
            "path": source.path,
            "sha256_head": source.sha256_head,
            "source_start_seconds": round(shot.source_seconds(start), 6) + 0.0,
            "source_end_seconds": round(shot.source_seconds(end), 6),
            "source_start_timecode": timecode(
                max(0.0, shot.source_seconds(start)),
                frame_rate=source.frame_rate,
                start_timecode=source.start_timecode,
            ),
            "speed": round(shot.speed, 5),
            "picture": [round(side, 3) for side in shot.rect],
            "alike": round(shot.alike, 3),
        }


def match(
    film: str | Path,
    footage: str | Path | Sequence[str | Path],
    outputs: str | Path | Sequence[str | Path] = (),
    *,
    targets: Sequence[str] = (),
    layout: Layout | None = None,
    model: str | None = None,
    device: str = "auto",
    may_read: MayRead = any_file,
    on: Listener | None = None,
) -> Conform:
    """Find the shots of a film in the footage it was cut from, as `hl match` does.

    Args:
        film: The film.
        footage: Files, folders and globs; the film among them is left out.
        outputs: Timelines to write, by their extension; none writes nothing.
        targets: Values of --for.
        layout: How paths are written; the rest follows the film.
        model: The detector whose stored features are searched; None takes the default one.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps", for footage that was not scored yet.
        may_read: Asked before a file is opened.
        on: Told how far it is, and of footage that cannot be used; without one the first raises.

    Raises:
        MediaError: The film or all of the footage cannot be used.
        NothingFoundError: Nothing of the film is in the footage.
        OutputError: An output cannot be written.
        UsageError: An output has an unknown extension, or holds no cut.
        ModelError: There is no such detector.
        DeviceError: The device is missing or out of memory.
    """
    on = on or Listener()
    layout = layout or Layout()
    named = [outputs] if isinstance(outputs, (str, Path)) else outputs
    paths = _timelines(output_paths(list(named), targets), targets, Path(film))
    given = [footage] if isinstance(footage, (str, Path)) else footage
    film_path = may_read(Path(film).expanduser())
    info = probe(film_path)
    identity = content_identity(info.path)
    pipeline = Pipeline(model_name=model, device=device)
    pipeline.check_device()
    infos, identities = _footage([str(one) for one in given], identity, may_read, on)

    # Here, because torch is loaded for it.
    from hlcli.matching.match import match_film

    def rows_of(file: int) -> RowArray | None:
        on.begins(infos[file].path, file + 1, len(infos))
        found: list[RowArray] = []
        with on.one_file(infos[file].path):
            features = pipeline.features(infos[file], identities[file], progress=on.progress)
            found = [features.visual_TV]
        return found[0] if found else None

    found = match_film(info, infos, rows_of, pipeline.encoders.visual, progress=on.progress)
    if not found.shots:
        raise NothingFoundError(
            f"nothing of {readable(info.path.name)} is in the {len(infos)} "
            f"{'file' if len(infos) == 1 else 'files'} of the footage",
            hint=NOTHING_FOUND,
        )
    record = VideoRecord.from_media(info, identity)
    records = tuple(
        VideoRecord.from_media(one, known) for one, known in zip(infos, identities, strict=True)
    )
    conform = Conform(
        film=record,
        footage=records,
        found=found,
        edit=edit_list(record, records, found, path_maps=layout.path_maps),
    )
    return replace(conform, files=_write(conform, paths, targets, may_read, on))


def edit_list(
    film: VideoRecord,
    footage: Sequence[VideoRecord],
    found: FilmMatch,
    *,
    path_maps: tuple[tuple[str, str], ...] = (),
) -> EditList:
    """Lay what was found on a timeline of the film's rate, each shot where the film has it.

    A shot that the film shows faster or slower runs at normal speed here, from the frame it starts
    with; a marker says so. A marker stands beside each gap.
    """
    sources = [Source.from_video(one, path_maps=path_maps) for one in footage]
    events = [
        event
        for shot in found.shots
        if (event := _event(shot, sources[shot.file], film)) is not None
    ]
    for gap in found.unmatched:
        before = [place for place, one in enumerate(events) if one.record.stop <= gap.start]
        place = before[-1] if before else 0
        event = events[place]
        at = event.frames[-1] if before else event.frames.start
        spoken = (
            f"film {clock_text(float(gap.start / film.frame_rate))} to "
            f"{clock_text(float(gap.stop / film.frame_rate))}"
        )
        marker = Marker(
            frames=range(at, at + 1),
            name="not in the footage",
            comment=f"{spoken}, {'after' if before else 'before'} this clip",
            color="RED",
        )
        events[place] = replace(event, markers=(*event.markers, marker))
    drop_frame = is_drop_frame(film.start_timecode, film.frame_rate)
    return EditList(
        name=readable(Path(film.path).stem),
        frame_rate=film.frame_rate,
        events=tuple(events),
        start_frame=start_frame(film.start_timecode, film.frame_rate),
        drop_frame=drop_frame and has_drop_frame(film.frame_rate),
        width=film.width,
        height=film.height,
        sample_rate=film.audio[0].sample_rate if film.audio else 48000,
    )


def _event(shot: MatchedShot, source: Source, film: VideoRecord) -> Event | None:
    rate = film.frame_rate
    start = max(0, frame_at(shot.source_seconds(float(shot.film.start / rate)), source.frame_rate))
    seconds = len(shot.film) / rate
    stop = min(start + max(1, frame_at(seconds, source.frame_rate)), source.num_frames)
    record = shot.film
    if source.frame_rate == rate:
        # What the file lacks at its end, the timeline lacks, too.
        record = range(record.start, record.start + stop - start)
    if start >= stop:
        return None
    markers: tuple[Marker, ...] = ()
    if abs(shot.speed - 1) > _NORMAL_SPEED:
        markers = (
            Marker(
                frames=range(start, start + 1),
                name=f"speed {100 * shot.speed:.1f} %",
                comment="the film shows this shot at that speed",
                color="YELLOW",
            ),
        )
    return Event(
        source=source,
        frames=range(start, stop),
        record=record,
        sound=tuple(Sound(stream, stream) for stream in range(len(source.audio))),
        markers=markers,
    )


def _footage(
    given: Sequence[str], film: str, may_read: MayRead, on: Listener
) -> tuple[list[MediaInfo], list[str]]:
    """Look at the files of the footage; the film itself and copies are left out."""
    infos: list[MediaInfo] = []
    identities: list[str] = []
    for path in find_videos(given, may_read=may_read, on=on):
        with on.one_file(path):
            identity = content_identity(may_read(path))
            if identity == film:
                on.remark(f"{readable(path.name)} is the film itself: it is left out")
            elif identity not in identities:
                infos.append(probe(path))
                identities.append(identity)
    if not infos:
        raise MediaNotFoundError("there is no footage beside the film", hint=NOTHING_FOUND)
    return infos, identities


def _timelines(outputs: Sequence[Path], targets: Sequence[str], film: Path) -> list[Path]:
    """Return the files to write; a folder gets one for each program."""
    paths: list[Path] = []
    for path in outputs:
        if path.is_dir():
            programs = [check_target(name) for name in targets or ["generic"]]
            paths += [path / f"{film.stem}.conform{one.suffix}" for one in programs]
        else:
            paths.append(path)
    for path in paths:
        if path.suffix.lower() != ".json" and format_of(path).kind == "document":
            raise UsageError(
                f"cannot write {path}: it holds scores, and a film that is matched has none",
                hint="write a timeline, or .json for every shot",
            )
    return paths


def _write(
    conform: Conform, paths: Sequence[Path], targets: Sequence[str], may_read: MayRead, on: Listener
) -> tuple[Path, ...]:
    """Write the outputs, and return those that could be."""
    written: list[Path] = []
    names = [check_target(name).name for name in targets]
    sources = [Path(one.path) for one in (conform.film, *conform.footage)]
    for path in paths:
        with on.one_file(path):
            check_not_a_source(path, sources)
            with replacing(path, on):
                if path.suffix.lower() == ".json":
                    write_text(path, json.dumps(conform.to_json(), indent=2) + "\n")
                else:
                    fitting = [one for one in names if one in format_of(path).targets]
                    if format_of(path).holds_media:
                        for source in conform.edit.sources:
                            may_read(Path(source.path))
                    write_edit(path, conform.edit, target=fitting[0] if fitting else None)
            count = len(conform.edit.events)
            on.wrote(path, f"{count} {'shot' if count == 1 else 'shots'}")
            written.append(path)
    return tuple(written)


def films_as_cuts(
    films: Sequence[Path],
    footage: Sequence[str],
    folder: Path,
    *,
    model: str | None,
    device: str,
    may_read: MayRead,
    on: Listener,
) -> list[Path]:
    """Match films and write each as a cut into a folder; returns the cuts.

    Raises:
        NothingFoundError: Nothing of a film is in the footage.
        MediaError: A film cannot be used.
    """
    cuts = []
    for number, film in enumerate(films):
        path = folder / str(number) / f"{film.stem}.otio"
        path.parent.mkdir()
        match(film, footage, path, model=model, device=device, may_read=may_read, on=_Quiet(on))
        cuts.append(path)
    return cuts


class _Quiet(Listener):
    """Passes on what matters to somebody who did not ask for a timeline."""

    def __init__(self, on: Listener) -> None:
        self._on = on

    def begins(self, path: Path, number: int, count: int) -> None:
        self._on.begins(path, number, count)

    def progress(self, stage: str, done: float, total: float) -> None:
        self._on.progress(stage, done, total)

    def remark(self, text: str) -> None:
        self._on.remark(text)

    def warning(self, text: str) -> None:
        self._on.warning(text)

    def problem(self, error: HlError) -> None:
        # One bad file never costs another.
        self._on.warning(error.message)
