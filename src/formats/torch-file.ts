/** PyTorch files of weights: `.ckpt`, `.pt`, `.pth`, `.bin`. */
import type { ByteSource } from "./byte-source.ts";
import { dtypeBits } from "./dtypes.ts";
import { TensorFile } from "./tensor-file.ts";
import { readLegacy, readZip } from "./torch-container.ts";
import { gather, placeTensor, spanOf, type TorchEntry } from "./torch-layout.ts";
import { namedTensors, notesOf } from "./torch-state-dict.ts";
import { torchError } from "./torch-values.ts";

export type TorchFormat = "zip" | "legacy" | "tar";

/** Read at once for a piece of a tensor whose elements are not in order. */
const maxSpanBytes = 512 * 2 ** 20;

/**
 * Which of PyTorch's formats a file is in, if any.
 * @param start its first bytes, 512 or all
 */
export function torchFormat(start: Uint8Array): TorchFormat | undefined {
  const text = (at: number, length: number): string => String.fromCharCode(...start.subarray(at, at + length));
  if (text(0, 4) === "PK\u0003\u0004") return "zip";
  // A pickle of protocol 2 to 5; a safetensors header of a fitting length would have its brace behind it.
  if (start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5 && start[8] !== 0x7b) return "legacy";
  return text(257, 5) === "ustar" ? "tar" : undefined;
}

/**
 * Opens a PyTorch file without running anything of it: reads the description of its tensors and checks it completely.
 * Tensor data is read later, one tensor or chunk at a time. Notes that a file has at its top count as metadata.
 * @throws InputError `torch.{truncated,corrupt,unsafe,unsupported,limit,noTensors}`, `file.unreadable`
 */
export async function openTorchFile(source: ByteSource, format: TorchFormat): Promise<TorchFile> {
  if (format === "tar") throw torchError(source.name, "unsupported", "was written by a very old PyTorch");
  const { value, foreign, offsets } = await (format === "zip" ? readZip(source) : readLegacy(source));
  const tensors = new Map<string, TorchEntry>();
  for (const [name, tensor] of namedTensors(source.name, value)) {
    tensors.set(name, placeTensor(source.name, name, tensor, offsets.get(tensor.storage.key)!));
  }
  return new TorchFile(source, notesOf(value), tensors, [...foreign].toSorted());
}

export class TorchFile extends TensorFile<TorchEntry> {
  /** What Python would have run or made besides tensors and containers; nothing of it was. */
  readonly foreign: readonly string[];

  constructor(
    source: ByteSource,
    metadata: ReadonlyMap<string, string>,
    tensors: ReadonlyMap<string, TorchEntry>,
    foreign: readonly string[],
  ) {
    super(source, metadata, tensors);
    this.foreign = foreign;
  }

  async readBytes(entry: TorchEntry, at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const { shape, strides, offset, name } = entry;
    if (strides === undefined || length === 0) return this.source.read(offset + at, length);
    const elementBytes = dtypeBits[entry.dtype] / 8;
    const first = at / elementBytes;
    const count = length / elementBytes;
    const { low, high } = spanOf(shape, strides, first, first + count - 1);
    const spanBytes = (high - low + 1) * elementBytes;
    if (spanBytes > maxSpanBytes) {
      throw torchError(this.source.name, "limit", `scatters the tensor ${name} over ${spanBytes} bytes`, { tensor: name });
    }
    const span = await this.source.read(offset + low * elementBytes, spanBytes);
    return gather({ shape, strides }, { first, count, elementBytes, low }, span);
  }
}
