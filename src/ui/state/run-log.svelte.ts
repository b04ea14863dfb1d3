/** A run's log as the page shows it: its latest lines; the store has them all. */
import type { LogRecord } from "../../storage/database.ts";

const shown = 500;
/** Complaints of the browser's storage that do not say so in their name. */
const notKept: ReadonlySet<string> = new Set(["model.copyNotKept", "run.resultNotStored"]);

export class RunLog {
  #lines: readonly LogRecord[] = $state.raw([]);

  get lines() {
    return this.#lines;
  }
  /** The latest complaint of the browser's storage in this run. */
  get storageWarning(): LogRecord["entry"] | undefined {
    return this.#lines.findLast(({ entry }) => entry.code.startsWith("storage.") || notKept.has(entry.code))?.entry;
  }

  show(lines: readonly LogRecord[]): void {
    this.#lines = lines.slice(-shown);
  }

  add(line: LogRecord): void {
    this.#lines = [...this.#lines.slice(1 - shown), line];
  }
}
