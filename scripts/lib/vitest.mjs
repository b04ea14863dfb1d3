import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, packageFile, runNode } from "./process.mjs";

const vitest = packageFile("vitest/vitest.mjs");

/** Runs a vitest project with its output shown, and counts. A file that does not load counts as one failure. */
export async function runVitest(project, { env, filters = [] } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "lorasmith-vitest-"));
  const report = join(folder, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await runNode([vitest, "run", "--project", project, ...reporters, ...filters], { env });
    return countReport(report, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function countReport(report, code) {
  let results;
  try {
    results = JSON.parse(readFileSync(report, "utf8"));
  } catch {
    console.error("vitest ended without a report");
    return { passed: 0, failed: 1, skipped: 0 };
  }
  const broken = results.testResults.filter(({ status, assertionResults }) => status === "failed" && assertionResults.length === 0);
  const failed = results.numFailedTests + broken.length;
  return {
    passed: results.numPassedTests,
    // Errors outside of tests make vitest fail without a failed test.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: results.numPendingTests + results.numTodoTests,
  };
}

/** How many tests a project has. */
export function countTests(project) {
  const output = ask(process.execPath, [vitest, "list", "--project", project, "--json"]);
  return output === undefined ? 1 : JSON.parse(output).length;
}
