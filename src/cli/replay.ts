/** The command `replay`: recorded batches through the engine, to compare a run with another trainer's. */
import { join } from "node:path";
import { parseSetOption } from "../config/kohya.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import { encodeSafetensors } from "../formats/safetensors-writer.ts";
import { writeLoraFile } from "../lora/file.ts";
import { writeWordFile } from "../lora/word-file.ts";
import { replay, type ReplayResult } from "../training/replay.ts";
import { loraModules } from "../training/result.ts";
import { implementation } from "../version.ts";
import { readOptions, usageError, type Command } from "./command.ts";
import { describeGpu, openNodeGpu } from "./dawn.ts";
import { openNodeFile } from "./node-file.ts";
import { withModel } from "./open-model.ts";
import { clearLive, live, say } from "./terminal.ts";
import { makeFolder, writeWhole } from "./write-file.ts";

const help = `lorasmith replay TRACE.safetensors --model FILE --out FOLDER [--set KEY=VALUE …]

Trains on recorded batches. Writes losses.json (per micro-batch), grad_norms.json (per update, before clipping) and
adapter.safetensors, of a textual inversion embedding.safetensors, of a full training model.safetensors with the trained
tensors by the checkpoint's keys (32 bits, flat). A trace holds latents.{i} [B,4,h,w] (already scaled), noise.{i}, timesteps.{i} [B] i32,
input_ids.{i} [B,77] i32 and, if it has them, adapter.<kohya key> or words [n,width]; its metadata "config" is JSON by kohya's names.

  --model FILE       the checkpoint (.safetensors, .ckpt)
  --out FOLDER       where to write
  --set KEY=VALUE    a setting that wins over the trace's; repeatable
`;

export const replayCommand: Command = { name: "replay", summary: "train on recorded batches", help, run: runReplay };

async function runReplay(argv: string[]): Promise<void> {
  const { values: options, positionals } = readOptions("replay", argv, {
    model: { type: "string" },
    out: { type: "string" },
    set: { type: "string", multiple: true, default: [] },
  });
  const { model, out } = options;
  const [path, extra] = positionals;
  if (path === undefined) throw usageError("replay", "The trace is missing");
  if (extra !== undefined) throw usageError("replay", `Unexpected argument "${extra}"`);
  if (model === undefined) throw usageError("replay", "--model is missing");
  if (out === undefined) throw usageError("replay", "--out is missing");
  const overrides = Object.fromEntries(options.set.map(parseSetOption));
  const result = await withModel(model, async (checkpoint) => {
    const source = await openNodeFile(path);
    try {
      const trace = await openSafetensors(source);
      await makeFolder(out);
      const gpu = await openNodeGpu();
      say(`GPU: ${describeGpu(gpu)}`);
      try {
        return await replay(gpu, checkpoint, trace, { overrides, onUpdate: showUpdate });
      } finally {
        gpu.destroy();
      }
    } finally {
      await source.close();
    }
  });
  clearLive();
  await writeReplay(result, out);
  process.stdout.write(`${out}: ${result.gradNorms.length} updates, last loss ${result.losses.at(-1)}\n`);
}

function showUpdate(done: number, total: number, loss: number): void {
  if (process.stderr.isTTY) live(`update ${done}/${total}  loss ${loss.toFixed(4)}`);
}

async function writeReplay({ config, adapters, losses, gradNorms, weights, words, model }: ReplayResult, out: string): Promise<void> {
  const adapter = writeLoraFile({
    modules: loraModules(adapters.targets, weights),
    metadata: { ss_network_module: config.network_module, "modelspec.implementation_version": implementation },
    savePrecision: "float",
  });
  await writeWhole(join(out, "losses.json"), `${JSON.stringify(losses)}\n`);
  await writeWhole(join(out, "grad_norms.json"), `${JSON.stringify(gradNorms)}\n`);
  if (model !== undefined) {
    const tensors = [...model].map(([name, values]) => ({ name, dtype: "F32" as const, shape: [values.length], data: new Uint8Array(values.buffer) }));
    await writeWhole(join(out, "model.safetensors"), encodeSafetensors(tensors, { "modelspec.implementation_version": implementation }));
  } else if (words === undefined) await writeWhole(join(out, "adapter.safetensors"), adapter);
  else await writeWhole(join(out, "embedding.safetensors"), writeWordFile(words, { "modelspec.implementation_version": implementation }, "float"));
}
