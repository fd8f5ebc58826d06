// What can be done to an edit: every function returns another edit, or the same where nothing can be done.

import type { Candidate, Edit, Moment, ReviewedVideo, ScoresDocument, Span } from "./types.ts";

/** Shortest moment, in seconds. */
export const SHORTEST = 0.1;
/** Shortest moment that hl chooses itself, in seconds. */
const SHORTEST_CHOICE = 2;
const CLOSE = 1e-6;

export function lengthOf(span: { start_seconds: number; end_seconds: number }): number {
  return span.end_seconds - span.start_seconds;
}

export function overlaps(a: Span, b: Span): boolean {
  return (
    a.video === b.video && a.start_seconds < b.end_seconds - CLOSE && b.start_seconds < a.end_seconds - CLOSE
  );
}

export function byTime(a: Span, b: Span): number {
  return a.video - b.video || a.start_seconds - b.start_seconds;
}

/** The kept moments in the order of the film. */
export function film(edit: Edit): Moment[] {
  const kept = edit.moments.filter((one) => one.keep);
  return edit.order === "time" ? kept.sort(byTime) : kept;
}

export function total(edit: Edit): number {
  return edit.moments.reduce((sum, one) => sum + (one.keep ? lengthOf(one) : 0), 0);
}

export function find(edit: Edit, id: string | null): Moment | undefined {
  return edit.moments.find((one) => one.id === id);
}

/** A name that no moment of the edit has. */
export function freshId(edit: Edit, video: number): string {
  const taken = new Set(edit.moments.map((one) => one.id));
  let number = edit.moments.length + 1;
  while (taken.has(`${video}-${number}`)) number += 1;
  return `${video}-${number}`;
}

/** The free stretch around an instant, between the kept moments besides `id`; null where it is taken. */
export function roomAt(
  edit: Edit,
  video: number,
  seconds: number,
  duration: number,
  id: string | null,
): [number, number] | null {
  let [low, high] = [0, duration];
  for (const one of edit.moments) {
    if (!one.keep || one.video !== video || one.id === id) continue;
    if (one.end_seconds <= seconds + CLOSE) low = Math.max(low, one.end_seconds);
    else if (one.start_seconds >= seconds - CLOSE) high = Math.min(high, one.start_seconds);
    else return null;
  }
  return high - low >= SHORTEST - CLOSE ? [low, high] : null;
}

function changed(edit: Edit, id: string, change: Partial<Moment>): Edit {
  return { ...edit, moments: edit.moments.map((one) => (one.id === id ? { ...one, ...change } : one)) };
}

/** Put the ends of a kept moment somewhere else, as far as its neighbours and the video let it. */
export function trim(edit: Edit, id: string, start: number, end: number, duration: number): Edit {
  const moment = find(edit, id);
  if (!moment) return edit;
  const middle = (moment.start_seconds + moment.end_seconds) / 2;
  const room = roomAt(edit, moment.video, middle, duration, id) ?? [0, duration];
  const [low, high] = moment.keep ? room : [0, duration];
  const first = Math.min(Math.max(start, low), high - SHORTEST);
  const last = Math.max(Math.min(end, high), first + SHORTEST);
  if (first === moment.start_seconds && last === moment.end_seconds) return edit;
  return changed(edit, id, { start_seconds: first, end_seconds: last });
}

/** Drop a moment, or keep it again as far as there is room. */
export function toggle(edit: Edit, id: string): Edit {
  const moment = find(edit, id);
  if (!moment) return edit;
  if (moment.keep) return changed(edit, id, { keep: false, pinned: false });
  const [piece] = without(
    moment,
    edit.moments.filter((one) => one.keep),
  ).sort((a, b) => lengthOf(b) - lengthOf(a));
  if (!piece || lengthOf(piece) < SHORTEST) return edit;
  return changed(edit, id, {
    keep: true,
    start_seconds: piece.start_seconds,
    end_seconds: piece.end_seconds,
  });
}

export function pin(edit: Edit, id: string): Edit {
  const moment = find(edit, id);
  return moment?.keep ? changed(edit, id, { pinned: !moment.pinned }) : edit;
}

/** Make two of one, at an instant inside it. */
export function split(edit: Edit, id: string, seconds: number): Edit {
  const moment = find(edit, id);
  if (!moment) return edit;
  if (seconds < moment.start_seconds + SHORTEST || seconds > moment.end_seconds - SHORTEST) return edit;
  const second = { ...moment, id: freshId(edit, moment.video), start_seconds: seconds };
  return {
    ...edit,
    moments: edit.moments.flatMap((one) =>
      one.id === id ? [{ ...moment, end_seconds: seconds }, second] : [one],
    ),
  };
}

/** Join a kept moment with the next kept one of its video, and what lies between. */
export function merge(edit: Edit, id: string): Edit {
  const moment = find(edit, id);
  if (!moment?.keep) return edit;
  const [next] = edit.moments
    .filter(
      (one) => one.keep && one.video === moment.video && one.start_seconds >= moment.end_seconds - CLOSE,
    )
    .sort(byTime);
  if (!next) return edit;
  const joined = { end_seconds: next.end_seconds, pinned: moment.pinned || next.pinned };
  const left = { ...edit, moments: edit.moments.filter((one) => one.id !== next.id) };
  return changed(left, id, joined);
}

/** Move a kept moment in the film; from then on the order is the user's own. */
export function move(edit: Edit, id: string, by: number): Edit {
  const order = film(edit);
  const from = order.findIndex((one) => one.id === id);
  const to = from + by;
  const moment = order[from];
  if (!moment || to < 0 || to >= order.length) return edit;
  order.splice(from, 1);
  order.splice(to, 0, moment);
  return { ...edit, order: "own", moments: [...order, ...edit.moments.filter((one) => !one.keep)] };
}

export function inTimeOrder(edit: Edit): Edit {
  return edit.order === "time" ? edit : { ...edit, order: "time", moments: [...edit.moments].sort(byTime) };
}

/** Keep a stretch that is not a moment yet, as far as there is room. */
export function add(edit: Edit, span: Span, duration: number): { edit: Edit; id: string | null } {
  const room = roomAt(edit, span.video, (span.start_seconds + span.end_seconds) / 2, duration, null);
  if (!room) return { edit, id: null };
  const start = Math.max(span.start_seconds, room[0]);
  const end = Math.min(span.end_seconds, room[1]);
  if (end - start < SHORTEST) return { edit, id: null };
  const id = freshId(edit, span.video);
  const moment = {
    id,
    video: span.video,
    start_seconds: start,
    end_seconds: end,
    keep: true,
    pinned: false,
  };
  return { edit: { ...edit, moments: [...edit.moments, moment] }, id };
}

/** Drop a moment and let nothing be chosen from it again. */
export function avoid(edit: Edit, id: string): Edit {
  const moment = find(edit, id);
  if (!moment) return edit;
  const span = {
    video: moment.video,
    start_seconds: moment.start_seconds,
    end_seconds: moment.end_seconds,
  };
  return { ...changed(edit, id, { keep: false, pinned: false }), avoid: [...edit.avoid, span] };
}

export function allow(edit: Edit, place: number): Edit {
  return { ...edit, avoid: edit.avoid.filter((_, index) => index !== place) };
}

export interface Ranked extends Span {
  score: number;
  peak_seconds: number;
  candidate: Candidate;
}

/** What is left of every candidate beside these spans, the best first. */
export function free(documents: (ScoresDocument | null)[], taken: Span[]): Ranked[] {
  const found: Ranked[] = [];
  documents.forEach((document, video) => {
    const here = taken.filter((one) => one.video === video).sort(byTime);
    for (const candidate of document?.moments ?? []) {
      const whole = { video, start_seconds: candidate.start_seconds, end_seconds: candidate.end_seconds };
      const near = here.filter((one) => overlaps(one, whole));
      const pieces = near.length ? without(whole, near) : [whole];
      // Without its peak the rest of it is nothing that hl would choose.
      const peak = candidate.peak_seconds;
      const piece = pieces.find((one) => one.start_seconds <= peak && peak < one.end_seconds);
      if (!piece || (near.length && lengthOf(piece) < SHORTEST_CHOICE)) continue;
      found.push({ ...piece, score: candidate.score, peak_seconds: peak, candidate });
    }
  });
  return found.sort((a, b) => b.score - a.score || byTime(a, b));
}

/** Where words were found, in the videos of a review, the best first. */
export function results(documents: ScoresDocument[], identities: string[]): Ranked[] {
  return documents
    .flatMap((document) =>
      document.moments.map((candidate) => ({
        video: identities.indexOf(document.video.sha256_head),
        start_seconds: candidate.start_seconds,
        end_seconds: candidate.end_seconds,
        score: candidate.score,
        peak_seconds: candidate.peak_seconds,
        candidate,
      })),
    )
    .filter((one) => one.video >= 0)
    .sort((a, b) => b.score - a.score || byTime(a, b));
}

/** The candidates that nobody has decided about, the best first; none is another take of what is kept. */
export function nextBest(edit: Edit, documents: (ScoresDocument | null)[], takes: Span[][] = []): Ranked[] {
  return free(documents, decided(edit, takes));
}

function decided(edit: Edit, takes: Span[][]): Span[] {
  const others = edit.moments.filter((one) => one.keep).flatMap((one) => takesOf(takes, one));
  return [...edit.moments, ...edit.avoid, ...others];
}

/** Takes of the same in the videos of a review: each list in the order of videos and time. */
export function takeGroups(videos: ReviewedVideo[]): Span[][] {
  const groups: Span[][] = [];
  videos.forEach((here, video) => {
    for (const one of here.document?.moments ?? []) {
      const spans = (one.alternatives ?? []).map((take) => ({
        video: take.video === undefined ? video : videos.findIndex((other) => other.path === take.video),
        start_seconds: take.start_seconds,
        end_seconds: take.end_seconds,
      }));
      const here: Span[] = [{ video, start_seconds: one.start_seconds, end_seconds: one.end_seconds }];
      // A take may lie in a file that is not reviewed.
      const group = [...here, ...spans.filter((take) => take.video >= 0)].sort(byTime);
      if (group.length > 1) groups.push(group);
    }
  });
  return groups;
}

/** The takes of what a stretch shows, itself among them; empty where there is one only. */
export function takesOf(groups: Span[][], span: Span): Span[] {
  return groups.find((group) => group.some((take) => isSame(take, span))) ?? [];
}

/** Which of the takes a stretch is. */
export function takeNumber(takes: Span[], span: Span): number {
  return takes.findIndex((take) => isSame(take, span));
}

/** Put another take in the place of a kept moment, the next one or the one before, around the end. */
export function otherTake(edit: Edit, id: string, groups: Span[][], by: 1 | -1): Edit {
  const moment = find(edit, id);
  if (!moment?.keep) return edit;
  const takes = takesOf(groups, moment);
  const now = takeNumber(takes, moment);
  for (let step = 1; step < takes.length; step += 1) {
    const take = takes[(now + by * step + takes.length * step) % takes.length];
    const isTaken = edit.moments.some((one) => one.keep && one.id !== id && take && overlaps(one, take));
    if (take && !isTaken) return changed(edit, id, bare(take));
  }
  return edit;
}

/** Whether two stretches share more than half of the shorter one: an end may have been moved. */
function isSame(a: Span, b: Span): boolean {
  const shared = Math.min(a.end_seconds, b.end_seconds) - Math.max(a.start_seconds, b.start_seconds);
  return a.video === b.video && shared > Math.min(lengthOf(a), lengthOf(b)) / 2;
}

/** Drop a moment and keep the best candidate that is left in its place in the film. */
export function swap(
  edit: Edit,
  id: string,
  documents: (ScoresDocument | null)[],
  takes: Span[][] = [],
): { edit: Edit; id: string | null } {
  const [best] = nextBest(edit, documents, takes);
  const moment = find(edit, id);
  if (!best || !moment?.keep) return { edit, id: null };
  const fresh = freshId(edit, best.video);
  const incoming: Moment = {
    id: fresh,
    video: best.video,
    start_seconds: best.start_seconds,
    end_seconds: best.end_seconds,
    keep: true,
    pinned: false,
  };
  const moments = edit.moments.flatMap((one) =>
    one.id === id ? [incoming, { ...one, keep: false, pinned: false }] : [one],
  );
  return { edit: { ...edit, moments }, id: fresh };
}

/**
 * Choose anew so that the film has a length: pinned moments stay, dropped and avoided ones do not come back,
 * the rest is taken best first, and the last one is cut to its best part.
 */
export function recut(
  edit: Edit,
  target: number,
  documents: (ScoresDocument | null)[],
  takes: Span[][] = [],
): Edit {
  const kept = edit.moments.filter((one) => one.keep);
  const pinned = kept.filter((one) => one.pinned);
  const dropped = edit.moments.filter((one) => !one.keep);
  const pool = [
    ...kept
      .filter((one) => !one.pinned)
      .map((moment) => ({ moment, ...meanScore(documents[moment.video] ?? null, moment) })),
    ...nextBest(edit, documents, takes).map((one) => ({
      moment: { ...bare(one), id: "", keep: true, pinned: false } as Moment,
      score: one.score,
      peak: one.peak_seconds,
    })),
  ].sort((a, b) => b.score - a.score || byTime(a.moment, b.moment));
  let room = target - pinned.reduce((sum, one) => sum + lengthOf(one), 0);
  const chosen: Moment[] = [];
  for (const { moment, peak } of pool) {
    const shortest = Math.min(SHORTEST_CHOICE, lengthOf(moment));
    if (room < shortest - CLOSE && (chosen.length || pinned.length)) break;
    const length = Math.min(lengthOf(moment), Math.max(room, shortest));
    const start = Math.min(Math.max(moment.start_seconds, peak - length / 2), moment.end_seconds - length);
    chosen.push({ ...moment, start_seconds: start, end_seconds: start + length });
    room -= length;
    if (room <= CLOSE) break;
  }
  let made: Edit = { ...edit, moments: [...dropped] };
  const fresh = chosen.map((one) => {
    const id = one.id || freshId({ ...made, moments: [...edit.moments, ...made.moments] }, one.video);
    made = { ...made, moments: [...made.moments, { ...one, id }] };
    return { ...one, id };
  });
  const byId = new Map([...pinned, ...fresh].map((one) => [one.id, one]));
  // What stays keeps its place; what is new comes after it, by time where the order is not the user's own.
  const stays = kept.flatMap((one) => byId.get(one.id) ?? []);
  const added = fresh.filter((one) => !kept.some((old) => old.id === one.id)).sort(byTime);
  const moments = [...stays, ...added];
  if (edit.order === "time") moments.sort(byTime);
  return { ...edit, moments: [...moments, ...dropped] };
}

function bare(span: Span): Span {
  return { video: span.video, start_seconds: span.start_seconds, end_seconds: span.end_seconds };
}

/** Mean score and best instant of a stretch. */
export function meanScore(
  document: ScoresDocument | null,
  span: { start_seconds: number; end_seconds: number },
): { score: number; peak: number } {
  const middle = (span.start_seconds + span.end_seconds) / 2;
  if (!document) return { score: 0, peak: middle };
  const clip = document.clip_seconds;
  const last = Math.min(document.scores.length, Math.ceil(span.end_seconds / clip - CLOSE));
  let [sum, weight, best, peak] = [0, 0, -1, middle];
  for (let index = Math.floor(span.start_seconds / clip); index < last; index += 1) {
    const start = Math.max(span.start_seconds, index * clip);
    const end = Math.min(span.end_seconds, (index + 1) * clip);
    const score = document.scores[index] ?? 0;
    sum += score * (end - start);
    weight += end - start;
    if (score > best) [best, peak] = [score, (start + end) / 2];
  }
  return { score: weight > 0 ? sum / weight : 0, peak };
}

/** What is left of a span beside others. */
function without(span: Span, others: Span[]): Span[] {
  let pieces = [bare(span)];
  for (const other of others) {
    pieces = pieces.flatMap((piece) =>
      overlaps(piece, other)
        ? [
            { ...piece, end_seconds: Math.min(piece.end_seconds, other.start_seconds) },
            { ...piece, start_seconds: Math.max(piece.start_seconds, other.end_seconds) },
          ].filter((one) => lengthOf(one) > CLOSE)
        : [piece],
    );
  }
  return pieces;
}

/** The instants near which an end snaps: cuts, and where speech begins and ends. */
export function snapPoints(document: ScoresDocument): number[] {
  const pauses = (document.speech ?? []).flat();
  return [0, document.video.duration_seconds, ...document.shot_boundaries_seconds, ...pauses].sort(
    (a, b) => a - b,
  );
}

/** The point nearest to an instant within a distance, or the instant itself. */
export function snapped(points: number[], seconds: number, reach: number): number {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle] ?? 0) < seconds) low = middle + 1;
    else high = middle;
  }
  const near = [points[low - 1], points[low]].filter((one): one is number => one !== undefined);
  near.sort((a, b) => Math.abs(a - seconds) - Math.abs(b - seconds));
  const best = near[0];
  return best !== undefined && Math.abs(best - seconds) <= reach ? best : seconds;
}
