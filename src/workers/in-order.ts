/** Work on several things at a time, with the results in order. */

export interface WorkLimits {
  /** Things at a time. */
  readonly count: number;
  /** Of all of them together; one alone may be heavier. */
  readonly weight: number;
}

/** The result of each piece of work, failures included, as soon as those before it are out. */
export async function* inOrder<T, R>(
  items: Iterable<T>, weightOf: (item: T) => number, limits: WorkLimits, work: (item: T) => Promise<R>,
): AsyncGenerator<{ readonly item: T; readonly result: PromiseSettledResult<R> }> {
  const running: { item: T; weight: number; settled: Promise<PromiseSettledResult<R>> }[] = [];
  let weight = 0;
  for (const item of items) {
    const own = weightOf(item);
    while (running.length >= limits.count || (running.length > 0 && weight + own > limits.weight)) yield await next();
    weight += own;
    running.push({ item, weight: own, settled: settle(work(item)) });
  }
  while (running.length > 0) yield await next();

  async function next(): Promise<{ item: T; result: PromiseSettledResult<R> }> {
    const first = running[0]!;
    const result = await first.settled;
    running.shift();
    weight -= first.weight;
    return { item: first.item, result };
  }
}

async function settle<R>(work: Promise<R>): Promise<PromiseSettledResult<R>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}
