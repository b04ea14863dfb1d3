/** A checkpoint of a full-size layout without its two gigabytes: shapes from the layout, data all zero. */
import { SafetensorsFile } from "../../../src/formats/safetensors.ts";
import type { SafetensorsEntry } from "../../../src/formats/safetensors-header.ts";
import { openCheckpoint } from "../../../src/models/config.ts";
import { checkpointShapes, recipes, type Arch } from "../../../src/models/layout.ts";
import type { Checkpoint } from "../../../src/models/checkpoint-types.ts";

export async function headerOnlyCheckpoint(arch: Arch): Promise<Checkpoint> {
  const tensors = new Map<string, SafetensorsEntry>();
  let offset = 0;
  for (const [name, shape] of checkpointShapes(recipes[arch])) {
    const byteLength = shape.reduce((a, b) => a * b, 1) * 2;
    tensors.set(name, { name, dtype: "F16", shape, offset, byteLength });
    offset += byteLength;
  }
  const source = { name: `${arch}.safetensors`, size: offset, read: async (_: number, length: number) => new Uint8Array(length) };
  return openCheckpoint(new SafetensorsFile(source, new Map(), tensors));
}
