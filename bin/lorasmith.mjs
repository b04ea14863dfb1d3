#!/usr/bin/env node
/** Starts the command line. In a source checkout its bundle is made first wherever it is missing or out of date. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "dist", "cli");
const bundle = join(folder, "main.mjs");
/** What the bundle is made of. The page's part of src is not in it. */
const sources = ["package.json", "vite.cli.config.ts", "src"].map((name) => join(root, name));
const notInBundle = ["ui", "workers", "storage"].map((name) => join(root, "src", name));

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) fail(`Node 20.19 or newer is needed, this is ${process.versions.node}`);
if (!existsSync(join(root, "node_modules")) && existsSync(join(root, "src"))) {
  fail(`its packages are not installed; run "npm ci" in ${root}`);
}
if (isOutOfDate()) await build();

const { main } = await import(pathToFileURL(bundle).href);
const code = await main(process.argv.slice(2));
// Dawn keeps the process alive for ever, so it is ended, but not before everything written has left.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write("", resolve))));
process.exit(code);

function isOutOfDate() {
  if (!existsSync(join(root, "src"))) return false;
  if (!existsSync(bundle)) return true;
  const made = statSync(bundle).mtimeMs;
  return sources.some((source) => newest(source) > made);
}

/** Time of the last change at or below a path; a folder's own time tells of removed files. */
function newest(path) {
  if (notInBundle.includes(path)) return 0;
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Builds beside the final place and moves, so that programs started at the same time never see half a file. */
async function build() {
  process.stderr.write("lorasmith: building…\n");
  mkdirSync(folder, { recursive: true });
  const draft = mkdtempSync(join(folder, "draft-"));
  const started = new Date();
  let problem;
  try {
    const { build: viteBuild } = await import("vite");
    await viteBuild({ root, configFile: join(root, "vite.cli.config.ts"), logLevel: "error", build: { outDir: draft } });
    // As old as what was read: sources that were saved in the meantime make another build.
    utimesSync(join(draft, "main.mjs"), started, started);
    renameSync(join(draft, "main.mjs"), bundle);
  } catch (error) {
    problem = error;
  }
  rmSync(draft, { recursive: true, force: true });
  if (problem !== undefined) fail(`the program could not be built: ${problem instanceof Error ? problem.message : problem}`);
}

function fail(message) {
  process.stderr.write(`lorasmith: ${message}\n`);
  process.exit(1);
}
