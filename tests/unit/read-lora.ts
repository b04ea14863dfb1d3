/** What a standard LoRA holds, module by module, in the file's order: for comparing values. */
import type { TensorFile } from "../../src/formats/tensor-file.ts";
import { readNetwork } from "../../src/lora/network-reader.ts";
import { plainModule, type PlainModule } from "./lora-module.ts";

/** Throws what `readNetwork` throws, and an Error for what sd-scripts' `networks.lora` does not write. */
export async function readLora(file: TensorFile): Promise<PlainModule[]> {
  const { modules, misfits } = await readNetwork(file);
  if (misfits.length > 0) throw new Error(`not of a standard LoRA: ${misfits.map(({ name }) => name).join(", ")}`);
  const read: PlainModule[] = [];
  for (const { name, algorithm, magnitudes, rank, scale, out, parts } of modules) {
    const down = parts.get("lora_down");
    const up = parts.get("lora_up");
    const fileRank = down?.shape.length;
    const [, width = 0, kernel = 1] = down?.shape ?? [];
    const isStandard = (algorithm === "LoRA" || algorithm === "LoCon") && magnitudes === undefined && fileRank === up?.shape.length;
    if (down === undefined || up === undefined || !isStandard || (fileRank !== 2 && fileRank !== 4) || (kernel !== 1 && kernel !== 3)) {
      throw new Error(`${name} is no module of a standard LoRA`);
    }
    const factors = { down: await file.readF32(down.name), up: await file.readF32(up.name) };
    read.push(plainModule({ name, ...factors, alpha: scale * rank, rank, in: width, out, fileRank, kernel }));
  }
  return read;
}
