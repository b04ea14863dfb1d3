import { existsSync } from "node:fs";
import { packageFile, root, runNpm } from "./process.mjs";

/** Installs the packages of a fresh clone, and says so. Ends the program where that fails. */
export function ensurePackages() {
  if (existsSync(packageFile(".package-lock.json"))) return;
  console.log(`Packages are missing in ${root}; running npm ci`);
  const code = runNpm(["ci"]);
  if (code !== 0) {
    console.error("npm ci failed; the lines above say why");
    process.exit(code);
  }
}
