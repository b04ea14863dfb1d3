import { invariant } from "../errors.ts";
import type { Dtype } from "./dtypes.ts";
import { dtypeBits, dtypeRank, elementCount } from "./dtypes.ts";

export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

export interface PlacedSpec<S extends TensorSpec = TensorSpec> {
  readonly spec: S;
  /** Byte position relative to the end of the header. */
  readonly offset: number;
  readonly byteLength: number;
}

export interface PlannedFile<S extends TensorSpec = TensorSpec> {
  /** The first bytes of the file: length, JSON, padding. */
  readonly header: Uint8Array<ArrayBuffer>;
  /** In file order: write their data one after the other behind the header. */
  readonly ordered: readonly PlacedSpec<S>[];
  /** Size of the whole file in bytes. */
  readonly totalBytes: number;
}

export type Metadata = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/**
 * Lays a file out as the reference implementation does: larger element types first, then by name; compact JSON with
 * `__metadata__` first, padded with spaces to a multiple of 8 bytes. For files too big to hold, write `header` and
 * then each tensor of `ordered`.
 */
export function safetensorsHeader<S extends TensorSpec>(specs: readonly S[], metadata?: Metadata): PlannedFile<S> {
  const names = new Set(specs.map((spec) => spec.name));
  invariant(names.size === specs.length && !names.has("__metadata__"), "tensor names are unique and not reserved");
  const sorted = [...specs].sort(
    (a, b) => dtypeRank(b.dtype) - dtypeRank(a.dtype) || compareUtf8(a.name, b.name),
  );
  const fields: string[] = [];
  const pairs = metadata instanceof Map ? [...metadata] : Object.entries(metadata ?? {});
  if (pairs.length > 0) {
    const texts = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    fields.push(`"__metadata__":{${texts.join(",")}}`);
  }
  let offset = 0;
  const ordered = sorted.map((spec): PlacedSpec<S> => {
    const byteLength = (elementCount(spec.shape) * dtypeBits[spec.dtype]) / 8;
    const placed = { spec, offset, byteLength };
    const range = `[${offset},${offset + byteLength}]`;
    const shape = `[${spec.shape.join(",")}]`;
    fields.push(`${JSON.stringify(spec.name)}:{"dtype":"${spec.dtype}","shape":${shape},"data_offsets":${range}}`);
    offset += byteLength;
    return placed;
  });
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const header = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(json, 8);
  return { header, ordered, totalBytes: header.length + offset };
}

/** A whole file in memory, for files of adapter size. `data` is little-endian and row-major. */
export function encodeSafetensors(
  tensors: readonly (TensorSpec & { readonly data: Uint8Array })[],
  metadata?: Metadata,
): Uint8Array<ArrayBuffer> {
  const { header, ordered, totalBytes } = safetensorsHeader(tensors, metadata);
  const file = new Uint8Array(totalBytes);
  file.set(header);
  for (const { spec, offset, byteLength } of ordered) {
    invariant(spec.data.byteLength === byteLength, `the data of ${spec.name} has the size of its shape`);
    file.set(spec.data, header.length + offset);
  }
  return file;
}

/** Orders strings as their UTF-8 bytes do, which for pairs of surrogates differs from JavaScript's own order. */
function compareUtf8(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  // In the middle of a surrogate pair, step back to compare whole code points.
  if (i > 0 && isLowSurrogate(a, i) && isLowSurrogate(b, i)) i--;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
}

function isLowSurrogate(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}
