// The score curve of one video with its moments, and lanes under it on the same time axis.

import uPlot from "uplot";
import { SHORTEST, snapPoints, snapped } from "./edit.ts";
import type { Edit, ScoresDocument } from "./types.ts";
import { clock } from "./words.ts";

const GRAB = 8;
const LANE = 15;
const LABEL_WIDTH = 66;
const SHORTEST_VIEW = 2;
const MOST_SOUNDS = 6;
const PLOT = 215;
/** Height of the marks of what was found, in pixels. */
const MARK = 12;

export interface CurveCalls {
  onSeek(seconds: number): void;
  onSelect(id: string): void;
  /** A mark of what was found is clicked. */
  onFound(place: number): void;
  /** While an end is dragged. */
  onDrag(id: string, start: number, end: number): void;
  /** When it is let go. */
  onDragEnd(): void;
}

type Drag =
  | { kind: "end"; id: string; edge: "start" | "end"; start: number; end: number }
  | { kind: "pan"; x: number; min: number; max: number; moved: boolean };

interface Lane {
  name: string;
  draw(context: CanvasRenderingContext2D, top: number, x: (seconds: number) => number): void;
}

export class Curve {
  edit: Edit = { moments: [], avoid: [], order: "time" };
  selected: string | null = null;
  seconds = 0;
  /** Sound classes that are shown strongly; empty shows all. */
  sounds = new Set<string>();
  /** Where the words that were looked for are, marked above the curve. */
  found: { video: number; start_seconds: number; end_seconds: number }[] = [];
  #plot: uPlot | null = null;
  #document: ScoresDocument | null = null;
  #video = 0;
  #points: number[] = [];
  #lanes: Lane[] = [];
  #drag: Drag | null = null;
  #pointers = new Map<number, number>();
  #pinch: { distance: number; min: number; max: number; centre: number } | null = null;
  #queued = false;
  #wanted: { min: number; max: number } | null = null;
  #colors = new Map<string, string>();
  readonly #canvas = document.createElement("canvas");
  readonly #playhead = document.createElement("div");

  constructor(
    private readonly holder: HTMLElement,
    private readonly calls: CurveCalls,
  ) {
    this.#canvas.className = "lanes";
    this.#playhead.className = "playhead";
    holder.append(this.#canvas, this.#playhead);
    new ResizeObserver(() => this.#resize()).observe(holder);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#build());
    holder.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    holder.addEventListener("pointerdown", (event) => this.#down(event));
    holder.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"] as const) {
      holder.addEventListener(name, (event) => this.#up(event));
    }
  }

  get #duration(): number {
    return this.#document?.video.duration_seconds ?? 1;
  }

  show(video: number, scores: ScoresDocument | null): void {
    this.#video = video;
    if (scores === this.#document) return this.redraw();
    this.#document = scores;
    this.#points = scores ? snapPoints(scores) : [];
    this.#lanes = scores ? lanesOf(scores, () => this.sounds) : [];
    this.holder.style.height = `${PLOT + this.#lanes.length * LANE}px`;
    this.#build();
  }

  /** Draw again, once a frame at most. */
  redraw(): void {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      this.#plot?.redraw(false);
    });
  }

  /** Put the playhead somewhere; nothing else is drawn. */
  at(seconds: number): void {
    this.seconds = seconds;
    const plot = this.#plot;
    if (!plot) return;
    const left = plot.valToPos(seconds, "x") + plot.bbox.left / devicePixelRatio;
    const low = plot.bbox.left / devicePixelRatio - 1;
    const inside = left >= low && left <= low + plot.bbox.width / devicePixelRatio + 2;
    this.#playhead.style.transform = `translateX(${left}px)`;
    this.#playhead.style.visibility = inside ? "visible" : "hidden";
  }

  /** Show a stretch, with the next frame; beyond the video is nothing. */
  view(min: number, max: number): void {
    const length = Math.min(Math.max(max - min, SHORTEST_VIEW), this.#duration);
    const start = Math.min(Math.max(0, min), this.#duration - length);
    const now = this.#range();
    if (Math.abs(now.min - start) < 1e-6 && Math.abs(now.max - start - length) < 1e-6) return;
    const isWaiting = this.#wanted !== null;
    this.#wanted = { min: start, max: start + length };
    // Several events of one frame are one drawing.
    if (!isWaiting) requestAnimationFrame(() => this.#apply());
  }

  #apply(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted) this.#plot?.setScale("x", wanted);
  }

  zoom(factor: number, around = this.seconds): void {
    const { min, max } = this.#range();
    const at = Math.min(Math.max(around, min), max);
    this.view(at - (at - min) * factor, at + (max - at) * factor);
  }

  /** Bring an instant into view without changing the zoom. */
  reveal(seconds: number): void {
    const { min, max } = this.#range();
    if (seconds < min || seconds > max) {
      this.view(seconds - (max - min) / 2, seconds + (max - min) / 2);
    }
  }

  pan(share: number): void {
    const { min, max } = this.#range();
    this.view(min + (max - min) * share, max + (max - min) * share);
  }

  #range(): { min: number; max: number } {
    if (this.#wanted) return this.#wanted;
    const scale = this.#plot?.scales.x;
    return { min: scale?.min ?? 0, max: scale?.max ?? this.#duration };
  }

  #color(name: string): string {
    // Asking for a style makes the browser work it out: once is enough until the theme changes.
    let color = this.#colors.get(name);
    if (color === undefined) {
      color = getComputedStyle(this.holder).getPropertyValue(`--${name}`).trim();
      this.#colors.set(name, color);
    }
    return color;
  }

  #height(): number {
    return Math.max(90, this.holder.clientHeight - this.#lanes.length * LANE - 6);
  }

  #resize(): void {
    if (!this.#plot) return;
    const width = this.holder.clientWidth;
    if (width > 0) this.#plot.setSize({ width, height: this.#height() });
  }

  #build(): void {
    this.#colors.clear();
    this.#plot?.destroy();
    this.#plot = null;
    const scores = this.#document;
    if (!scores) return;
    const [text, grid] = [this.#color("secondary"), this.#color("grid")];
    const xs = scores.scores.map((_, index) => {
      const end = Math.min(scores.video.duration_seconds, (index + 1) * scores.clip_seconds);
      return (index * scores.clip_seconds + end) / 2;
    });
    // Scores of some detectors stay low: what there is shall be seen.
    let top = 0.2;
    for (const one of scores.scores) top = Math.max(top, Math.min(1, Math.ceil(one * 10 + 0.5) / 10));
    const font = "11px system-ui, sans-serif";
    this.#plot = new uPlot(
      {
        width: Math.max(100, this.holder.clientWidth),
        height: this.#height(),
        padding: [8, 22, 0, 0],
        legend: { show: false },
        cursor: { x: false, y: false, points: { show: false }, drag: { x: false, y: false } },
        scales: { x: { time: false, range: (_, min, max) => [min, max] }, y: { range: [0, top] } },
        axes: [
          {
            stroke: text,
            font,
            size: 24,
            grid: { stroke: grid, width: 1 },
            ticks: { show: false },
            values: (_, splits) => splits.map((one) => clock(one, one % 1 !== 0)),
          },
          {
            stroke: text,
            font,
            size: LABEL_WIDTH,
            grid: { stroke: grid, width: 1 },
            ticks: { show: false },
            splits: [0, top / 2, top],
            values: (_, splits) => splits.map((one) => `${one === top ? "score " : ""}${+one.toFixed(2)}`),
          },
        ],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: {
          drawClear: [(plot) => this.#drawMoments(plot)],
          draw: [(plot) => this.#drawLine(plot), () => this.#drawLanes()],
        },
      },
      [xs, scores.scores],
      this.holder,
    );
    this.holder.append(this.#canvas, this.#playhead);
    this.#wanted = { min: 0, max: this.#duration };
    this.#apply();
  }

  #drawMoments(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const x = (seconds: number): number => plot.valToPos(seconds, "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const [keep, dropped, chosen] = [this.#color("keep"), this.#color("drop"), this.#color("accent")];
    const bar = 4 * devicePixelRatio;
    for (const one of this.edit.moments) {
      if (one.video !== this.#video) continue;
      const left = x(one.start_seconds);
      const width = Math.max(2 * devicePixelRatio, x(one.end_seconds) - left);
      if (left > bbox.left + bbox.width || left + width < bbox.left) continue;
      ctx.fillStyle = one.keep ? keep : dropped;
      ctx.globalAlpha = one.keep ? 0.28 : 0.12;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.globalAlpha = 1;
      ctx.fillRect(left, bbox.top + bbox.height - bar, width, bar);
      if (one.id === this.selected) {
        ctx.strokeStyle = chosen;
        ctx.lineWidth = 2 * devicePixelRatio;
        ctx.strokeRect(left, bbox.top, width, bbox.height);
      }
    }
    ctx.fillStyle = this.#color("bad");
    for (const one of this.edit.avoid) {
      if (one.video !== this.#video) continue;
      const left = x(one.start_seconds);
      ctx.fillRect(left, bbox.top, Math.max(2, x(one.end_seconds) - left), bar);
    }
    ctx.fillStyle = this.#color("found");
    const size = MARK * devicePixelRatio;
    for (const one of this.found) {
      if (one.video !== this.#video) continue;
      const left = x(one.start_seconds);
      ctx.fillRect(left, bbox.top, Math.max(2 * devicePixelRatio, x(one.end_seconds) - left), size / 2);
      ctx.beginPath();
      ctx.moveTo(left - size / 2, bbox.top);
      ctx.lineTo(left + size / 2, bbox.top);
      ctx.lineTo(left, bbox.top + size);
      ctx.fill();
    }
    ctx.restore();
  }

  /** The curve: a line, or, where a pixel holds several scores, from the lowest to the highest of them. */
  #drawLine(plot: uPlot): void {
    const [xs, scores] = plot.data as [number[], number[]];
    const { ctx, bbox } = plot;
    const { min, max } = this.#range();
    const clip = this.#document?.clip_seconds ?? 1;
    const first = Math.max(0, Math.floor(min / clip) - 1);
    const last = Math.min(xs.length, Math.ceil(max / clip) + 2);
    const x = (seconds: number): number => bbox.left + ((seconds - min) / (max - min)) * bbox.width;
    const top = plot.scales.y?.max ?? 1;
    const y = (score: number): number => bbox.top + (1 - score / top) * bbox.height;
    const width = 1.5 * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.strokeStyle = this.#color("line");
    ctx.fillStyle = this.#color("line");
    if (last - first < 1.5 * bbox.width) {
      ctx.lineWidth = width;
      ctx.lineJoin = "round";
      ctx.beginPath();
      for (let index = first; index < last; index += 1) ctx.lineTo(x(xs[index]), y(scores[index]));
      ctx.stroke();
    } else {
      // Stroking tens of thousands of points takes longer than a frame; whole columns of pixels do not.
      let [column, low, high] = [Math.round(x(xs[first])), scores[first], scores[first]];
      let before = scores[first];
      for (let index = first; index < last; index += 1) {
        const at = Math.round(x(xs[index]));
        if (at !== column) {
          const above = Math.round(y(high));
          ctx.fillRect(column, above, 1, Math.max(Math.ceil(width), Math.round(y(low)) - above));
          // From where the column before ended, so that the line has no gap.
          [column, low, high] = [at, before, before];
        }
        before = scores[index];
        low = Math.min(low, before);
        high = Math.max(high, before);
      }
    }
    ctx.restore();
  }

  #drawLanes(): void {
    const plot = this.#plot;
    if (!plot) return;
    const ratio = devicePixelRatio;
    const width = plot.width;
    const height = this.#lanes.length * LANE;
    if (this.#canvas.width !== width * ratio || this.#canvas.height !== height * ratio) {
      this.#canvas.width = width * ratio;
      this.#canvas.height = height * ratio;
      this.#canvas.style.height = `${height}px`;
    }
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    const left = plot.bbox.left / ratio;
    const right = left + plot.bbox.width / ratio;
    const { min, max } = this.#range();
    const x = (seconds: number): number => left + ((seconds - min) / (max - min)) * (right - left);
    this.#lanes.forEach((lane, index) => {
      const top = index * LANE;
      context.fillStyle = this.#color("secondary");
      context.textAlign = "right";
      context.fillText(lane.name, left - 6, top + LANE / 2, left - 8);
      context.save();
      context.beginPath();
      context.rect(left, top, right - left, LANE);
      context.clip();
      context.fillStyle = this.#color("lane");
      context.fillRect(left, top + 1, right - left, LANE - 2);
      context.fillStyle = this.#color("line");
      context.strokeStyle = this.#color("line");
      lane.draw(context, top, x);
      context.restore();
    });
    this.at(this.seconds);
  }

  /** The instant under a pointer, in the stretch that was asked for last, also before it is drawn. */
  #secondsOf(event: { clientX: number }): number {
    const plot = this.#plot;
    if (!plot) return 0;
    const { min } = this.#range();
    const left = this.holder.getBoundingClientRect().left + plot.bbox.left / devicePixelRatio;
    return Math.min(Math.max(0, min + (event.clientX - left) * this.#perPixel()), this.#duration);
  }

  #perPixel(): number {
    const { min, max } = this.#range();
    return (max - min) / Math.max(1, (this.#plot?.bbox.width ?? 1) / devicePixelRatio);
  }

  #endAt(seconds: number): { id: string; edge: "start" | "end"; start: number; end: number } | null {
    const reach = GRAB * this.#perPixel();
    let best: { id: string; edge: "start" | "end"; start: number; end: number; away: number } | null = null;
    for (const one of this.edit.moments) {
      if (one.video !== this.#video || !one.keep) continue;
      const span = { id: one.id, start: one.start_seconds, end: one.end_seconds };
      for (const edge of ["start", "end"] as const) {
        const away = Math.abs(span[edge] - seconds) - (one.id === this.selected ? reach / 2 : 0);
        if (away <= reach && (!best || away < best.away)) best = { ...span, edge, away };
      }
    }
    return best;
  }

  /** The mark of what was found that is under a pointer, or -1. */
  #foundAt(event: PointerEvent): number {
    const plot = this.#plot;
    if (!plot) return -1;
    const top = this.holder.getBoundingClientRect().top + plot.bbox.top / devicePixelRatio;
    if (event.clientY < top || event.clientY > top + MARK) return -1;
    const seconds = this.#secondsOf(event);
    const reach = MARK * this.#perPixel();
    return this.found.findIndex(
      (one) =>
        one.video === this.#video &&
        one.start_seconds - reach <= seconds &&
        seconds <= one.end_seconds + reach,
    );
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0 || !this.#plot) return;
    const place = this.#foundAt(event);
    if (place >= 0) return this.calls.onFound(place);
    this.#pointers.set(event.pointerId, event.clientX);
    this.holder.setPointerCapture(event.pointerId);
    if (this.#pointers.size === 2) {
      const [a = 0, b = 0] = this.#pointers.values();
      const { min, max } = this.#range();
      this.#pinch = {
        distance: Math.abs(a - b),
        min,
        max,
        centre: this.#secondsOf({ clientX: (a + b) / 2 }),
      };
      this.#drag = null;
      return;
    }
    const seconds = this.#secondsOf(event);
    const end = this.#endAt(seconds);
    if (end) {
      this.#drag = { kind: "end", ...end };
      this.calls.onSelect(end.id);
    } else {
      const { min, max } = this.#range();
      this.#drag = { kind: "pan", x: event.clientX, min, max, moved: false };
    }
  }

  #move(event: PointerEvent): void {
    if (this.#pointers.has(event.pointerId)) this.#pointers.set(event.pointerId, event.clientX);
    if (this.#pinch && this.#pointers.size === 2) {
      const [a = 0, b = 0] = this.#pointers.values();
      const factor = this.#pinch.distance / Math.max(10, Math.abs(a - b));
      const { min, max, centre } = this.#pinch;
      this.view(centre - (centre - min) * factor, centre + (max - centre) * factor);
      return;
    }
    const drag = this.#drag;
    if (!drag) {
      const isEnd = this.#plot !== null && this.#endAt(this.#secondsOf(event)) !== null;
      this.holder.style.cursor = isEnd ? "ew-resize" : "pointer";
      return;
    }
    if (drag.kind === "end") {
      // Alt lets an end stand beside a cut.
      const reach = event.altKey ? 0 : GRAB * this.#perPixel();
      const at = snapped(this.#points, this.#secondsOf(event), reach);
      const start = drag.edge === "start" ? Math.min(at, drag.end - SHORTEST) : drag.start;
      const end = drag.edge === "end" ? Math.max(at, drag.start + SHORTEST) : drag.end;
      this.calls.onDrag(drag.id, start, end);
    } else if (drag.moved || Math.abs(event.clientX - drag.x) > 4) {
      drag.moved = true;
      const by = (drag.x - event.clientX) * this.#perPixel();
      this.view(drag.min + by, drag.max + by);
    }
  }

  #up(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    if (this.#pinch) {
      if (this.#pointers.size === 0) this.#pinch = null;
      return;
    }
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.kind === "end") this.calls.onDragEnd();
    else if (drag && !drag.moved && event.type === "pointerup") {
      const seconds = this.#secondsOf(event);
      const hit = this.edit.moments.find(
        (one) => one.video === this.#video && one.start_seconds <= seconds && seconds < one.end_seconds,
      );
      if (hit) this.calls.onSelect(hit.id);
      this.calls.onSeek(seconds);
    }
  }

  #wheel(event: WheelEvent): void {
    if (!this.#plot) return;
    event.preventDefault();
    const isPan = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (isPan) this.pan((event.deltaX || event.deltaY) / 1500);
    else this.zoom(Math.exp(Math.min(Math.max(event.deltaY, -300), 300) / 400), this.#secondsOf(event));
  }
}

/** One value a clip as bars: the highest of each pixel, so that long videos cost no more than short ones. */
function bars(values: number[], clipSeconds: number): Lane["draw"] {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const low = sorted[Math.floor(sorted.length * 0.05)] ?? 0;
  const high = sorted[Math.floor(sorted.length * 0.99)] ?? 1;
  // The highest of each 2, 4, 8, ... values: a pixel never asks for more than three.
  const levels = [values];
  for (let level = values; level.length > 1; levels.push(level)) {
    const half = new Array<number>(Math.ceil(level.length / 2));
    for (let index = 0; index < half.length; index += 1) {
      half[index] = Math.max(level[2 * index] ?? low, level[2 * index + 1] ?? low);
    }
    level = half;
  }
  return (context, top, x) => {
    const right = x(values.length * clipSeconds);
    const first = Math.max(0, x(0));
    const clips = (values.length * clipSeconds) / Math.max(1e-9, right - x(0)) / clipSeconds;
    const depth = Math.min(levels.length - 1, Math.max(0, Math.floor(Math.log2(clips))));
    const level = levels[depth] ?? values;
    const size = 2 ** depth;
    for (let pixel = Math.floor(first); pixel < Math.min(right, context.canvas.width); pixel += 1) {
      const from = Math.max(0, Math.floor(((pixel - x(0)) * clips) / size));
      const to = Math.max(from + 1, Math.ceil(((pixel + 1 - x(0)) * clips) / size));
      let most = Number.NEGATIVE_INFINITY;
      for (let index = from; index < to && index < level.length; index += 1) {
        most = Math.max(most, level[index] ?? most);
      }
      const share = Math.min(1, Math.max(0, (most - low) / Math.max(1e-9, high - low)));
      const height = Math.round(share * (LANE - 4));
      // Whole pixels: a path of a thousand slivers costs ten times as much.
      if (height > 0) context.fillRect(pixel, top + LANE - 2 - height, 1, height);
    }
  };
}

function spans(list: { start: number; end: number; strong: () => boolean }[]): Lane["draw"] {
  return (context, top, x) => {
    for (const one of list) {
      const left = x(one.start);
      context.globalAlpha = one.strong() ? 0.9 : 0.15;
      context.fillRect(left, top + 3, Math.max(1, x(one.end) - left), LANE - 6);
    }
    context.globalAlpha = 1;
  };
}

/** The sounds that are heard for longest, each worth a lane. */
function mostHeard(scores: ScoresDocument): string[] {
  const lengths = new Map<string, number>();
  for (const one of scores.sounds ?? []) {
    lengths.set(one.name, (lengths.get(one.name) ?? 0) + one.end_seconds - one.start_seconds);
  }
  const names = [...lengths.keys()].sort((a, b) => (lengths.get(b) ?? 0) - (lengths.get(a) ?? 0));
  return names.slice(0, MOST_SOUNDS);
}

function lanesOf(scores: ScoresDocument, shown: () => Set<string>): Lane[] {
  const always = (): boolean => true;
  const lanes: Lane[] = [];
  if (scores.shot_boundaries_seconds.length) {
    lanes.push({
      name: "cuts",
      draw: (context, top, x) => {
        let last = -1;
        for (const cut of scores.shot_boundaries_seconds) {
          const at = Math.round(x(cut));
          if (at < 0) continue;
          if (at > context.canvas.width) break;
          // One line a pixel is all that can be seen.
          if (at > last) context.fillRect(at, top + 2, 1, LANE - 4);
          last = at;
        }
      },
    });
  }
  for (const name of ["loudness", "motion"] as const) {
    const values = scores[name];
    if (Array.isArray(values) && values.length) {
      lanes.push({ name, draw: bars(values, scores.clip_seconds) });
    }
  }
  if (scores.speech?.length) {
    const list = scores.speech.map(([start, end]) => ({ start, end, strong: always }));
    lanes.push({ name: "speech", draw: spans(list) });
  }
  for (const name of mostHeard(scores)) {
    const list = (scores.sounds ?? [])
      .filter((one) => one.name === name)
      .map((one) => ({
        start: one.start_seconds,
        end: one.end_seconds,
        strong: () => shown().size === 0 || shown().has(name),
      }));
    lanes.push({ name: name.toLowerCase(), draw: spans(list) });
  }
  if (scores.unusable?.length) {
    const list = scores.unusable.map((one) => ({
      start: one.start_seconds,
      end: one.end_seconds,
      strong: always,
    }));
    lanes.push({ name: "unusable", draw: spans(list) });
  }
  return lanes;
}
