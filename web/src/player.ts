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
  #loading = -1;
  #backTimer: ReturnType<typeof setInterval> | undefined;
  readonly #copies = new Map<number, string>();

  constructor(
    readonly element: HTMLVideoElement,
    private readonly calls: PlayerCalls,
  ) {
    element.addEventListener("timeupdate", () => calls.onTime());
    element.addEventListener("seeked", () => calls.onTime());
    for (const name of ["play", "pause", "ratechange", "ended"]) {
      element.addEventListener(name, () => calls.onState());
    }
    element.addEventListener("error", () => void this.#useCopy());
    element.addEventListener("loadedmetadata", () => {
      // Sound and no picture: the container is known, the codec is not.
      if (element.videoWidth === 0) void this.#useCopy();
      else if (this.#wanted !== null) this.seconds = this.#wanted;
    });
    this.#onFrame();
  }

  /** Show a video at an instant; the same one only seeks. */
  async load(video: number, seconds: number): Promise<void> {
    this.#wanted = seconds;
    if (video === this.video && (this.element.src || this.#loading === video)) {
      this.seconds = seconds;
      return;
    }
    const wasPlaying = this.isPlaying;
    this.stop();
    this.video = video;
    this.#loading = video;
    this.#isCopy = false;
    this.element.removeAttribute("src");
    try {
      const media = await this.calls.media(video);
      if (this.#loading !== video) return;
      this.#frame = 1 / media.frame_rate;
      const copy = this.#copies.get(video) ?? media.proxy_address;
      if (copy) this.#play(copy, 0, true);
      else if (!media.is_continuous) await this.#useCopy();
      else this.#play(media.address, media.start_seconds, false);
      if (wasPlaying) await this.element.play().catch(() => undefined);
    } catch (error) {
      this.calls.onTrouble(error instanceof Error ? error.message : String(error));
    } finally {
      if (this.#loading === video) this.#loading = -1;
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

  async #useCopy(): Promise<void> {
    if (!this.element.src && this.#loading < 0) return;
    if (this.#isCopy) {
      this.calls.onTrouble("This browser plays neither the video nor its small copy.");
      return;
    }
    this.#isCopy = true;
    const video = this.video;
    const seconds = this.seconds;
    this.element.removeAttribute("src");
    this.element.load();
    this.#wanted = seconds;
    try {
      const address = await this.calls.copy(video);
      this.#copies.set(video, address);
      if (this.video === video) this.#play(address, 0, true);
    } catch (error) {
      this.calls.onTrouble(error instanceof Error ? error.message : String(error));
    }
  }

  #onFrame(): void {
    requestAnimationFrame(() => {
      if (!this.element.paused) this.calls.onTime();
      this.#onFrame();
    });
  }
}
