/** Lets one task at a time work on what they share, in the order in which they came. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task);
    // A task that fails fails for its owner only.
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
