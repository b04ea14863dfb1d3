/** All commands of the program. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";
import { readOptions, usageError, type Command } from "./command.ts";
import { configCommand } from "./config.ts";
import { inspectFile } from "./inspect.ts";
import { runMakeCheckpoint } from "./make-checkpoint.ts";
import { planCommand } from "./plan.ts";
import { replayCommand } from "./replay.ts";
import { sampleCommand } from "./sample.ts";
import { tagCommand } from "./tag.ts";
import { trainCommand } from "./train.ts";

const inspectCommand: Command = {
  name: "inspect",
  summary: "tell what a .safetensors, .ckpt or .pt file is",
  help: `lorasmith inspect FILE

Tells what a .safetensors, .ckpt or .pt file is: kind, configuration, tensors by type, metadata. Loads no weights.
`,
  async run(argv) {
    const { positionals } = readOptions("inspect", argv, {});
    const [path, extra] = positionals;
    if (path === undefined) throw usageError("inspect", "The file is missing");
    if (extra !== undefined) throw usageError("inspect", `Unexpected argument "${extra}"`);
    process.stdout.write(await inspectFile(path));
  },
};

const makeCheckpointCommand: Command = {
  name: "make-checkpoint",
  summary: "write a checkpoint with random weights, for tests",
  help: `lorasmith make-checkpoint --arch sd15|sd21|mini-sd15|mini-sd21 --out FILE [--seed N]

Writes a checkpoint of that layout with random f16 weights. The same seed gives the same file.
`,
  run: runMakeCheckpoint,
};

const benchCommand: Command = {
  name: "bench",
  summary: "measure the engine's operations beside other libraries",
  help: `lorasmith bench [options]

Measures operations on this machine's GPU. Needs the development packages of a source checkout; its options are those
of scripts/bench.mjs.
`,
  async run(argv) {
    const script = fileURLToPath(new URL("../../scripts/bench.mjs", import.meta.url));
    if (!existsSync(script)) throw new InputError("cli.bench", "bench needs a source checkout of Lorasmith, which this is not");
    const [code] = await once(spawn(process.execPath, [script, ...argv], { stdio: "inherit" }), "exit");
    return typeof code === "number" ? code : 1;
  },
};

export const commands: readonly Command[] = [
  trainCommand,
  planCommand,
  configCommand,
  tagCommand,
  sampleCommand,
  inspectCommand,
  replayCommand,
  benchCommand,
  makeCheckpointCommand,
];
