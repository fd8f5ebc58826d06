// The video: our seconds in, our seconds out; a small copy where the browser cannot play the file.

import type { Media } from "./types.ts";

const SPEEDS = [1, 1.5, 2, 4, 8];
const BACK_MS = 100;

export interface PlayerCalls {
  media(video: number): Promise<Media>;
  /** Make a small copy and say how far it is; returns its address. */
  copy(video: number): Promise<string>;
  onTime(): void;
  onState(): void;
  onTrouble(words: string): void;
}

export class Player {
  video = 0;
  #start = 0;
  #frame = 1 / 25;
  #back = 0;
  #wanted: number | null = null;
  #isCopy = false;
  /** Whether the file has sound, which a browser may leave out without a word. */
  #hasSound = false;
  /** Counts the videos that were opened: what an earlier one still waits for is of no use any more. */
  #opened = 0;
  /** Whether the video is shown or on its way; a failure ends it, so that the next look tries again. */
  #isOpen = false;
  #backTimer: ReturnType<typeof setInterval> | undefined;
  readonly #copies = new Map<number, Promise<string>>();

  constructor(
    readonly element: HTMLVideoElement,
    private readonly calls: PlayerCalls,
  ) {
    element.addEventListener("timeupdate", () => calls.onTime());
    element.addEventListener("seeked", () => calls.onTime());
    for (const name of ["play", "pause", "ratechange", "ended"]) {
      element.addEventListener(name, () => calls.onState());
    }
    element.addEventListener("error", () => this.#failed());
    element.addEventListener("loadedmetadata", () => {
      // Sound and no picture: the container is known, the codec is not.
      if (element.videoWidth === 0) this.#failed();
      else if (this.#wanted !== null) this.seconds = this.#wanted;
    });
    element.addEventListener("canplay", () => {
      // Pictures and no sound: only one of the codecs is known.
      if (this.#hasSound && !this.#isCopy && this.#isOpen && isMute(element)) void this.#useCopy();
    });
    this.#onFrame();
  }

  /** Show a video at an instant; the same one only seeks. */
  async load(video: number, seconds: number): Promise<void> {
    if (video === this.video && this.#isOpen) {
      this.seconds = seconds;
      return;
    }
    const wasPlaying = this.isPlaying;
    this.stop();
    this.#empty();
    this.#wanted = seconds;
    this.video = video;
    this.#isOpen = true;
    this.#opened += 1;
    const opened = this.#opened;
    try {
      const media = await this.calls.media(video);
      if (opened !== this.#opened) return;
      this.#frame = 1 / media.frame_rate;
      this.#hasSound = media.has_sound;
      if (media.proxy_address) this.#play(media.proxy_address, 0, true);
      else if (this.#copies.has(video) || !media.is_continuous) await this.#useCopy();
      else this.#play(media.address, media.start_seconds, false);
      if (wasPlaying && opened === this.#opened) await this.element.play().catch(() => undefined);
    } catch (error) {
      if (opened === this.#opened) this.#trouble(error instanceof Error ? error.message : String(error));
    }
  }

  get seconds(): number {
    return this.#wanted ?? Math.max(0, this.element.currentTime - this.#start);
  }

  set seconds(value: number) {
    const seconds = Math.max(0, value);
    if (this.element.readyState === 0) {
      this.#wanted = seconds;
    } else {
      this.#wanted = null;
      this.element.currentTime = seconds + this.#start;
    }
    this.calls.onTime();
  }

  get isPlaying(): boolean {
    return !this.element.paused || this.#back > 0;
  }

  /** -2, 0, 1.5: as fast as it plays, backwards below 0. */
  get speed(): number {
    return this.#back > 0 ? -this.#back : this.element.paused ? 0 : this.element.playbackRate;
  }

  toggle(): void {
    if (this.isPlaying) this.stop();
    else this.forward(1);
  }

  stop(): void {
    clearInterval(this.#backTimer);
    this.#back = 0;
    this.element.pause();
    this.calls.onState();
  }

  /** L: play, then faster with each press. */
  forward(speed?: number): void {
    if (!this.#isOpen) void this.load(this.video, this.seconds);
    const faster = SPEEDS.find((one) => one > this.element.playbackRate) ?? 8;
    const isForward = !this.element.paused && this.#back === 0;
    clearInterval(this.#backTimer);
    this.#back = 0;
    this.element.playbackRate = speed ?? (isForward ? faster : 1);
    void this.element.play().catch(() => undefined);
  }

  /** J: backwards, then faster with each press; browsers cannot, so it seeks. */
  backward(): void {
    this.element.pause();
    this.#back = this.#back === 0 ? 1 : (SPEEDS.find((one) => one > this.#back) ?? 8);
    clearInterval(this.#backTimer);
    this.#backTimer = setInterval(() => {
      if (this.element.seeking) return;
      this.seconds -= (this.#back * BACK_MS) / 1000;
      if (this.seconds <= 0) this.stop();
    }, BACK_MS);
    this.calls.onState();
  }

  step(frames: number): void {
    if (this.isPlaying) this.stop();
    // The middle of a frame, so that rounding never shows its neighbour.
    const frame = Math.floor(this.seconds / this.#frame + 1e-3) + frames;
    this.seconds = (Math.max(0, frame) + 0.5) * this.#frame;
  }

  #play(address: string, start: number, isCopy: boolean): void {
    this.#isCopy = isCopy;
    this.#start = start;
    this.element.src = address;
    this.element.load();
  }

  /** Let go of what is shown: from here on nothing of it is played or told. */
  #empty(): void {
    this.element.removeAttribute("src");
    this.element.load();
  }

  #trouble(words: string): void {
    this.#isOpen = false;
    this.calls.onTrouble(words);
  }

  #failed(): void {
    if (!this.#isOpen || !this.element.src) return;
    if (this.element.error?.code === MediaError.MEDIA_ERR_NETWORK) {
      this.#trouble("The video does not come any more. Play goes on when hl answers.");
    } else if (this.#isCopy) {
      this.#trouble("This browser plays neither the video nor its small copy.");
    } else {
      void this.#useCopy();
    }
  }

  async #useCopy(): Promise<void> {
    const [video, seconds, opened] = [this.video, this.seconds, this.#opened];
    this.#empty();
    this.#wanted = seconds;
    const copy = this.#copies.get(video) ?? this.calls.copy(video);
    this.#copies.set(video, copy);
    try {
      const address = await copy;
      if (opened === this.#opened) this.#play(address, 0, true);
    } catch (error) {
      this.#copies.delete(video);
      if (opened === this.#opened) this.#trouble(error instanceof Error ? error.message : String(error));
    }
  }

  #onFrame(): void {
    requestAnimationFrame(() => {
      if (!this.element.paused) this.calls.onTime();
      this.#onFrame();
    });
  }
}

/** Whether a browser has found no sound in what it is ready to play; false where it does not say. */
function isMute(element: HTMLVideoElement): boolean {
  const { mozHasAudio, webkitAudioDecodedByteCount } = element as HTMLVideoElement & {
    mozHasAudio?: boolean;
    webkitAudioDecodedByteCount?: number;
  };
  return mozHasAudio === false || webkitAudioDecodedByteCount === 0;
}
