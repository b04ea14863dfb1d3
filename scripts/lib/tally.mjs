/** Counts of tests. */

export const nothing = Object.freeze({ passed: 0, failed: 0, skipped: 0 });

export function sum(tallies) {
  return tallies.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    nothing,
  );
}

export function total({ passed, failed, skipped }) {
  return passed + failed + skipped;
}

export function tallyLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** A check that either holds or does not, by its exit code. */
export function checkTally(code) {
  return code === 0 ? { ...nothing, passed: 1 } : { ...nothing, failed: 1 };
}
