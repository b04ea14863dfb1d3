/** Writes PyTorch's zip files byte by byte, so that a test can put anything into them. */

/** Instructions of a pickle, as bytes. */
export type Code = readonly number[];

export const latin = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));
export const u32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

export const pickle = {
  text: (text: string): Code => [0x58, ...u32(text.length), ...latin(text)],
  integer: (value: number): Code => [0x4a, ...u32(value)],
  global: (module: string, name: string): Code => latin(`c${module}\n${name}\n`),
  tuple: (...items: Code[]): Code => [0x28, ...items.flat(), 0x74],
  /** `callee(*args)` */
  call: (callee: Code, ...args: Code[]): Code => [...callee, ...pickle.tuple(...args), 0x52],
  dict: (...items: (readonly [Code, Code])[]): Code => [0x7d, 0x28, ...items.flat(2), 0x75],
  storage: (type: Code, key: string, elements: number): Code =>
    [...pickle.tuple(pickle.text("storage"), type, pickle.text(key), pickle.text("cpu"), pickle.integer(elements)), 0x51],
  tensor(storage: Code, offset: number, shape: readonly number[], strides: readonly number[]): Code {
    const sizes = [shape, strides].map((list) => pickle.tuple(...list.map(pickle.integer)));
    return pickle.call(
      pickle.global("torch._utils", "_rebuild_tensor_v2"),
      storage, pickle.integer(offset), ...sizes, [0x89], pickle.call(pickle.global("collections", "OrderedDict")),
    );
  },
};

/** A whole pickle of protocol 2. */
export function pickleFile(value: Code): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x80, 2, ...value, 0x2e]);
}

/** A zip file of stored entries. */
export function zipFile(entries: Readonly<Record<string, Uint8Array>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const [path, data] of Object.entries(entries)) {
    const name = new TextEncoder().encode(path);
    const local = Uint8Array.from([...u32(0x04034b50), ...zeros(22), name.length, 0, 0, 0, ...name]);
    const sizes = [...u32(data.length), ...u32(data.length)];
    directory.push(
      Uint8Array.from([...u32(0x02014b50), ...zeros(16), ...sizes, name.length, 0, ...zeros(12), ...u32(at), ...name]),
    );
    parts.push(local, data);
    at += local.length + data.length;
  }
  const length = directory.reduce((sum, entry) => sum + entry.length, 0);
  const end = Uint8Array.from([...u32(0x06054b50), ...zeros(8), ...u32(length), ...u32(at), 0, 0]);
  return joined([...parts, ...directory, end]);
}

/** A file as `torch.save` writes it. */
export function torchFile(value: Code, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array<ArrayBuffer> {
  const data = Object.entries(storages).map(([key, bytes]) => [`archive/data/${key}`, bytes] as const);
  return zipFile({ "archive/data.pkl": pickleFile(value), ...Object.fromEntries(data) });
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
