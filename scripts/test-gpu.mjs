/**
 * Runs the GPU tests once per adapter: lavapipe, SwiftShader, and the machine's GPU if it has one. An adapter that is
 * not there counts as skipped tests, as many as it would have run.
 *
 *   node scripts/test-gpu.mjs [--adapter NAME] [vitest's filters]
 */
import { fileURLToPath } from "node:url";
import { findAdapters } from "./lib/adapters.mjs";
import { findChromium } from "./lib/chromium.mjs";
import { ensurePackages } from "./lib/packages.mjs";
import { nothing, sum, tallyLine, total } from "./lib/tally.mjs";
import { countTests, runVitest } from "./lib/vitest.mjs";

export async function testGpu({ chromium, only, filters = [] }) {
  const adapters = findAdapters(chromium).filter(({ name }) => only === undefined || name === only);
  if (adapters.length === 0) {
    console.error(`There is no adapter "${only}"`);
    return { ...nothing, failed: 1 };
  }
  const tallies = [];
  for (const { name, env, description } of adapters.filter(({ missing }) => missing === undefined)) {
    console.log(`\nGPU tests on ${name}: ${description}`);
    const tally = await runVitest("gpu", { env, filters });
    console.log(`GPU tests on ${name}: ${tallyLine(tally)}`);
    tallies.push(tally);
  }
  for (const { name, missing } of adapters.filter((adapter) => adapter.missing !== undefined)) {
    const skipped = tallies[0] === undefined ? countTests("gpu") : total(tallies[0]);
    console.log(`\nGPU tests on ${name} are skipped (${skipped}): ${missing}`);
    tallies.push({ ...nothing, skipped });
  }
  return sum(tallies);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensurePackages();
  const args = process.argv.slice(2);
  const at = args.indexOf("--adapter");
  const only = at === -1 ? undefined : args.splice(at, 2)[1];
  const tally = await testGpu({ chromium: await findChromium(), only, filters: args });
  console.log(`\n${tallyLine(tally)}`);
  process.exit(tally.failed === 0 ? 0 : 1);
}
