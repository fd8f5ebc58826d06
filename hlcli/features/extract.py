"""One pass over a video: pictures and sound are decoded and encoded side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

from hlcli.cores import num_cores
from hlcli.errors import MediaError
from hlcli.features.device import one_thread_a_call
from hlcli.features.encoder import Encoders, VisualEncoder
from hlcli.features.pictures import encode_pictures
from hlcli.features.silero_vad import SpeechListener
from hlcli.features.sound import SoundFeatures, encode_sound
from hlcli.features.types import FloatArray, VideoFeatures
from hlcli.media.clips import ClipGrid
from hlcli.media.frames import PictureReader, read_pictures
from hlcli.media.probe import MediaInfo
from hlcli.media.waveform import read_waveform
from hlcli.progress import Progress, silent
from hlcli.stages import waited_for

PICTURES_STAGE = "looking"
SOUND_STAGE = "listening"
_POLL_SECONDS = 0.1


def extract_features(
    info: MediaInfo,
    *,
    encoders: Encoders,
    use_audio: bool = True,
    num_workers: int | None = None,
    pictures: PictureReader | None = None,
    progress: Progress = silent,
) -> VideoFeatures:
    """Decode a video once and describe each of its clips.

    Memory does not grow with the length but for the resulting rows. Rows are
    float16, which is what the cache keeps: a second run from the cache gives the same scores.

    Args:
        info: What `probe` said about the file.
        encoders: The networks.
        use_audio: False leaves the sound alone, as if there were none.
        num_workers: Threads that decode pictures, and on a CPU those that encode them; as many as
            there are cores when None. It never changes the result.
        pictures: What reads the pictures of this file, for the encoder's size, where it has begun
            already; it is closed here.
        progress: Called with the clips done, in two stages: "looking", then "listening" for what is
            left of the sound.

    Raises:
        MediaUnreadableError: Not one picture could be decoded.
        DeviceError: The device is out of memory.
    """
    spec = encoders.spec
    grid = ClipGrid.covering(info.duration_seconds)
    if float(grid.clip_seconds) != spec.clip_seconds:
        raise ValueError(f"clips of {spec.clip_seconds} s are not what the clip grid cuts")
    stop = threading.Event()
    clips_done = 0

    speech = None
    if encoders.speech is not None and encoders.speech.sample_rate == encoders.audio.sample_rate:
        speech = encoders.speech.listener()

    def listen() -> SoundFeatures:
        def report(done: int) -> None:
            nonlocal clips_done
            clips_done = done

        sound = read_waveform(info, sample_rate=encoders.audio.sample_rate)
        blocks = _until(waited_for("sound decoded", sound), stop)
        if speech is not None:
            blocks = _with_speech(blocks, speech)
        return encode_sound(blocks, grid, encoders.audio, report=report)

    num_threads = num_workers or num_cores()
    with (
        one_thread_a_call(),
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="hl-sound") as executor,
    ):
        try:
            listening = executor.submit(listen) if use_audio and info.has_audio else None
            if pictures is None:
                pictures = read_pictures(
                    info,
                    grid,
                    picture_size=encoders.visual.picture_size,
                    num_workers=num_threads,
                )
            with pictures as reader:
                visual_TV = encode_pictures(
                    waited_for("pictures decoded", reader),
                    grid.num_clips,
                    encoders.visual,
                    num_threads=num_threads if _computes_on_cpu(encoders.visual) else 1,
                    report=lambda done: progress(PICTURES_STAGE, done, grid.num_clips),
                )
                signals = reader.signals
            damage = [words for words in (info.damage, signals.damage) if words]
            sound = None
            if listening is not None:
                # Waiting in short steps lets Ctrl-C through on every platform.
                while not _is_done(listening):
                    progress(SOUND_STAGE, clips_done, grid.num_clips)
                try:
                    sound = listening.result()
                except MediaError as error:
                    damage.append(f"the sound could not be read: {error.message}")
        finally:
            # Whatever went wrong, the sound's thread ends after its current block.
            stop.set()
    return VideoFeatures(
        spec_digest=spec.digest(),
        duration_seconds=float(info.duration_seconds),
        visual_TV=visual_TV,
        audio_TA=sound.audio_TA if sound else None,
        events_TC=sound.events_TC if sound else None,
        motion_T=signals.motion_T,
        loudness_T=sound.loudness_T if sound else None,
        speech_S2=speech.finish() if sound and speech else None,
        shot_boundaries_seconds=signals.shot_boundaries_seconds,
        pictures=signals.measures,
        damage="; ".join(damage) or None,
    )


def _computes_on_cpu(encoder: VisualEncoder) -> bool:
    """Whether several calls at once are of use: a GPU takes one after the other anyway."""
    # An encoder of somebody else need not say where it computes.
    device = getattr(encoder, "device", None)
    return device is not None and device.type == "cpu"


def _until(blocks: Iterator[FloatArray], stop: threading.Event) -> Iterator[FloatArray]:
    for block in blocks:
        if stop.is_set():
            return
        yield block


def _with_speech(blocks: Iterator[FloatArray], speech: SpeechListener) -> Iterator[FloatArray]:
    for block in blocks:
        speech.extend(block)
        yield block


def _is_done(future: Future[SoundFeatures]) -> bool:
    try:
        future.exception(timeout=_POLL_SECONDS)
    except FutureTimeoutError:
        return False
    return True
