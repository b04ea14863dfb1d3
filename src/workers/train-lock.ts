/**
 * One training tab per browser. The lock also keeps Chromium from freezing a hidden tab that trains
 * (pages that hold a Web Lock are exempt), and goes away by itself when the tab dies.
 */
export const trainLockName = "lorasmith-train";

/** Runs `work` under the lock; false, without running it, where another tab holds it. */
export async function aloneInThisBrowser(work: () => Promise<void>): Promise<boolean> {
  return navigator.locks.request(trainLockName, { ifAvailable: true }, async (lock) => {
    if (lock === null) return false;
    await work();
    return true;
  });
}

/** Whether some tab trains at this moment. */
export async function isAnyTabTraining(): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return held?.some((lock) => lock.name === trainLockName) ?? false;
}
