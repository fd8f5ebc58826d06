// The calls of the review page, on top of the client that the Premiere panel has.

import { Service } from "../../plugins/premiere/panel/service.js";
import type { Edit, Media, Review } from "./types.ts";

export type Job = Awaited<ReturnType<Service["cancel"]>>;
export type Options = Record<string, unknown>;

export class ReviewService extends Service {
  constructor(token: string | null) {
    super({ origin: location.origin, token, absentHint: "Run hl review again, in a terminal." });
  }

  /** Trade the ticket of the page's address for the token, once. */
  async redeem(ticket: string): Promise<string> {
    const answer = await this.json("POST", "/v1/tickets/redeem", { ticket });
    this.token = answer.token as string;
    return this.token;
  }

  review(id: string): Promise<Review> {
    return this.json("GET", `/v1/reviews/${id}`);
  }

  /** Open the review of these videos, with the newest scores. */
  open(paths: string[], options: Options): Promise<Review> {
    return this.json("POST", "/v1/reviews", { paths, ...options });
  }

  /** Keep an edit; when this returns, it is on disk. */
  save(id: string, revision: number, edit: Edit): Promise<{ revision: number }> {
    return this.json("PUT", `/v1/reviews/${id}`, { revision, edit });
  }

  media(id: string, video: number): Promise<Media> {
    return this.json("GET", `/v1/reviews/${id}/media/${video}`);
  }

  proxy(id: string, video: number): Promise<Job> {
    return this.json("POST", `/v1/reviews/${id}/proxy/${video}`, {});
  }

  work(id: string, what: "export" | "render" | "learn", options: Options): Promise<Job> {
    return this.json("POST", `/v1/reviews/${id}/${what}`, options);
  }

  async jobs(): Promise<Job[]> {
    return (await this.json("GET", "/v1/jobs")).jobs;
  }
}
