/** The hashes by which web UIs know models again. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { ByteSource } from "./byte-source.ts";

/** Where the web UI's old model hash looks: 64 KiB from 1 MiB on. */
const hashStart = 0x10_0000;
const hashLength = 0x1_0000;

/** The old short hash (`ss_sd_model_hash`); files that end before it have none. @throws InputError `file.unreadable` */
export async function shortModelHash(source: ByteSource): Promise<string | undefined> {
  const length = Math.min(hashLength, source.size - hashStart);
  if (length <= 0) return undefined;
  return bytesToHex(sha256(await source.read(hashStart, length))).slice(0, 8);
}
