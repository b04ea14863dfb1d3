import { unlink } from "node:fs/promises";
import { parseArgs } from "node:util";
import { InputError } from "../errors.ts";
import { elementCount } from "../formats/dtypes.ts";
import type { PlacedSpec, TensorSpec } from "../formats/safetensors-writer.ts";
import { safetensorsHeader } from "../formats/safetensors-writer.ts";
import type { Arch } from "../models/layout.ts";
import { checkpointShapes, positionIdsKey, recipes } from "../models/layout.ts";
import { RandomWeights } from "../models/random-weights.ts";
import type { NodeSink } from "./node-file.ts";
import { createNodeFile } from "./node-file.ts";

export interface MakeCheckpointOptions {
  readonly arch: Arch;
  /** The same seed gives the same file. */
  readonly seed: number;
  readonly out: string;
  /** Bytes written so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Elements made at once. */
const chunkElements = 1 << 20;

/** Tensors of a checkpoint of this layout, in no particular order: f16 weights and SD1's position ids. */
export function checkpointSpecs(arch: Arch): TensorSpec[] {
  return [...checkpointShapes(recipes[arch])].map(([name, shape]) => ({
    name,
    dtype: name === positionIdsKey ? "I64" : "F16",
    shape,
  }));
}

/** Writes a checkpoint with random weights, front to back, and returns its size in bytes. */
export async function makeCheckpoint({ arch, seed, out, onProgress }: MakeCheckpointOptions): Promise<number> {
  const { header, ordered, totalBytes } = safetensorsHeader(checkpointSpecs(arch), {
    "modelspec.title": `random weights of the layout ${arch}, seed ${seed}`,
    "modelspec.prediction_type": arch.endsWith("sd21") ? "v" : "epsilon",
  });
  const sink = await createNodeFile(out);
  try {
    await sink.write(header);
    for (const placed of ordered) {
      await writeTensor(sink, placed, seed);
      onProgress?.(header.length + placed.offset + placed.byteLength, totalBytes);
    }
  } catch (error) {
    await sink.close();
    await unlink(out);
    throw error;
  }
  await sink.close();
  return totalBytes;
}

async function writeTensor(sink: NodeSink, { spec }: PlacedSpec, seed: number): Promise<void> {
  const count = elementCount(spec.shape);
  if (spec.dtype === "I64") {
    await sink.write(new Uint8Array(BigInt64Array.from({ length: count }, (_, i) => BigInt(i)).buffer));
    return;
  }
  const weights = new RandomWeights(spec, seed);
  const chunk = new Uint16Array(Math.min(count, chunkElements));
  for (let start = 0; start < count; start += chunk.length) {
    const part = chunk.subarray(0, Math.min(chunk.length, count - start));
    weights.fill(part);
    await sink.write(new Uint8Array(part.buffer, 0, part.byteLength));
  }
}

const usage = "make-checkpoint --arch sd15|sd21|mini-sd15|mini-sd21 --seed N --out FILE.safetensors";

/** The command `make-checkpoint`. Throws InputError `cli.usage`, or `file.*` when the file cannot be written. */
export async function runMakeCheckpoint(argv: string[]): Promise<void> {
  const options = parseOptions(argv);
  let shown = 0;
  const bytes = await makeCheckpoint({
    ...options,
    onProgress(done, total) {
      const percent = Math.floor((100 * done) / total);
      if (process.stderr.isTTY && percent > shown) process.stderr.write(`\r${(shown = percent)} %`);
    },
  });
  if (process.stderr.isTTY) process.stderr.write("\r");
  process.stdout.write(`${options.out}: ${options.arch} with random weights, ${(bytes / 1e6).toFixed(1)} MB\n`);
}

function parseOptions(argv: string[]): { arch: Arch; seed: number; out: string } {
  const { arch, seed, out } = readFlags(argv);
  if (arch === undefined || !isArch(arch)) throw usageError(`--arch must be one of ${Object.keys(recipes).join(", ")}`);
  if (!/^\d{1,10}$/.test(seed) || Number(seed) >= 2 ** 32) throw usageError("--seed must be a whole number below 2^32");
  if (!out) throw usageError("--out is missing");
  return { arch, seed: Number(seed), out };
}

function readFlags(argv: string[]): { arch?: string | undefined; seed: string; out?: string | undefined } {
  try {
    const { values } = parseArgs({
      args: argv,
      options: { arch: { type: "string" }, seed: { type: "string", default: "0" }, out: { type: "string" } },
    });
    return values;
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
}

function isArch(name: string): name is Arch {
  return Object.hasOwn(recipes, name);
}

function usageError(what: string): InputError {
  return new InputError("cli.usage", `${what}. Usage: ${usage}`, { what });
}
