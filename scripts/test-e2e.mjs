/**
 * Runs the browser tests of tests/e2e with Playwright against a fresh build of the page.
 *
 *   node scripts/test-e2e.mjs [Playwright's filters]
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureChromium, swiftShaderManifest } from "./lib/chromium.mjs";
import { ensurePackages } from "./lib/packages.mjs";
import { packageFile, root, runNode } from "./lib/process.mjs";
import { nothing, tallyLine } from "./lib/tally.mjs";

export async function testE2e({ chromium, filters = [] }) {
  const folder = join(root, "tests/e2e");
  const specs = existsSync(folder) ? readdirSync(folder).filter((name) => /\.(spec|test)\.ts$/.test(name)) : [];
  if (specs.length === 0 || chromium === undefined) {
    const skipped = Math.max(1, specs.length);
    console.log(`Browser tests are skipped (${skipped}): ${specs.length === 0 ? "there are none" : "no Chromium could be found or installed"}`);
    return { ...nothing, skipped };
  }
  if ((await runNode([packageFile("vite/bin/vite.js"), "build", "--logLevel", "warn"])) !== 0) {
    console.error("The page could not be built");
    return { ...nothing, failed: specs.length };
  }
  const reports = mkdtempSync(join(tmpdir(), "lorasmith-e2e-"));
  const report = join(reports, "report.json");
  try {
    const code = await runNode([packageFile("playwright/cli.js"), "test", "--reporter=list,json", ...filters], {
      env: {
        LORASMITH_CHROMIUM: chromium,
        // Headless runs that are compared with the browser's use its own software adapter.
        LORASMITH_SWIFTSHADER_ICD: swiftShaderManifest(chromium) ?? "",
        PLAYWRIGHT_JSON_OUTPUT_NAME: report,
      },
    });
    return countReport(report, code);
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

function countReport(report, code) {
  if (!existsSync(report)) {
    console.error("Playwright ended without a report");
    return { ...nothing, failed: 1 };
  }
  const { stats, errors } = JSON.parse(readFileSync(report, "utf8"));
  const failed = stats.unexpected + errors.length;
  return {
    // A test that passes on its second try passed; Playwright's list names it as flaky.
    passed: stats.expected + stats.flaky,
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: stats.skipped,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensurePackages();
  const tally = await testE2e({ chromium: await ensureChromium(), filters: process.argv.slice(2) });
  console.log(`\n${tallyLine(tally)}`);
  process.exit(tally.failed === 0 ? 0 : 1);
}
