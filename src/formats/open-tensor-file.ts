import type { ByteSource } from "./byte-source.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorFile } from "./tensor-file.ts";
import { openTorchFile, torchFormat } from "./torch-file.ts";

/** Enough to tell the formats apart. */
const startBytes = 512;

/**
 * Opens a file of tensors by what is in it, whatever its name: safetensors, or PyTorch's formats old and new.
 * @throws InputError `safetensors.*`, `torch.*`, `file.unreadable`
 */
export async function openTensorFile(source: ByteSource): Promise<TensorFile> {
  const format = torchFormat(await source.read(0, Math.min(startBytes, source.size)));
  return format === undefined ? openSafetensors(source) : openTorchFile(source, format);
}
