/**
 * Keeps the screen on while a run goes, because a sleeping computer does not train. Refusal (battery saver, no
 * support) is no error. The browser lets go when the page is hidden, so it is asked again when the page is back.
 * Returns the way to end it.
 */
export function keepAwake(): () => void {
  let sentinel: WakeLockSentinel | undefined;
  let isOver = false;

  async function hold(): Promise<void> {
    if (document.hidden || isOver) return;
    const held = await navigator.wakeLock?.request("screen").catch(() => undefined);
    if (isOver) await held?.release();
    else sentinel = held;
  }
  const again = (): void => void hold();

  document.addEventListener("visibilitychange", again);
  again();
  return () => {
    isOver = true;
    document.removeEventListener("visibilitychange", again);
    void sentinel?.release();
  };
}
