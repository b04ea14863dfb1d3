/** Starts the program as a user does. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const projectRoot = fileURLToPath(new URL("../..", import.meta.url));

export function dataFile(name: string): string {
  return `${projectRoot}tests/reference/data/${name}`;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** Told all that stderr has so far, whenever it grows. */
  onStderr?(text: string, interrupt: () => void): void;
}

/** A little less than the longest that a test may take. */
const limitMs = 280_000;

/** Said where sources are newer than the bundle, which is nothing that a test is about. */
const buildNote = "lorasmith: building…\n";

/** Runs bin/lorasmith.mjs to its end. */
export function lorasmith(argv: readonly string[], { env = {}, onStderr }: RunOptions = {}): Promise<Finished> {
  const child = spawn(process.execPath, [`${projectRoot}bin/lorasmith.mjs`, ...argv], {
    env: { ...process.env, ...env },
    // A test that gave up must not leave its program running.
    timeout: limitMs,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    onStderr?.(stderr, () => child.kill("SIGINT"));
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr: stderr.replace(buildNote, "") }));
  });
}

/** The result of a run that must end well; throws all that it said otherwise. */
export async function succeeding(run: Promise<Finished>): Promise<Finished> {
  const finished = await run;
  if (finished.code === 0) return finished;
  throw new Error(`exit code ${finished.code}\n${finished.stdout}${finished.stderr}`);
}
