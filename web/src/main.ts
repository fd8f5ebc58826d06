// The page: state, and what every button and key does to it.

import { inWords, PanelError } from "../../plugins/premiere/panel/errors.js";
import { ReviewService } from "./client.ts";
import { Curve } from "./curve.ts";
import { askExport, askLearn, askRender, showHelp } from "./dialogs.ts";
import { button, byId, make, replace } from "./dom.ts";
import * as edits from "./edit.ts";
import { Jobs } from "./jobs.ts";
import { Player } from "./player.ts";
import { Saver } from "./saver.ts";
import { Stills } from "./stills.ts";
import type { Candidate, Edit, Moment, Review, ScoresDocument, Span } from "./types.ts";
import { clock, counted, isolated } from "./words.ts";
import "./style.css";

const MOST_UNDO = 200;
const MOST_NEXT = 8;
const MOST_FOUND = 30;
/** Half of what "New here" takes where hl has no candidate, in seconds. */
const AROUND = 3;

class Page {
  review!: Review;
  edit: Edit = { moments: [], avoid: [], order: "time" };
  selected: string | null = null;
  #past: Edit[] = [];
  #future: Edit[] = [];
  #base: Edit | null = null;
  #saver!: Saver;
  #sounds = new Set<string>();
  #playsCut = false;
  /** How much of each small copy is made, 0 where it is not known. */
  #takes: Span[][] = [];
  /** What was looked for last, and where it is. */
  #query = "";
  #found: edits.Ranked[] = [];
  #foundAt = -1;
  /** How the search goes; empty where it is over. */
  #foundSays = "";
  readonly #making = new Map<number, number>();
  readonly #player: Player;
  readonly #curve: Curve;
  readonly #stills: Stills;
  readonly jobs: Jobs;

  constructor(
    readonly service: ReviewService,
    private readonly wanted: Record<string, unknown>,
  ) {
    this.jobs = new Jobs(service, byId("jobs"));
    this.#stills = new Stills(service);
    this.#player = new Player(byId<HTMLVideoElement>("video"), {
      media: (video) => service.media(this.review.id, video),
      copy: (video) => this.#makeCopy(video),
      onTime: () => this.#onTime(),
      onState: () => this.#showTransport(),
      onTrouble: (words) => this.notice(words),
    });
    this.#curve = new Curve(byId("curve"), {
      onSeek: (seconds) => void this.#seek(this.#player.video, seconds),
      onSelect: (id) => this.select(id, false),
      onFound: (place) => this.#lookAtFound(place),
      onDrag: (id, start, end) => this.#preview((edit, length) => edits.trim(edit, id, start, end, length)),
      onDragEnd: () => this.#commitPreview(),
    });
    this.#listen();
  }

  // --- opening ---

  async open(id: string): Promise<void> {
    this.#take(await this.service.review(id));
    const model = this.wanted.model;
    const missing = this.review.videos.filter(
      (one) => !one.problem && (!one.document || (model !== undefined && one.document.model.name !== model)),
    );
    if (missing.length) await this.#score(missing.map((one) => one.path));
  }

  #take(review: Review, seeks = true): void {
    this.review = review;
    this.edit = review.edit;
    this.#takes = edits.takeGroups(review.videos);
    this.#past = [];
    this.#future = [];
    this.#saver = new Saver(this.service, review.id, review.revision, () => this.#showSaved());
    const names = review.videos.map((one) => isolated(one.name)).join(", ");
    document.title = `${names} · hl review`;
    if (!edits.find(this.edit, this.selected)) this.selected = edits.film(this.edit)[0]?.id ?? null;
    const first = edits.find(this.edit, this.selected);
    if (seeks) void this.#player.load(first?.video ?? this.#player.video, first?.start_seconds ?? 0);
    const [problem] = review.videos.flatMap((one) => one.problem ?? []);
    if (problem) this.notice(problem);
    this.show();
  }

  async #score(paths: string[]): Promise<void> {
    const options: Record<string, string | boolean> = {};
    if (this.wanted.visual_only === true) options.visual_only = true;
    if (typeof this.wanted.model === "string") options.model = this.wanted.model;
    const running = (await this.service.jobs()).find(
      (one) =>
        one.kind === "score" &&
        ["queued", "running"].includes(one.state) &&
        paths.every((path) => one.paths.includes(path)),
    );
    const job = running ?? (await this.service.startJob("score", paths, options));
    const done = await this.jobs.follow(job, "Finding moments");
    if (!done) return;
    await this.#saved();
    const all = this.review.videos.filter((one) => !one.problem).map((one) => one.path);
    this.#take(await this.service.open(all, options));
  }

  get documents(): (ScoresDocument | null)[] {
    return this.review.videos.map((one) => one.document);
  }

  #document(video = this.#player.video): ScoresDocument | null {
    return this.review.videos[video]?.document ?? null;
  }

  #length(video: number): number {
    return this.#document(video)?.video.duration_seconds ?? 0;
  }

  // --- changing ---

  /** Do something to the edit: it can be undone, and it is saved. */
  change(edit: Edit, selected: string | null = this.selected): void {
    this.selected = selected;
    if (edit !== this.edit) {
      this.#past = [...this.#past, this.edit].slice(-MOST_UNDO);
      this.#future = [];
      this.edit = edit;
      this.#saver.keep(edit);
    }
    this.show();
  }

  undo(): void {
    const before = this.#past.pop();
    if (!before) return;
    this.#future.push(this.edit);
    this.#replaceEdit(before);
  }

  redo(): void {
    const after = this.#future.pop();
    if (!after) return;
    this.#past.push(this.edit);
    this.#replaceEdit(after);
  }

  #replaceEdit(edit: Edit): void {
    this.edit = edit;
    if (!edits.find(edit, this.selected)) this.selected = edits.film(edit)[0]?.id ?? null;
    this.#saver.keep(edit);
    this.show();
  }

  /** Show what a drag would do; it counts when it ends. */
  #preview(change: (base: Edit, length: number) => Edit): void {
    this.#base ??= this.edit;
    this.edit = change(this.#base, this.#length(this.#player.video));
    this.#showCurve();
    this.#showTotal();
  }

  #commitPreview(): void {
    const base = this.#base;
    const made = this.edit;
    this.#base = null;
    if (!base) return;
    this.edit = base;
    this.change(made);
  }

  #onSelected(change: (edit: Edit, moment: Moment) => Edit): void {
    const moment = edits.find(this.edit, this.selected);
    if (moment) this.change(change(this.edit, moment));
  }

  setIn(): void {
    this.#setEnd("start");
  }

  setOut(): void {
    this.#setEnd("end");
  }

  #setEnd(edge: "start" | "end"): void {
    const at = this.#player.seconds;
    const moment = edits.find(this.edit, this.selected);
    if (!moment || moment.video !== this.#player.video) return this.keepHere();
    const [start, end] = edge === "start" ? [at, moment.end_seconds] : [moment.start_seconds, at];
    if (end - start < edits.SHORTEST) {
      return this.say(`The moment would end before it begins: it is ${spanWords(moment)}.`);
    }
    this.change(edits.trim(this.edit, moment.id, start, end, this.#length(moment.video)));
  }

  /** Keep what is around the playhead: hl's own candidate, or a few seconds between cuts. */
  keepHere(): void {
    const video = this.#player.video;
    const at = this.#player.seconds;
    const scores = this.#document(video);
    if (!scores) return;
    const inside = (one: { start_seconds: number; end_seconds: number }): boolean =>
      one.start_seconds <= at && at < one.end_seconds;
    const known = edits
      .nextBest(this.edit, this.documents, this.#takes)
      .find((one) => one.video === video && inside(one));
    const points = edits.snapPoints(scores);
    const span: Span = known ?? {
      video,
      start_seconds: edits.snapped(points, Math.max(0, at - AROUND), 1),
      end_seconds: edits.snapped(points, Math.min(scores.video.duration_seconds, at + AROUND), 1),
    };
    this.#add(span);
  }

  #add(span: Span): void {
    const made = edits.add(this.edit, span, this.#length(span.video));
    if (made.id === null) return this.say("There is no room: a kept moment is here already.");
    this.change(made.edit, made.id);
  }

  swap(id: string): void {
    const made = edits.swap(this.edit, id, this.documents, this.#takes);
    if (made.id === null) return this.say("Nothing is left to swap it for.");
    this.change(made.edit, made.id);
    this.select(made.id);
  }

  /** The next take of the same in the place of a moment, or the one before. */
  take(id: string, by: 1 | -1): void {
    const made = edits.otherTake(this.edit, id, this.#takes, by);
    if (made === this.edit) return this.say("There is no other take of it.");
    this.change(made, id);
    this.select(id);
  }

  merge(id: string): void {
    const made = edits.merge(this.edit, id);
    if (made === this.edit) this.say("No kept moment of this video comes after it.");
    this.change(made);
  }

  split(id: string): void {
    const made = edits.split(this.edit, id, this.#player.seconds);
    if (made === this.edit) this.say("Put the playhead inside the moment first.");
    this.change(made);
  }

  toggle(id: string): void {
    const made = edits.toggle(this.edit, id);
    if (made === this.edit) this.say("There is no room: kept moments cover it.");
    this.change(made, id);
  }

  // --- looking ---

  select(id: string, seeks = true): void {
    const moment = edits.find(this.edit, id);
    if (!moment) return;
    this.selected = id;
    if (seeks) void this.#seek(moment.video, moment.start_seconds);
    this.show();
    document.querySelector(".moment.selected")?.scrollIntoView({ block: "nearest" });
  }

  /** The next or the last moment in the film; dropped ones are passed over. */
  step(by: number): void {
    const order = edits.film(this.edit);
    const at = order.findIndex((one) => one.id === this.selected);
    const next = order[Math.min(Math.max(0, at + by), order.length - 1)];
    if (next) this.select(next.id);
  }

  async #seek(video: number, seconds: number): Promise<void> {
    const isOther = video !== this.#player.video;
    const loading = this.#player.load(video, seconds);
    if (isOther) this.show();
    this.#curve.reveal(seconds);
    await loading;
  }

  showVideo(video: number): void {
    const first = edits.film(this.edit).find((one) => one.video === video);
    this.selected = first?.id ?? null;
    void this.#seek(video, first?.start_seconds ?? 0);
  }

  playCut(): void {
    this.#playsCut = !this.#playsCut;
    if (this.#playsCut) {
      const order = edits.film(this.edit);
      const from = order.find((one) => one.id === this.selected) ?? order[0];
      if (!from) this.#playsCut = false;
      else {
        this.select(from.id);
        this.#player.forward(1);
      }
    } else {
      this.#player.stop();
    }
    this.#showTransport();
  }

  #onTime(): void {
    const seconds = this.#player.seconds;
    this.#curve.at(seconds);
    const length = this.#length(this.#player.video);
    byId("time").textContent = `${clock(seconds)} / ${clock(length)}`;
    const slider = byId("curve");
    slider.setAttribute("aria-valuenow", seconds.toFixed(1));
    slider.setAttribute("aria-valuemax", length.toFixed(1));
    const score = edits.meanScore(this.#document(), { start_seconds: seconds, end_seconds: seconds + 0.05 });
    slider.setAttribute(
      "aria-valuetext",
      `${clock(seconds)} of ${clock(length)}, score ${score.score.toFixed(2)}`,
    );
    if (this.#playsCut && this.#player.isPlaying) this.#followCut(seconds);
  }

  /** At the end of a moment go on with the next. */
  #followCut(seconds: number): void {
    const order = edits.film(this.edit);
    const at = order.findIndex((one) => one.id === this.selected);
    const now = order[at];
    if (!now || now.video !== this.#player.video) return;
    if (seconds < now.end_seconds - 0.02 && seconds >= now.start_seconds - 0.5) return;
    const next = order[at + 1];
    if (seconds < now.end_seconds - 0.02) return;
    if (next) this.select(next.id);
    else {
      this.#playsCut = false;
      this.#player.stop();
    }
  }

  // --- finding ---

  /** Look for what is heard, seen or said, in all videos of the review. */
  async find(query: string): Promise<void> {
    const videos = this.review.videos.filter((one) => one.document && !one.problem);
    if (!query || !videos.length) return this.clearFound();
    this.#query = query;
    this.#found = [];
    this.#foundAt = -1;
    this.#foundSays = `Looking for “${query}”…`;
    this.show();
    byId("found-part").scrollIntoView({ block: "nearest" });
    try {
      const paths = videos.map((one) => one.path);
      const job = await this.service.startJob("find", paths, { words: query, top: MOST_FOUND });
      const done = await this.service.finished(job.id, () => undefined, 150);
      const documents: ScoresDocument[] = done.results.num_scores ? await this.service.scores(job.id) : [];
      // Somebody may have looked for something else since.
      if (query !== this.#query) return;
      const identities = this.review.videos.map((one) => one.identity);
      this.#found = edits.results(documents, identities);
      const why = done.remarks.length ? `: ${done.remarks.join("; ")}` : "";
      if (this.#found.length) byId("found-part").parentElement?.scrollTo({ top: 0 });
      this.#foundSays = this.#found.length ? "" : `Nothing found for “${query}”${why}`;
    } catch (error) {
      if (query !== this.#query) return;
      const { message, hint } = inWords(error);
      this.#foundSays = `${message} ${hint}`;
    }
    this.show();
  }

  clearFound(): void {
    this.#query = "";
    this.#found = [];
    this.show();
  }

  #lookAtFound(place: number): void {
    const one = this.#found[place];
    if (!one) return;
    this.#foundAt = place;
    void this.#seek(one.video, one.start_seconds);
    this.show();
    document.querySelector("#found [aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  /** The next of what was found, or the one before. */
  #stepFound(by: number): void {
    const last = this.#found.length - 1;
    if (last >= 0) this.#lookAtFound(Math.min(Math.max(0, this.#foundAt + by), last));
  }

  #showFound(): void {
    byId("found-part").hidden = this.#query === "";
    byId("found-title").textContent =
      this.#foundSays || `${counted(this.#found.length, "place")} for “${this.#query}”`;
    replace(
      byId("found"),
      this.#found.map((one, place) => this.#foundRow(one, place)),
    );
  }

  #foundRow(one: edits.Ranked, place: number): HTMLElement {
    const row = this.#candidate(one, `found-${place}`, () => this.#lookAtFound(place));
    row.classList.replace("dropped", "found");
    if (place === this.#foundAt) {
      row.classList.add("selected");
      row.querySelector(".still")?.setAttribute("aria-current", "true");
    }
    return row;
  }

  async #makeCopy(video: number): Promise<string> {
    this.#making.set(video, 0);
    this.#showMaking();
    try {
      const job = await this.service.proxy(this.review.id, video);
      await this.service.finished(job.id, (now) => {
        this.#making.set(video, now.total > 0 ? now.done / now.total : 0);
        this.#showMaking();
      });
      const media = await this.service.media(this.review.id, video);
      if (!media.proxy_address) throw new PanelError("The small copy is gone again.", "Try again.");
      return media.proxy_address;
    } finally {
      this.#making.delete(video);
      this.#showMaking();
    }
  }

  /** Say that a copy of the video one looks at is being made, and how far it is. */
  #showMaking(): void {
    const share = this.#making.get(this.#player.video);
    byId("making").hidden = share === undefined;
    byId("making-words").textContent =
      share === undefined ? "" : "This browser cannot play the file: a small copy is made";
    const bar = byId<HTMLProgressElement>("making-bar");
    if (share) bar.value = share;
    else bar.removeAttribute("value");
  }

  // --- showing ---

  show(): void {
    this.#showVideos();
    this.#showSounds();
    this.#showFound();
    this.#showMoments();
    this.#showTotal();
    this.#showCurve();
    this.#showTransport();
    this.#showMaking();
    this.#showSaved();
    this.#onTime();
    this.#enable("undo", this.#past.length > 0, this.#future.length > 0 ? "redo" : "");
    this.#enable("redo", this.#future.length > 0, this.#past.length > 0 ? "undo" : "");
    byId<HTMLSelectElement>("order").value = this.edit.order;
    const scores = this.#document();
    byId("model").textContent = scores
      ? `scores by ${scores.model.name} ${scores.model.version}${scores.damage ? `; ${scores.damage}` : ""}`
      : "";
  }

  /** A button that can do nothing any more leaves the focus to its counterpart, where that can. */
  #enable(id: string, isEnabled: boolean, counterpart: string): void {
    const pressed = byId<HTMLButtonElement>(id);
    const hadFocus = pressed === document.activeElement;
    pressed.disabled = !isEnabled;
    if (isEnabled || !hadFocus || !counterpart) return;
    const other = byId<HTMLButtonElement>(counterpart);
    other.disabled = false;
    other.focus();
  }

  #showVideos(): void {
    const videos = this.review.videos.map((one, video) => {
      const made = button(isolated(one.name), `Show ${isolated(one.name)}`, () => this.showVideo(video));
      made.dataset.key = `video-${video}`;
      if (video === this.#player.video) made.setAttribute("aria-current", "true");
      return made;
    });
    replace(byId("videos"), videos);
  }

  #showSounds(): void {
    const names = [
      ...new Set(this.documents.flatMap((one) => (one?.sounds ?? []).map((sound) => sound.name))),
    ].sort();
    const holder = byId("sounds");
    holder.hidden = names.length === 0;
    replace(
      holder,
      names.map((name) => {
        const made = button(name, `Only moments with ${name}`, () => {
          if (!this.#sounds.delete(name)) this.#sounds.add(name);
          this.show();
        });
        made.dataset.key = `sound-${name}`;
        made.setAttribute("aria-pressed", String(this.#sounds.has(name)));
        return made;
      }),
    );
  }

  /** Whether a stretch has one of the sounds that are asked for. */
  #isHeard(span: Span): boolean {
    if (this.#sounds.size === 0) return true;
    return (this.#document(span.video)?.sounds ?? []).some(
      (one) => this.#sounds.has(one.name) && edits.overlaps({ ...one, video: span.video }, span),
    );
  }

  #showMoments(): void {
    const kept = edits.film(this.edit);
    const isShown = byId<HTMLInputElement>("show-dropped").checked;
    const dropped = isShown ? this.edit.moments.filter((one) => !one.keep).sort(edits.byTime) : [];
    const rows = [...kept, ...dropped].filter((one) => this.#isHeard(one));
    const list = byId("moments");
    replace(
      list,
      rows.map((one) => this.#row(one, kept.indexOf(one))),
    );
    if (rows.length === 0) {
      const found = this.documents.some((one) => one !== null);
      const words = found
        ? "No moment is kept. Add one of the next best, or press N where it is."
        : "No scores yet.";
      list.append(make("li", { class: "secondary" }, words));
    }
    const next = edits
      .nextBest(this.edit, this.documents, this.#takes)
      .filter((one) => this.#isHeard(one))
      .slice(0, MOST_NEXT);
    replace(
      byId("next"),
      next.map((one, place) =>
        this.#candidate(one, `next-${place}`, () => void this.#seek(one.video, one.start_seconds)),
      ),
    );
    byId("avoided-part").hidden = this.edit.avoid.length === 0;
    replace(
      byId("avoided"),
      this.edit.avoid.map((one, place) => {
        const words = this.#where(one);
        const again = button("Allow again", `Allow ${words} again`, () =>
          this.change(edits.allow(this.edit, place)),
        );
        again.dataset.key = `allow-${place}`;
        return make("li", { class: "row" }, words, again);
      }),
    );
  }

  #where(span: Span): string {
    const name =
      this.review.videos.length > 1 ? `${isolated(this.review.videos[span.video]?.name ?? "")} ` : "";
    return `${name}${spanWords(span)}`;
  }

  #row(one: Moment, place: number): HTMLElement {
    const { score, peak } = edits.meanScore(this.#document(one.video), one);
    const name = one.keep ? `moment ${place + 1}` : `the dropped moment at ${clock(one.start_seconds)}`;
    const row = make("li", { class: "moment", "data-id": one.id });
    row.classList.toggle("dropped", !one.keep);
    row.classList.toggle("selected", one.id === this.selected);
    const still = this.#stillButton(one, peak, `Show ${name}`, () => this.select(one.id));
    still.dataset.key = `still-${one.id}`;
    if (one.id === this.selected) still.setAttribute("aria-current", "true");
    const title = one.keep ? `${place + 1}. ${this.#where(one)}` : `dropped ${this.#where(one)}`;
    const known = this.#document(one.video)?.moments.find((candidate) =>
      edits.overlaps({ ...candidate, video: one.video }, one),
    );
    const takes = edits.takesOf(this.#takes, one);
    const number = edits.takeNumber(takes, one) + 1;
    const reason = known ? reasonWords(known) : number > 0 ? "another take of the same" : "added by hand";
    const words = make(
      "div",
      { class: "words" },
      make("strong", {}, title),
      make(
        "div",
        { class: "secondary" },
        `${edits.lengthOf(one).toFixed(1)} s, score ${score.toFixed(2)}${one.pinned ? ", pinned" : ""} · ${reason}`,
      ),
    );
    const actions = make("div", { class: "actions", role: "group", "aria-label": name });
    const act = (text: string, label: string, press: () => void): HTMLButtonElement => {
      const made = button(text, label, press);
      made.dataset.key = `${text}-${one.id}`;
      actions.append(made);
      return made;
    };
    act(one.keep ? "Drop" : "Keep", `${one.keep ? "Drop" : "Keep"} ${name} (X)`, () => this.toggle(one.id));
    if (one.keep) {
      act("Swap", `Swap ${name} for the next best (S)`, () => this.swap(one.id));
      if (number > 0) {
        const words = `Take ${number} of ${takes.length}`;
        act(words, `${words} of ${name}: put the next one here (T)`, () =>
          this.take(one.id, 1),
        ).dataset.key = `take-${one.id}`;
      }
      act("Pin", `Pin ${name}: it stays when the length changes (P)`, () =>
        this.change(edits.pin(this.edit, one.id), one.id),
      ).setAttribute("aria-pressed", String(one.pinned));
      act("Split", `Split ${name} at the playhead (C)`, () => this.split(one.id));
      act("Merge", `Merge ${name} with the next of its video (M)`, () => this.merge(one.id));
      act("↑", `Move ${name} earlier (Alt+Up)`, () => this.change(edits.move(this.edit, one.id, -1), one.id));
      act("↓", `Move ${name} later (Alt+Down)`, () => this.change(edits.move(this.edit, one.id, 1), one.id));
    }
    act("Avoid", `Avoid ${name}: nothing is chosen from it again (A)`, () =>
      this.change(edits.avoid(this.edit, one.id)),
    );
    row.append(still, words, actions);
    row.addEventListener("click", () => this.select(one.id));
    return row;
  }

  #candidate(one: edits.Ranked, key: string, look: () => void): HTMLElement {
    const name = this.#where(one);
    const row = make("li", { class: "moment dropped" });
    const still = this.#stillButton(one, one.peak_seconds, `Show ${name}`, look);
    still.dataset.key = `${key}-still`;
    const keep = button("Add", `Add ${name}`, () => this.#add(one));
    keep.dataset.key = key;
    const reason = reasonWords(one.candidate);
    row.append(
      still,
      make(
        "div",
        { class: "words" },
        make("strong", {}, name),
        make(
          "div",
          { class: "secondary" },
          `${edits.lengthOf(one).toFixed(1)} s, score ${one.score.toFixed(2)} · ${reason}`,
        ),
      ),
      make("div", { class: "actions" }, keep),
    );
    return row;
  }

  #stillButton(span: Span, peak: number, label: string, press: () => void): HTMLButtonElement {
    const made = button("", label, press);
    made.className = "still";
    const at = Math.min(Math.max(peak, span.start_seconds), span.end_seconds);
    this.#stills.show(made, this.review.videos[span.video]?.path ?? "", at);
    return made;
  }

  #showTotal(): void {
    const kept = edits.film(this.edit);
    const length = edits.total(this.edit);
    byId("total").textContent = `${clock(length)} · ${counted(kept.length, "moment")}`;
    const slider = byId<HTMLInputElement>("length");
    if (this.#base && document.activeElement === slider) return;
    const most = edits.free(this.documents, []).reduce((sum, one) => sum + edits.lengthOf(one), 0);
    slider.max = String(Math.ceil(Math.max(most, length)));
    slider.value = String(length);
    slider.setAttribute("aria-valuetext", `${clock(length)}, ${counted(kept.length, "moment")}`);
  }

  #showCurve(): void {
    this.#curve.edit = this.edit;
    this.#curve.selected = this.selected;
    this.#curve.sounds = this.#sounds;
    this.#curve.found = this.#found;
    this.#curve.show(this.#player.video, this.#document());
  }

  #showTransport(): void {
    const speed = this.#player.speed;
    const isFast = speed !== 0 && speed !== 1;
    byId("play").textContent = speed === 0 ? "Play" : isFast ? `Pause (${speed}×)` : "Pause";
    byId("play-cut").setAttribute("aria-pressed", String(this.#playsCut));
  }

  #showSaved(): void {
    const saver = this.#saver;
    const words = {
      saved: "Saved",
      saving: "Saving…",
      waiting: "Not saved, trying again",
      conflict: "Not saved",
      refused: "Not saved",
    };
    const place = byId("saved");
    place.textContent = words[saver.state];
    place.classList.toggle("bad", !["saved", "saving"].includes(saver.state));
    if (saver.state === "conflict") this.#showConflict();
    else if (saver.state === "refused") this.notice(saver.why);
    else if (saver.state === "waiting")
      this.notice(`${saver.why} What you do here is kept until it answers.`, "wait");
    else if (byId("notice").dataset.kind === "wait") this.notice("");
  }

  #showConflict(): void {
    const load = button(
      "Load what is there",
      "Load what is there, which the other tab saved",
      () => void this.#reload(),
    );
    const mine = button("Keep mine", "Keep mine, over what the other tab saved", () => void this.#keepMine());
    this.notice("This review was changed in another tab or window.", "conflict", load, mine);
  }

  async #reload(): Promise<void> {
    await this.#trying(async () => {
      this.notice("");
      this.#take(await this.service.review(this.review.id), false);
    });
  }

  async #keepMine(): Promise<void> {
    await this.#trying(async () => {
      const there = await this.service.review(this.review.id);
      this.notice("");
      this.#saver.overwrite(there.revision, this.edit);
    });
  }

  /** Another tab may have gone on while this one was away. */
  async #lookAgain(): Promise<void> {
    if (!this.#saver?.isClean || this.#saver.state !== "saved") return;
    const there = await this.service.review(this.review.id).catch(() => null);
    if (there && there.revision > this.#saver.revision && this.#saver.isClean) {
      this.#take(there, false);
      this.say("Loaded what another tab saved.");
    }
  }

  /** Wait until what was done is on the service's disk. */
  async #saved(): Promise<void> {
    while (!this.#saver.isClean) {
      if (["conflict", "refused"].includes(this.#saver.state)) {
        throw new PanelError("The review is not saved yet.", "Decide what shall be kept first.");
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  say(words: string): void {
    this.notice(words, "word");
    setTimeout(() => byId("notice").textContent?.startsWith(words) && this.notice(""), 6000);
  }

  notice(words: string, kind = "error", ...buttons: HTMLButtonElement[]): void {
    const place = byId("notice");
    if (place.dataset.kind === "conflict" && words && kind !== "conflict" && !place.hidden) return;
    place.hidden = words === "";
    place.dataset.kind = kind;
    place.replaceChildren(words, ...buttons);
  }

  async #trying(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const { message, hint } = inWords(error);
      this.notice(`${message} ${hint}`);
    }
  }

  // --- results ---

  async send(
    what: "export" | "render" | "learn",
    options: Record<string, unknown>,
    title: string,
  ): Promise<void> {
    await this.#saved();
    const job = await this.service.work(this.review.id, what, options);
    void this.#trying(() => this.jobs.follow(job, title));
  }

  // --- keys and buttons ---

  #listen(): void {
    const on = (id: string, press: () => void): void => byId(id).addEventListener("click", press);
    on("undo", () => this.undo());
    on("redo", () => this.redo());
    on("help", () => showHelp());
    on("back", () => this.#player.backward());
    on("play", () => this.#player.toggle());
    on("forward", () => this.#player.forward());
    on("play-cut", () => this.playCut());
    on("zoom-in", () => this.#curve.zoom(0.5));
    on("zoom-out", () => this.#curve.zoom(2));
    on("zoom-all", () => this.#curve.view(0, this.#length(this.#player.video)));
    on("zoom-moment", () => this.#zoomToMoment());
    on("set-in", () => this.setIn());
    on("set-out", () => this.setOut());
    on("new", () => this.keepHere());
    on("found-clear", () => this.clearFound());
    const words = byId<HTMLInputElement>("words");
    byId("find").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.find(words.value.trim());
    });
    words.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      words.value = "";
      words.blur();
      this.clearFound();
    });
    on("export", () => askExport(this));
    on("render", () => askRender(this));
    on("learn", () => askLearn(this));
    byId("video").addEventListener("click", () => this.#player.toggle());
    byId("show-dropped").addEventListener("change", () => this.show());
    byId<HTMLSelectElement>("order").addEventListener("change", (event) => {
      const order = (event.target as HTMLSelectElement).value;
      this.change(
        order === "time"
          ? edits.inTimeOrder(this.edit)
          : {
              ...this.edit,
              order: "own",
              moments: [...edits.film(this.edit), ...this.edit.moments.filter((one) => !one.keep)],
            },
      );
    });
    const slider = byId<HTMLInputElement>("length");
    slider.addEventListener("input", () => {
      const target = Number(slider.value);
      this.#preview((base) => edits.recut(base, target, this.documents, this.#takes));
      if (!edits.find(this.edit, this.selected)) this.selected = edits.film(this.edit)[0]?.id ?? null;
    });
    slider.addEventListener("change", () => this.#commitPreview());
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("visibilitychange", () => document.hidden || void this.#lookAgain());
    addEventListener("focus", () => void this.#lookAgain());
    addEventListener("beforeunload", (event) => {
      if (this.#saver && !this.#saver.isClean) event.preventDefault();
    });
  }

  #zoomToMoment(): void {
    const moment = edits.find(this.edit, this.selected);
    if (!moment) return;
    const margin = Math.max(2, edits.lengthOf(moment) / 2);
    this.#curve.view(moment.start_seconds - margin, moment.end_seconds + margin);
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (byId<HTMLDialogElement>("dialog").open || event.isComposing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y")) {
      event.preventDefault();
      if (key === "y" || event.shiftKey) this.redo();
      else this.undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || target.matches("[type=search]")) return;
    const isTyped = target.matches("input, select, textarea");
    // These mean something else to what has the focus.
    const isTaken = key === " " || key === "Enter" ? target.matches("button, a, input, select") : false;
    if (isTaken || (isTyped && !/^[jklioxsptacmrnz]$/.test(key)) || target.matches("select")) return;
    const selected = this.selected ?? "";
    const keys: Record<string, () => void> = {
      " ": () => this.#player.toggle(),
      k: () => this.#player.stop(),
      j: () => this.#player.backward(),
      l: () => this.#player.forward(),
      i: () => this.setIn(),
      o: () => this.setOut(),
      n: () => this.keepHere(),
      x: () => this.toggle(selected),
      Delete: () => this.toggle(selected),
      s: () => this.swap(selected),
      p: () => this.#onSelected((edit, one) => edits.pin(edit, one.id)),
      a: () => this.#onSelected((edit, one) => edits.avoid(edit, one.id)),
      c: () => this.split(selected),
      m: () => this.merge(selected),
      r: () => this.playCut(),
      z: () => this.#zoomToMoment(),
      t: () => this.take(selected, event.shiftKey ? -1 : 1),
      e: () => askExport(this),
      "/": () => byId("words").focus(),
      "[": () => this.#stepFound(-1),
      "]": () => this.#stepFound(1),
      "?": () => showHelp(),
      "+": () => this.#curve.zoom(0.5),
      "=": () => this.#curve.zoom(0.5),
      "-": () => this.#curve.zoom(2),
      "0": () => this.#curve.view(0, this.#length(this.#player.video)),
      Home: () => void this.#seek(this.#player.video, 0),
      End: () => void this.#seek(this.#player.video, this.#length(this.#player.video) - 0.05),
      PageUp: () => this.#curve.pan(-0.5),
      PageDown: () => this.#curve.pan(0.5),
      ArrowLeft: () => this.#arrow(event, -1),
      ArrowRight: () => this.#arrow(event, 1),
      ArrowUp: () =>
        event.altKey ? this.#onSelected((edit, one) => edits.move(edit, one.id, -1)) : this.step(-1),
      ArrowDown: () =>
        event.altKey ? this.#onSelected((edit, one) => edits.move(edit, one.id, 1)) : this.step(1),
    };
    const act = keys[key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #arrow(event: KeyboardEvent, direction: number): void {
    if (event.shiftKey) void this.#seek(this.#player.video, this.#player.seconds + direction);
    else this.#player.step(direction);
  }
}

export type { Page };

function spanWords(span: Span): string {
  return `${clock(span.start_seconds)} to ${clock(span.end_seconds)}`;
}

/** Why hl would choose it: in words where the document has them. */
function reasonWords({ why, reasons }: Candidate): string {
  if (reasons?.length) return reasons.join("; ");
  return why === "both" ? "picture and sound stand out" : `the ${why} stands out`;
}

async function begin(): Promise<void> {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const ticket = fragment.get("ticket");
  let token = sessionStorage.getItem("token");
  const service = new ReviewService(token);
  if (ticket) {
    try {
      token = await service.redeem(ticket);
      sessionStorage.setItem("token", token);
    } catch (error) {
      // A page that was loaded again has the token already.
      if (token === null) throw error;
    }
    // Used up: a bookmark or another look at the address bar shall not hold it.
    fragment.delete("ticket");
    history.replaceState(null, "", `#${fragment}`);
  }
  const id = fragment.get("review");
  if (token === null || id === null) {
    throw new PanelError(
      "This page does not know what to show.",
      "Run hl review VIDEO in a terminal: it opens the page.",
    );
  }
  const wanted: Record<string, unknown> = {};
  if (fragment.get("model")) wanted.model = fragment.get("model");
  if (fragment.get("visual_only")) wanted.visual_only = true;
  const page = new Page(service, wanted);
  await page.open(id);
}

begin().catch((error: unknown) => {
  const { message, hint } = inWords(error);
  const place = byId("notice");
  place.hidden = false;
  place.textContent = `${message} ${hint}`;
});
