// Autosave: every change goes to the service at once, one at a time, made from the revision before.

import { PanelError } from "../../plugins/premiere/panel/errors.js";
import type { ReviewService } from "./client.ts";
import type { Edit } from "./types.ts";

export type SaveState = "saved" | "saving" | "waiting" | "conflict" | "refused";

const RETRY_MS = 1500;

export class Saver {
  state: SaveState = "saved";
  why = "";
  #pending: Edit | null = null;
  #isBusy = false;

  constructor(
    private readonly service: ReviewService,
    private readonly id: string,
    public revision: number,
    private readonly onChange: (saver: Saver) => void,
  ) {}

  get isClean(): boolean {
    return this.#pending === null && !this.#isBusy;
  }

  /** Keep an edit; of several in a row only the last one is sent. */
  keep(edit: Edit): void {
    this.#pending = edit;
    void this.#send();
  }

  /** Go on from a revision that was loaded; what was not saved is given up. */
  restart(revision: number): void {
    this.#pending = null;
    this.revision = revision;
    this.#tell("saved");
  }

  /** Write over a revision that was made elsewhere. */
  overwrite(revision: number, edit: Edit): void {
    this.revision = revision;
    this.state = "saving";
    this.keep(edit);
  }

  async #send(): Promise<void> {
    if (this.#isBusy || this.state === "conflict") return;
    this.#isBusy = true;
    while (this.#pending !== null) {
      const edit: Edit = this.#pending;
      this.#tell(this.state === "waiting" ? "waiting" : "saving");
      try {
        this.revision = (await this.service.save(this.id, this.revision, edit)).revision;
        if (this.#pending === edit) this.#pending = null;
        this.why = "";
      } catch (error) {
        const status = error instanceof PanelError ? error.status : -1;
        this.why = error instanceof Error ? error.message : String(error);
        if (status === 409) {
          this.#isBusy = false;
          this.#tell("conflict");
          return;
        }
        if (status > 0 && status < 500) {
          // It will not become right by trying again.
          this.#isBusy = false;
          this.#tell("refused");
          return;
        }
        this.#tell("waiting");
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.#isBusy = false;
    this.#tell("saved");
  }

  #tell(state: SaveState): void {
    this.state = state;
    this.onChange(this);
  }
}
