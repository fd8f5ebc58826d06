"""Renders an edit list to one film: exact pictures, exact sound.

The pictures are decoded here, each stretch from the keyframe before it through one open file a
source, brought to one size and handed to ONE ffmpeg process that encodes from the first to the
last; the sound is put together sample by sample in a temporary file that the same process reads.
Other ways were weighed and left:

* one filter graph with an input for each cut: hundreds of open files and decoders, and what
  programs that export so die of;
* a file for each cut, joined afterwards: seams of B-frames and of sound priming, one start of
  ffmpeg and one reading of an hours-long index for every cut;
* `ffmpeg -ss`: a transport stream is found again only roughly, and a source without a clock not at
  all; what the decoder gives is then off by frames that nobody counted.

So a frame is chosen by the time it carries when it comes out of the decoder, by the same rule that
scored it; no cut is a seam for the encoder; and memory and open files do not grow with the number
of cuts.
"""

from __future__ import annotations

import math
import shlex
from fractions import Fraction
from pathlib import Path

from hlcli.atomic import check_folder, check_not_a_source
from hlcli.errors import OutputError, UsageError
from hlcli.media.canvas import Colour
from hlcli.media.ffmpeg import find_ffmpeg
from hlcli.media.shown import ShownFrames
from hlcli.media.stereo import probe_sound
from hlcli.progress import Progress, silent
from hlcli.rendering.captions import CaptionPainter, lettering_for
from hlcli.rendering.encode import EncoderProcess, encode_command
from hlcli.rendering.encoders import choose_encoder
from hlcli.rendering.media import MediaFile, even, probe_sources, timeline_size
from hlcli.rendering.music import FindSpeech, add_music
from hlcli.rendering.pictures import PictureMaker
from hlcli.rendering.settings import SUFFIXES, RenderReport, RenderSettings
from hlcli.rendering.shots import add_crossfades, plan_shots
from hlcli.rendering.sound import plan_sound, write_sound
from hlcli.rendering.workspace import check_space, move_into_place, workspace
from hlcli.timeline.edit_list import EditList
from hlcli.timeline.formats import FORMATS
from hlcli.timeline.formats.captions import captions_of
from hlcli.timeline.paths import readable

# A film at the default quality takes two to four times this; less is sure not to fit.
_LEAST_BITS_PER_PIXEL = 0.02
_SOUND_BYTES_PER_SAMPLE = 8
_LONGEST_SIDE = 16384
_SHAPE_OF_A_PHONE = Fraction(9, 16)


def render(
    edit: EditList,
    output: Path,
    settings: RenderSettings | None = None,
    *,
    find_speech: FindSpeech | None = None,
    progress: Progress = silent,
) -> RenderReport:
    """Render every frame of an edit list, and none more.

    Args:
        edit: What to render.
        output: Film to write, `.mp4` (H.264, AAC), `.mov` (H.264, PCM) or `.mkv` (H.264, FLAC);
            its folder must exist. Appears whole or not at all.
        settings: How; None is as the timeline is.
        find_speech: Where music goes down; see `add_music`.
        progress: Called with seconds of film.

    Raises:
        UsageError: The extension or the encoder is unknown, or the output is one of the sources;
            captions are asked for and no source has any; the font is none.
        MediaError: A source is missing, damaged or shorter than the timeline says.
        OutputError: The timeline is empty, or the film cannot be written.
    """
    settings = settings or RenderSettings()
    check_film(edit, output, settings)
    media = probe_sources(edit)
    music = None if settings.music is None else probe_sound(settings.music)
    program = find_ffmpeg()
    encoder = choose_encoder(program, settings.encoder, settings.quality)
    report = RenderReport(path=output, num_frames=edit.num_frames, encoder=encoder.name)
    if encoder.remark:
        report.remarks.append(encoder.remark)
    planned = plan_shots(
        edit, is_transparent=lambda event: media[event.source.path].picture.has_alpha
    )
    shots, shortened = add_crossfades(planned, edit, settings.crossfade_seconds)
    report.remarks += shortened
    size = film_size(edit, media, settings)
    colour = _colour(edit, media, report)
    painter = _painter(edit, settings, size, colour, report)
    tracks = plan_sound(edit, shots, sample_rate=edit.sample_rate)
    _remark_on_sound(edit, media, settings, report)
    interlaced = {
        file.path.name for file in media.values() if file.video and file.video.is_interlaced
    }
    if interlaced:
        report.remarks.append(
            f"interlaced footage was made progressive: {', '.join(sorted(interlaced))}"
        )
    seconds = edit.num_frames / edit.frame_rate
    num_samples = math.floor(seconds * edit.sample_rate + Fraction(1, 2))
    num_sounds = len(tracks) if settings.audio == "all" else min(1, len(tracks))
    num_sounds += 0 if music is None else 2
    check_space(
        output,
        round(size[0] * size[1] * edit.num_frames * _LEAST_BITS_PER_PIXEL / 8)
        + num_samples * _SOUND_BYTES_PER_SAMPLE * num_sounds,
    )
    with workspace(output) as folder:
        sounds = write_sound(
            tracks,
            media,
            folder,
            num_samples=num_samples,
            sample_rate=edit.sample_rate,
            audio=settings.audio,
            progress=lambda done, total: progress(
                "sound", done / edit.sample_rate, total / edit.sample_rate
            ),
        )
        if music is not None:
            with_music = add_music(
                sounds[0] if sounds else None,
                music,
                folder,
                level_db=settings.music_level_db,
                num_samples=num_samples,
                sample_rate=edit.sample_rate,
                find_speech=find_speech,
            )
            sounds = [with_music, *sounds[1:]]
        loudest = max((sound.peak for sound in sounds), default=0.0)
        if loudest > 1:
            report.remarks.append(
                f"the sound was turned down by {20 * math.log10(loudest):.1f} dB, so that the "
                "loudest place fits"
            )
        made = folder / f"film{output.suffix.lower()}"
        command = encode_command(
            program,
            made,
            size=size,
            frame_rate=edit.frame_rate,
            colour=colour,
            encoder=encoder,
            sounds=sounds,
            sample_rate=edit.sample_rate,
        )
        maker = PictureMaker(
            media,
            size=size,
            frame_rate=edit.frame_rate,
            colour=colour,
            vertical=settings.vertical,
        )

        def on_frames(done: int) -> None:
            progress("rendering", float(done / edit.frame_rate), float(seconds))

        try:
            with EncoderProcess(command, output, on_frames) as process:
                for number, planes in enumerate(maker.film(shots)):
                    process.write(painter.over(planes, number) if painter else planes)
                process.finish()
        finally:
            maker.close()
        move_into_place(made, output)
    return report


def check_film(edit: EditList, output: Path, settings: RenderSettings | None = None) -> None:
    """Refuse what cannot be rendered, before any work is done for it.

    Raises:
        UsageError: The extension is unknown, or the output is one of the sources.
        OutputError: The timeline is empty, or the folder cannot be written.
    """
    suffix = output.suffix.lower()
    if suffix not in SUFFIXES:
        hint = f"use one of {', '.join(SUFFIXES)}"
        if suffix in FORMATS:
            # A timeline does not know what is said; the scores of its video do.
            video = shlex.quote(readable(edit.sources[0].path)) if edit.sources else "VIDEO"
            spoken = " --transcript TRANSCRIPT" if FORMATS[suffix].kind == "captions" else ""
            written = shlex.quote(readable(str(output)))
            hint = f"`hl export {video}{spoken} -o {written}` writes {FORMATS[suffix].title}"
        raise UsageError(
            f"cannot render to {output}: the extension {output.suffix or '(none)'} is no film's",
            hint=hint,
        )
    if not edit.events:
        raise OutputError(
            f"the timeline {edit.name} is empty: there is nothing to render",
            hint="export it with moments: --top 3 takes the best ones",
        )
    music = [] if settings is None or settings.music is None else [settings.music]
    check_not_a_source(output, [*(Path(source.path) for source in edit.sources), *music])
    if output.is_dir():
        raise OutputError(f"{output} is a folder", hint="name a file: -o reel.mp4")
    check_folder(output)


def film_size(
    edit: EditList, media: dict[str, MediaFile], settings: RenderSettings
) -> tuple[int, int]:
    """Return width and height of the film in pixels, both even.

    Raises:
        UsageError: The timeline or its first source states a size that no encoder takes.
    """
    if settings.size is not None:
        return settings.size
    width, height = timeline_size(edit, media)
    if settings.vertical:
        # No pixel is made up: what is too wide becomes narrower, what is too tall lower.
        if Fraction(width, height) > _SHAPE_OF_A_PHONE:
            width = even(height * _SHAPE_OF_A_PHONE)
        else:
            height = even(width / _SHAPE_OF_A_PHONE)
    if max(width, height) > _LONGEST_SIDE:
        raise UsageError(
            f"the film would be {width} x {height} pixels, more than encoders take",
            hint="give a size: --size 1080p",
        )
    return width, height


def _colour(edit: EditList, media: dict[str, MediaFile], report: RenderReport) -> Colour:
    """Take the first source's colours for the film, and say where others differ."""
    colours: dict[str, Colour] = {}
    for event in edit.events:
        path = event.source.path
        if event.video_track is not None and path not in colours:
            with ShownFrames(media[path].picture, num_threads=1) as reader:
                colours[path] = Colour.of(next(reader.at([Fraction(0)])))
    chosen = next(iter(colours.values()), Colour())
    if any(colour.is_hdr for colour in colours.values()):
        report.remarks.append(
            "HDR footage is written with 8 bits and its own curve: no tone mapping is done"
        )
    if len({(colour.primaries, colour.curve) for colour in colours.values()}) > 1:
        report.remarks.append(
            "the sources state different colour spaces; the film is labelled as its first source"
        )
    return chosen


def _painter(
    edit: EditList,
    settings: RenderSettings,
    size: tuple[int, int],
    colour: Colour,
    report: RenderReport,
) -> CaptionPainter | None:
    if not settings.captions:
        return None
    has_transcript = any(source.captions for source in edit.sources)
    captions = captions_of(edit) if has_transcript else []
    if not captions:
        report.remarks.append("nothing is said in the cut, so it has no captions")
        return None
    lettering, missing = lettering_for([caption.text for caption in captions], settings.font)
    if missing:
        report.remarks.append(missing)
    return CaptionPainter(captions, lettering, size=size, frame_rate=edit.frame_rate, colour=colour)


def _remark_on_sound(
    edit: EditList, media: dict[str, MediaFile], settings: RenderSettings, report: RenderReport
) -> None:
    gone = {
        source.name
        for source in edit.sources
        if len(media[source.path].sound_streams) < len(source.audio)
    }
    report.remarks += [
        f"{name} has fewer sound tracks than the timeline says" for name in sorted(gone)
    ]
    if settings.audio == "first" and edit.num_audio_tracks > 1:
        report.remarks.append(f"1 of {edit.num_audio_tracks} sound tracks was rendered")
