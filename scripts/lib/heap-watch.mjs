/** How much memory JavaScript takes in a page and its workers, by Chromium's protocol. */

const everyMs = 250;

/**
 * Looks at the heaps again and again.
 * @returns `stop`, which gives the most bytes that all heaps together had
 */
export async function heapWatch(page) {
  const session = await page.context().newCDPSession(page);
  const workers = new Set();
  const waiting = new Map();
  let id = 0;
  let peak = 0;
  session.on("Target.attachedToTarget", ({ sessionId }) => workers.add(sessionId));
  session.on("Target.detachedFromTarget", ({ sessionId }) => workers.delete(sessionId));
  session.on("Target.receivedMessageFromTarget", ({ message }) => {
    const answer = JSON.parse(message);
    waiting.get(answer.id)?.(answer.result?.usedSize ?? 0);
    waiting.delete(answer.id);
  });
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });

  const ask = async (sessionId) => {
    const number = ++id;
    const answer = new Promise((resolve) => {
      waiting.set(number, resolve);
      // A worker that is gone does not answer.
      setTimeout(() => resolve(0), 5000);
    });
    const message = JSON.stringify({ id: number, method: "Runtime.getHeapUsage" });
    await session.send("Target.sendMessageToTarget", { sessionId, message }).catch(() => waiting.get(number)?.(0));
    return answer;
  };
  let seen = 0;
  const look = async () => {
    const [{ usedSize }, ...others] = await Promise.all([session.send("Runtime.getHeapUsage"), ...[...workers].map(ask)]);
    seen = Math.max(seen, ...others, 0);
    peak = Math.max(peak, usedSize + others.reduce((sum, bytes) => sum + bytes, 0));
  };
  const ending = new AbortController();
  const watching = (async () => {
    while (!ending.signal.aborted) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    async stop() {
      ending.abort();
      await watching;
      await session.detach();
      if (seen === 0) throw new Error("No worker's heap was seen");
      return peak;
    },
  };
}
