/** One thing at a time on the GPU, in the order asked for. */
import { CancelledError } from "../errors.ts";

interface Waiting {
  readonly slot: string | undefined;
  start(): void;
  giveUp(reason: unknown): void;
}

export class GenerateQueue {
  readonly #waiting: Waiting[] = [];
  #isBusy = false;

  /**
   * Runs `work` when its turn comes. While it waits, an aborted signal rejects it with the signal's reason, and a newer
   * one of the same slot with CancelledError; `work` itself has to look at the signal once it runs.
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, slot?: string): Promise<T> {
    signal.throwIfAborted();
    if (slot !== undefined) this.#giveUp((entry) => entry.slot === slot, new CancelledError());
    await this.#turn(signal, slot);
    try {
      return await work();
    } finally {
      this.#isBusy = false;
      this.#startNext();
    }
  }

  #turn(signal: AbortSignal, slot: string | undefined): Promise<void> {
    return new Promise((resolve, reject: (reason: unknown) => void) => {
      const entry: Waiting = {
        slot,
        start: () => {
          signal.removeEventListener("abort", onabort);
          resolve();
        },
        giveUp: (reason) => {
          signal.removeEventListener("abort", onabort);
          reject(reason);
        },
      };
      const onabort = (): void => this.#giveUp((other) => other === entry, signal.reason);
      signal.addEventListener("abort", onabort);
      this.#waiting.push(entry);
      this.#startNext();
    });
  }

  #startNext(): void {
    if (this.#isBusy) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    this.#isBusy = true;
    next.start();
  }

  #giveUp(isMeant: (entry: Waiting) => boolean, reason: unknown): void {
    for (const entry of this.#waiting.filter(isMeant)) {
      this.#waiting.splice(this.#waiting.indexOf(entry), 1);
      entry.giveUp(reason);
    }
  }
}
