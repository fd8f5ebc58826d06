// What hl serve says (plugins/PROTOCOL.md) and what the page decides. Times are seconds from the first frame.

export interface Span {
  video: number;
  start_seconds: number;
  end_seconds: number;
}

export interface Moment extends Span {
  id: string;
  keep: boolean;
  pinned: boolean;
}

/** All decisions. The kept moments are the film, in this order. */
export interface Edit {
  moments: Moment[];
  avoid: Span[];
  order: "time" | "own";
}

/** A moment that hl could choose, best first in a document. */
export interface Candidate {
  start_seconds: number;
  end_seconds: number;
  score: number;
  peak_seconds: number;
  why: "picture" | "sound" | "both";
  reasons?: string[];
  /** Other takes of the same; without `video` in the same file. */
  alternatives?: { start_seconds: number; end_seconds: number; score: number; video?: string }[];
}

/** The scores document of one video; fields with `?` are not in documents of every version. */
export interface ScoresDocument {
  video: { sha256_head: string; duration_seconds: number; frame_rate: string; num_frames: number };
  model: { name: string; version: string };
  clip_seconds: number;
  scores: number[];
  shot_boundaries_seconds: number[];
  damage: string | null;
  moments: Candidate[];
  loudness?: number[] | null;
  motion?: number[] | null;
  speech?: [number, number][] | null;
  sounds?: { name: string; start_seconds: number; end_seconds: number; score: number }[] | null;
  unusable?: { start_seconds: number; end_seconds: number; reason: string }[] | null;
}

export interface ReviewedVideo {
  identity: string;
  path: string;
  name: string;
  problem: string | null;
  document: ScoresDocument | null;
}

export interface Format {
  suffix: string;
  title: string;
  targets: string[];
}

export interface Review {
  id: string;
  revision: number;
  changed: string;
  edit: Edit;
  videos: ReviewedVideo[];
  formats: Format[];
  folder: string;
}

export interface Media {
  address: string;
  proxy_address: string | null;
  /** The player's time of our second 0. */
  start_seconds: number;
  is_continuous: boolean;
  has_sound: boolean;
  frame_rate: number;
  codec: string;
  container: string;
}
