// Pictures of moments: fetched when they come into view, once each, a few at a time.

import type { ReviewService } from "./client.ts";
import { make } from "./dom.ts";

const HEIGHT = 100;
const MOST_AT_ONCE = 2;
const MOST_KEPT = 400;

export class Stills {
  readonly #known = new Map<string, string>();
  readonly #waiting = new Map<HTMLElement, { path: string; seconds: number }>();
  readonly #queue: HTMLElement[] = [];
  #running = 0;
  readonly #observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      this.#observer.unobserve(entry.target);
      this.#queue.push(entry.target as HTMLElement);
    }
    this.#next();
  });

  constructor(private readonly service: ReviewService) {}

  show(holder: HTMLElement, path: string, seconds: number): void {
    const at = Math.round(seconds * 10) / 10;
    const known = this.#known.get(`${at} ${path}`);
    if (known) {
      holder.replaceChildren(picture(known));
      return;
    }
    this.#waiting.set(holder, { path, seconds: at });
    this.#observer.observe(holder);
  }

  #next(): void {
    while (this.#running < MOST_AT_ONCE) {
      const holder = this.#queue.shift();
      if (!holder) return;
      const wanted = this.#waiting.get(holder);
      this.#waiting.delete(holder);
      // The list may have been drawn anew since.
      if (wanted && holder.isConnected) void this.#fetch(holder, wanted.path, wanted.seconds);
    }
  }

  async #fetch(holder: HTMLElement, path: string, seconds: number): Promise<void> {
    this.#running += 1;
    const key = `${seconds} ${path}`;
    try {
      const address = this.#known.get(key) ?? (await this.service.thumbnail(path, seconds, HEIGHT));
      this.#known.set(key, address);
      const [oldest] = this.#known.keys();
      if (this.#known.size > MOST_KEPT && oldest) this.#known.delete(oldest);
      const place = holder.isConnected ? holder : null;
      place?.replaceChildren(picture(address));
    } catch {
      // A moment without a picture can still be played.
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }
}

function picture(address: string): HTMLImageElement {
  return make("img", { src: address, alt: "" });
}
