/** Child processes of the house scripts. Only Node's own modules: some of this runs before packages are there. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Path of a file of an installed package. */
export function packageFile(path) {
  return join(root, "node_modules", path);
}

/**
 * Runs a program with its output shown.
 * @param limitMs after which it is killed: a driver that hangs must not hang the tests
 * @returns its exit code; 1 where it was killed or did not start
 */
export function run(command, args, { env = {}, limitMs = 30 * 60_000 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
    const timer = setTimeout(() => {
      console.error(`${command} ${args[0] ?? ""} ran for more than ${limitMs / 60_000} minutes and was ended`);
      child.kill("SIGKILL");
    }, limitMs);
    const finish = (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    };
    child.on("error", (error) => {
      console.error(`${command} did not start: ${error.message}`);
      finish(1);
    });
    child.on("exit", (code, signal) => {
      if (signal !== null) console.error(`${command} ${args[0] ?? ""} was ended by ${signal}`);
      finish(code);
    });
  });
}

/** Runs a JavaScript file with this Node. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/** Runs npm; on Windows it is a script, which needs a shell. */
export function runNpm(args) {
  return spawnSync("npm", args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" }).status ?? 1;
}

/** Output of a program that is asked something; undefined where it fails. */
export function ask(command, args, env = {}) {
  const { status, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 60_000,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? stdout : undefined;
}
