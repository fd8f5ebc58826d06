// What the service works on for this page, with progress and results.

import { Cancelled, inWords } from "../../plugins/premiere/panel/errors.js";
import type { Job, ReviewService } from "./client.ts";
import { button, make } from "./dom.ts";

export class Jobs {
  constructor(
    private readonly service: ReviewService,
    private readonly list: HTMLElement,
  ) {}

  /** Show a job until it is over; null where it was cancelled or failed, which is shown, too. */
  async follow(job: Job, title: string): Promise<Job | null> {
    const bar = make("progress", { max: "1", "aria-label": title });
    const words = make("span", { class: "secondary" }, "waiting");
    const stop = button(
      "Cancel",
      `Cancel: ${title}`,
      () => void this.service.cancel(job.id).catch(() => undefined),
    );
    const row = make("li", {}, make("strong", {}, title), bar, words, stop);
    this.list.prepend(row);
    const clear = button("Hide", `Hide: ${title}`, () => row.remove());
    try {
      const done = await this.service.finished(
        job.id,
        (now) => {
          if (now.total > 0) bar.value = Math.min(1, now.done / now.total);
          else bar.removeAttribute("value");
          words.textContent = now.state === "queued" ? "waiting" : now.stage;
        },
        300,
      );
      bar.remove();
      stop.remove();
      const said = [...done.results.files, ...done.remarks, ...done.problems.map((one) => one.message)];
      words.textContent = `done${said.length ? `: ${said.join(" · ")}` : ""}`;
      words.setAttribute("role", "status");
      row.append(clear);
      return done;
    } catch (error) {
      bar.remove();
      stop.remove();
      const { message, hint } = inWords(error);
      words.textContent = error instanceof Cancelled ? "cancelled" : `${message} ${hint}`;
      words.className = error instanceof Cancelled ? "secondary" : "bad";
      words.setAttribute("role", "alert");
      row.append(clear);
      return null;
    }
  }
}
