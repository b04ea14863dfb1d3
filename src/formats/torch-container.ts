/** The two ways in which PyTorch packs a pickle and the data that it describes into one file. */
import type { ByteSource } from "./byte-source.ts";
import type { Unpickled } from "./torch-pickle.ts";
import { maxPickleBytes, unpickle } from "./torch-pickle.ts";
import { EndOfBytes } from "./torch-reader.ts";
import { readSome } from "./torch-source.ts";
import type { PyValue, TorchStorage } from "./torch-values.ts";
import { torchError } from "./torch-values.ts";
import type { ZipEntry } from "./torch-zip.ts";
import { readZipDirectory, zipDataOffset } from "./torch-zip.ts";

export interface TorchContents extends Pick<Unpickled, "value" | "foreign"> {
  /** Absolute position of the data of every storage that the value refers to, by its key. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Small reads that go on at the same time. */
const readsAtOnce = 32;

/**
 * Since PyTorch 1.6: a zip file with the pickle, and an entry per storage.
 * @throws InputError `torch.*`
 */
export async function readZip(source: ByteSource): Promise<TorchContents> {
  const { name: file } = source;
  const entries = await readZipDirectory(source);
  const root = [...entries.keys()].find((name) => /^[^/]+\/data\.pkl$/.test(name))?.replace(/data\.pkl$/, "");
  if (root === undefined) throw torchError(file, "noTensors", "is a zip file, and none of PyTorch's");
  const order = entries.get(`${root}byteorder`);
  if (order && new TextDecoder().decode(await readEntry(source, order)) !== "little") throw bigEndian(file);
  const pickle = await readEntry(source, entries.get(`${root}data.pkl`)!);
  const { value, foreign, storages } = unpickleWhole(file, pickle);

  const offsets = new Map<string, number>();
  const wanted = [...storages.values()];
  for (let i = 0; i < wanted.length; i += readsAtOnce) {
    await Promise.all(
      wanted.slice(i, i + readsAtOnce).map(async ({ key, byteLength }) => {
        const entry = entries.get(`${root}data/${key}`);
        if (!entry) throw torchError(file, "corrupt", `lacks its data ${key}`);
        if (entry.byteLength !== byteLength) throw wrongSize(file, key, byteLength, entry.byteLength);
        offsets.set(key, await zipDataOffset(source, entry));
      }),
    );
  }
  return { value, foreign, offsets };
}

async function readEntry(source: ByteSource, entry: ZipEntry): Promise<Uint8Array<ArrayBuffer>> {
  const offset = await zipDataOffset(source, entry);
  if (entry.byteLength > maxPickleBytes) throw tooLong(source.name);
  return readSome(source, offset, entry.byteLength);
}

function unpickleWhole(file: string, bytes: Uint8Array): Unpickled {
  try {
    return unpickle(file, bytes, 0);
  } catch (error) {
    if (!(error instanceof EndOfBytes)) throw error;
    throw torchError(file, "corrupt", "has an incomplete description of its tensors");
  }
}

const legacyMark = 0x1950a86a20f9469cfc6cn;
const legacyProtocol = 1001;
/** Read at first; doubled until the pickles are whole. */
const firstReach = 2 ** 20;

/**
 * Before PyTorch 1.6: five pickles (a mark, a version, facts about the machine, the object, the keys of its storages),
 * then for each key the number of elements in 64 bits and the elements.
 * @throws InputError `torch.*`
 */
export async function readLegacy(source: ByteSource): Promise<TorchContents> {
  const { name: file } = source;
  const { pickles, end } = await readPickles(source, 5);
  const [mark, version, machine, object, keys] = pickles.map(({ value }) => value);
  if (mark !== legacyMark || version !== legacyProtocol) throw notTorch(file);
  if (!(machine instanceof Map) || machine.get("little_endian") !== true) throw bigEndian(file);
  const { foreign, storages } = pickles[3]!;
  const offsets = await locateLegacy(source, storages, keys!, end);
  for (const key of storages.keys()) {
    if (!offsets.has(key)) throw torchError(file, "corrupt", `lacks its data ${key}`);
  }
  return { value: object!, foreign, offsets };
}

async function readPickles(source: ByteSource, count: number): Promise<{ pickles: Unpickled[]; end: number }> {
  for (let reach = firstReach; ; reach *= 2) {
    const bytes = await source.read(0, Math.min(reach, source.size));
    const pickles: Unpickled[] = [];
    try {
      let end = 0;
      while (pickles.length < count) {
        const pickle = unpickle(source.name, bytes, end);
        if (pickles.length === 0 && pickle.value !== legacyMark) throw notTorch(source.name);
        pickles.push(pickle);
        end = pickle.end;
      }
      return { pickles, end };
    } catch (error) {
      if (!(error instanceof EndOfBytes)) throw error;
    }
    if (reach >= source.size) throw torchError(source.name, "truncated", "ends within the description of its tensors");
    if (reach >= maxPickleBytes) throw tooLong(source.name);
  }
}

async function locateLegacy(
  source: ByteSource,
  storages: ReadonlyMap<string, TorchStorage>,
  keys: PyValue,
  start: number,
): Promise<Map<string, number>> {
  const offsets = new Map<string, number>();
  let at = start;
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (!storage || offsets.has(storage.key)) throw torchError(source.name, "corrupt", "lists its data wrongly");
    const elements = Number(new DataView((await readSome(source, at, 8)).buffer).getBigUint64(0, true));
    if (elements !== storage.elements) throw wrongSize(source.name, storage.key, storage.elements, elements);
    offsets.set(storage.key, at + 8);
    at += 8 + storage.byteLength;
    if (at > source.size) throw torchError(source.name, "truncated", `should have ${at} bytes or more, and has ${source.size}`);
  }
  return offsets;
}

function wrongSize(file: string, key: string, wanted: number, found: number): Error {
  return torchError(file, "corrupt", `should have its data ${key} with a length of ${wanted}, and has ${found}`);
}

function bigEndian(file: string): Error {
  return torchError(file, "unsupported", "was written on a machine of another byte order");
}

function tooLong(file: string): Error {
  return torchError(file, "limit", `describes its tensors in more than ${maxPickleBytes / 2 ** 20} MiB`);
}

function notTorch(file: string): Error {
  return torchError(file, "noTensors", "is a Python pickle, and none of PyTorch's");
}
