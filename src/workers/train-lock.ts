/**
 * One training tab per browser. The lock also keeps Chromium from freezing a hidden tab that trains
 * (pages that hold a Web Lock are exempt), and goes away by itself when the tab dies. `gpu-room.ts` takes it.
 */
export const trainLockName = "lorasmith-train";

/** Whether some tab trains at this moment. */
export async function isAnyTabTraining(): Promise<boolean> {
  const { held } = await navigator.locks.query();
  return held?.some((lock) => lock.name === trainLockName) ?? false;
}
