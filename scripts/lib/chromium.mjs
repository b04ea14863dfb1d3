/** A Chromium for tests: the system's, Playwright's, or a newly installed one. */
import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { packageFile, run, runNode } from "./process.mjs";

const commands = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const macApps = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];

/** Path of an installed Chromium; `LORASMITH_CHROMIUM` wins. Undefined where there is none. */
export async function findChromium() {
  const chosen = process.env.LORASMITH_CHROMIUM;
  if (chosen !== undefined && chosen !== "") return chosen;
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = [...commands.flatMap((name) => folders.map((folder) => join(folder, name))), ...macApps];
  const { chromium } = await import("playwright");
  return [...candidates, chromium.executablePath()].find((path) => existsSync(path));
}

/** Finds a Chromium, or installs Playwright's, or Debian's where this is root's machine. */
export async function ensureChromium() {
  const found = await findChromium();
  if (found !== undefined) return found;
  console.log("No Chromium was found; installing Playwright's");
  await runNode([packageFile("playwright/cli.js"), "install", "chromium"]);
  const installed = await findChromium();
  if (installed !== undefined) return installed;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return undefined;
  console.log("That did not work; installing Debian's chromium");
  await run("apt-get", ["update", "-q"]);
  await run("apt-get", ["install", "-y", "-q", "--no-install-recommends", "chromium"], {
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  return findChromium();
}

/** Manifest of the software Vulkan driver that comes with a Chromium; undefined where it has none. */
export function swiftShaderManifest(chromium) {
  const folders = chromium === undefined ? [] : [dirname(realpathSync(chromium))];
  // On Linux the command is often a script that starts the program elsewhere.
  folders.push("/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome");
  return folders.map((folder) => join(folder, "vk_swiftshader_icd.json")).find((path) => existsSync(path));
}
