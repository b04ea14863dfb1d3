/**
 * `npm start`: from a fresh clone to the open page with nothing but Node. Installs packages if they are missing,
 * builds if the last build is older than the sources, serves it on http://localhost:4173 and opens a browser.
 * `--no-open` opens none. Imports nothing that is not part of Node, because it runs before packages exist.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { get } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const port = 4173;
const url = `http://localhost:${port}/`;
const isWindows = process.platform === "win32";

function fail(message) {
  console.error(message);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isEnough = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  if (!isEnough) {
    fail(`Lorasmith needs Node 20.19, 22.12 or later; this is ${process.versions.node}. Get it at https://nodejs.org`);
  }
}

/** Runs a command with its output shown; ends the program where it fails. */
function run(command, args, what) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit", shell: isWindows });
  if (error !== undefined || status !== 0) fail(`${what} did not work; the lines above say why.`);
}

/** Time of the latest change under a file or folder, in milliseconds since 1970; 0 where there is none. */
function changedAt(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => changedAt(join(path, name))));
}

/** Packages by path, as a lock file lists them; none where there is no such file. */
function lockedPackages(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : {};
}

/** Whether every package that the lock file names is there in that version. Optional ones depend on the platform. */
function isInstalled() {
  const installed = lockedPackages(join(root, "node_modules/.package-lock.json"));
  return Object.entries(lockedPackages(join(root, "package-lock.json"))).every(
    ([path, { version, optional }]) => path === "" || optional === true || installed[path]?.version === version,
  );
}

function installIfNeeded() {
  if (isInstalled()) return;
  console.log("Installing packages; this takes about a minute, and happens again only when they change.");
  run("npm", ["ci", "--no-audit", "--no-fund"], "Installing");
}

function buildIfStale() {
  const sources = ["src", "public", "index.html", "vite.config.ts", "package-lock.json"];
  const newest = Math.max(...sources.map((name) => changedAt(join(root, name))));
  if (changedAt(join(root, "dist/page/index.html")) >= newest) return;
  console.log("Building the page.");
  run(process.execPath, [vite, "build", "--logLevel", "warn"], "Building");
}

function openBrowser() {
  const hasDisplay = isWindows || process.platform === "darwin" || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  if (!hasDisplay) return;
  const [command, args] = isWindows
    ? ["cmd", ["/c", "start", "", url]]
    : process.platform === "darwin"
      ? ["open", [url]]
      : ["xdg-open", [url]];
  // A missing xdg-open is no reason to stop: the address is printed.
  spawn(command, args, { stdio: "ignore", detached: true }).on("error", () => {}).unref();
}

/** The page served at our address, or undefined where nothing answers. */
function servedPage() {
  return new Promise((resolve) => {
    get(url, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (body += part));
      response.on("end", () => resolve(body));
    }).on("error", () => resolve(undefined));
  });
}

function announce() {
  console.log(`\nLorasmith is at ${url}\nChrome and Edge work best. Stop with Ctrl C.`);
  if (!process.argv.includes("--no-open")) openBrowser();
}

const vite = join(root, "node_modules/vite/bin/vite.js");

checkNode();
installIfNeeded();
buildIfStale();

const running = await servedPage();
if (running !== undefined) {
  const title = /<title>(.*?)<\/title>/.exec(readFileSync(join(root, "dist/page/index.html"), "utf8"))?.[0] ?? "";
  if (!running.includes(title)) fail(`Another program uses port ${port}. End it, then run npm start again.`);
  announce();
} else {
  const server = spawn(process.execPath, [vite, "preview", "--port", String(port), "--strictPort"], {
    cwd: root,
    stdio: ["inherit", "ignore", "inherit"],
  });
  server.on("exit", (code) => process.exit(code ?? 0));
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.kill(signal));
  for (let waits = 0; (await servedPage()) === undefined; waits += 1) {
    if (waits > 100) fail("The server did not start.");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  announce();
}
