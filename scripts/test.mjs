/**
 * `npm test`: everything, from a fresh clone. Installs what is missing and says so, then runs types, lint, layers, unit
 * tests, GPU tests on every adapter there is, and the browser tests. The last line has the totals.
 */
import { ensureChromium } from "./lib/chromium.mjs";
import { ensurePackages } from "./lib/packages.mjs";
import { runNpm } from "./lib/process.mjs";
import { checkTally, sum, tallyLine } from "./lib/tally.mjs";
import { runVitest } from "./lib/vitest.mjs";
import { testE2e } from "./test-e2e.mjs";
import { testGpu } from "./test-gpu.mjs";

ensurePackages();
const chromium = await ensureChromium();

const parts = [
  ["Types", () => checkTally(runNpm(["run", "--silent", "check"]))],
  ["Lint", () => checkTally(runNpm(["run", "--silent", "lint"]))],
  ["Layers", () => checkTally(runNpm(["run", "--silent", "check:layers"]))],
  ["Unit tests", () => runVitest("unit")],
  ["GPU tests", () => testGpu({ chromium })],
  ["Browser tests", () => testE2e({ chromium })],
];

const results = [];
for (const [name, test] of parts) {
  console.log(`\n== ${name}`);
  const started = performance.now();
  const tally = await test();
  results.push({ name, tally, seconds: Math.round((performance.now() - started) / 1000) });
}

console.log("");
for (const { name, tally, seconds } of results) console.log(`${name}: ${tallyLine(tally)} (${seconds} s)`);
const all = sum(results.map(({ tally }) => tally));
console.log(tallyLine(all));
process.exitCode = all.failed === 0 ? 0 : 1;
