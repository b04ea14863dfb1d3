/** Damaged files, and files made to do harm: each gives a typed error, soon, and runs nothing. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { unreadable, type ByteSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { latin, pickle, pickleFile, torchFile, u32, zipFile, type Code } from "./harness/torch-writer.ts";

const fixture = (name: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(new URL(`fixtures/torch/${name}`, import.meta.url)));

/** Much faster than a Blob, for tests that open thousands of files. */
function sourceOf(bytes: Uint8Array<ArrayBuffer>): ByteSource {
  const name = "test.ckpt";
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      if (offset + length > bytes.length) throw unreadable(name);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** Names of the tensors, all of which are read, or the code of the error and what would have been run. */
async function outcome(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  try {
    const file = await openTensorFile(sourceOf(bytes));
    for (const name of file.tensors.keys()) await file.read(name);
    return [...file.tensors.keys()].join();
  } catch (error) {
    if (error instanceof InputError) return `${error.code}${error.data["global"] === undefined ? "" : ` ${String(error.data["global"])}`}`;
    throw error;
  }
}

const floats = pickle.global("torch", "FloatStorage");
const tensor = pickle.tensor(pickle.storage(floats, "0", 4), 0, [2, 2], [2, 1]);
const data = { 0: new Uint8Array(16) };
const system = pickle.call(pickle.global("os", "system"), pickle.text("touch /tmp/harm"));
const evaluate = pickle.call(pickle.global("__builtin__", "eval"), pickle.text("1/0"));
const one = (key: string, value: Code): Code => pickle.dict([pickle.text(key), value]);
const stateDict = (...items: [string, Code][]): Code =>
  one("state_dict", pickle.dict(...items.map(([key, value]) => [pickle.text(key), value] as const)));
/** The machine that runs the tests may be busy; what is tested here takes a second. */
const slow = { timeout: 60_000 };
const repeat = (code: Code, times: number): number[] => Array.from({ length: times }, () => code).flat();

test.each<[string, Code, string]>([
  ["the whole file is a call", system, "torch.unsafe os.system"],
  ["a call stands where weights should be", one("state_dict", system), "torch.unsafe os.system"],
  ["a call stands for one tensor among others", stateDict(["a.weight", tensor], ["b.weight", evaluate]), "torch.unsafe builtins.eval"],
  ["a call gives a tensor its data", one("a", pickle.tensor(system, 0, [1], [1])), "torch.unsafe os.system"],
  ["a storage is of a foreign class", one("a", pickle.tensor(pickle.storage(pickle.global("evil", "S"), "0", 4), 0, [1], [1])), "torch.unsafe evil.S"],
  ["a storage is of a type that nothing here reads", one("a", pickle.tensor(pickle.storage(pickle.global("torch", "QInt8Storage"), "0", 4), 0, [1], [1])), "torch.unsupported torch.QInt8Storage"],
  ["a result is called again", pickle.call(pickle.call(pickle.global("builtins", "getattr"), pickle.text("os")), pickle.text("x")), "torch.unsafe builtins.getattr"],
  ["calls stand beside the weights", pickle.dict([pickle.text("callbacks"), system], [pickle.text("state_dict"), one("a.weight", tensor)]), "a.weight"],
  ["a setting beside bare weights is a call", pickle.dict([pickle.text("optimizer"), evaluate], [pickle.text("a.weight"), tensor]), "a.weight"],
  ["an object calls through its class", [...pickle.global("subprocess", "Popen"), ...pickle.tuple(pickle.text("x")), 0x81, ...one("a", tensor), 0x62], "torch.unsafe subprocess.Popen"],
  ["the old instruction to make an object is used", [0x28, ...pickle.text("x"), ...latin("ios\nsystem\n")], "torch.corrupt"],
  ["an extension code is used", [0x82, 1], "torch.corrupt"],
])("%s", async (_, value, expected) => {
  expect(await outcome(torchFile(value, data))).toBe(expected);
});

test.each<[string, Code, string]>([
  ["lies beyond its storage", pickle.tensor(pickle.storage(floats, "0", 4), 1, [2, 2], [2, 1]), "torch.corrupt"],
  ["has as many sizes as strides not", pickle.tensor(pickle.storage(floats, "0", 4), 0, [2, 2], [1]), "torch.corrupt"],
  ["has a negative size", pickle.tensor(pickle.storage(floats, "0", 4), 0, [-2], [1]), "torch.corrupt"],
  ["has more axes than PyTorch allows", pickle.tensor(pickle.storage(floats, "0", 4), 0, Array.from({ length: 65 }, () => 1), Array.from({ length: 65 }, () => 1)), "torch.corrupt"],
  ["has more elements than can be counted", pickle.tensor(pickle.storage(floats, "0", 4), 0, Array.from({ length: 9 }, () => 2 ** 30), Array.from({ length: 9 }, () => 0)), "torch.corrupt"],
  ["blows one element up to terabytes", pickle.tensor(pickle.storage(floats, "0", 4), 0, [2 ** 20, 2 ** 20], [0, 0]), "torch.limit"],
  ["names data that are not there", pickle.tensor(pickle.storage(floats, "7", 4), 0, [1], [1]), "torch.corrupt"],
  ["claims more data than there are", pickle.tensor(pickle.storage(floats, "0", 5), 0, [1], [1]), "torch.corrupt"],
])("a tensor that %s is refused", async (_, value, expected) => {
  expect(await outcome(torchFile(one("a", value), data))).toBe(expected);
});

test("a description that contains itself ends", async () => {
  // d = {}; d["again"] = d; d["a.weight"] = tensor
  const cyclic = [0x7d, 0x71, 0, ...pickle.text("again"), 0x68, 0, 0x73, ...pickle.text("a.weight"), ...tensor, 0x73];
  expect(await outcome(torchFile(cyclic, data))).toBe("a.weight");
  // The same through a wrapper and through a list.
  const wrapped = [0x7d, 0x71, 0, ...pickle.text("state_dict"), 0x68, 0, 0x73];
  expect(await outcome(torchFile(wrapped, data))).toBe("torch.noTensors");
  expect(await outcome(torchFile([0x5d, 0x71, 0, 0x68, 0, 0x61], data))).toBe("torch.noTensors");
});

test("a call whose arguments are itself ends", async () => {
  // args = [f, 0]; args.append(args); f(*args)
  const rebuild = pickle.global("torch._tensor", "_rebuild_from_type_v2");
  const args = [0x5d, 0x71, 0, 0x28, ...rebuild, 0x4b, 0, 0x68, 0, 0x65];
  expect(await outcome(torchFile([...rebuild, ...args, 0x52], data))).toBe("torch.corrupt");
});

test.each<[string, Code, string]>([
  ["a memo index of 4 billion", [0x5d, 0x72, ...u32(0xffffffff), 0x6a, ...u32(0xffffffff)], "torch.noTensors"],
  ["a memo entry that is not there", [0x68, 9], "torch.corrupt"],
  ["a stack of millions", repeat([0x5d], 1_100_000), "torch.limit"],
  ["marks by the million", repeat([0x28], 1_100_000), "torch.limit"],
  ["a memo of millions", [0x5d, ...Array.from({ length: 1_100_000 }, (_, i) => [0x72, ...u32(i)]).flat()], "torch.limit"],
  ["instructions without end", repeat([0x4e, 0x30], 2_600_000), "torch.limit"],
  ["a text of 4 GB", [0x58, ...u32(0xffffffff)], "torch.corrupt"],
  ["bytes of 2^63", [0x8e, 0, 0, 0, 0, 0, 0, 0, 0x80], "torch.corrupt"],
  ["an integer of 255 bytes", [0x8a, 255, ...repeat([1], 255)], "torch.noTensors"],
  ["more popped than pushed", [0x30], "torch.corrupt"],
  ["a tuple without a mark", [0x74], "torch.corrupt"],
  ["an odd dictionary", [0x7d, 0x28, 0x4e, 0x75], "torch.corrupt"],
  ["items for a number", [0x4b, 1, 0x4e, 0x61], "torch.corrupt"],
  ["lists a thousand deep", [...repeat([0x5d], 1000), ...tensor, ...repeat([0x61], 1000)], "torch.limit"],
])("%s", slow, async (_, value, expected) => {
  expect(await outcome(torchFile(value, data))).toBe(expected);
});

test("lists of lists that multiply into billions are refused before they are counted", async () => {
  // l0 = [tensor, tensor]; l1 = [l0, l0]; … 40 times
  const code: number[] = [...tensor, 0x71, 0, 0x30];
  for (let level = 0; level < 40; level++) code.push(0x5d, 0x28, 0x68, level, 0x68, level, 0x65, 0x71, level + 1, 0x30);
  expect(await outcome(torchFile([...code, 0x68, 40], data))).toBe("torch.limit");
});

test("converting one long list again and again is refused", async () => {
  const convert = [...pickle.global("collections", "OrderedDict"), 0x68, 0, 0x85, 0x52, 0x30];
  const code = [0x5d, 0x71, 0, 0x28, ...repeat([0x4e], 200_000), 0x65, ...repeat(convert, 100)];
  expect(await outcome(torchFile(code, data))).toBe("torch.limit");
});

test.each([
  ["another pickle", pickleFile(pickle.text("hello")), "torch.noTensors"],
  ["a zip file with two entries of one name", twice(), "torch.corrupt"],
  ["the format before all others", tarFile(), "torch.unsupported"],
  ["another byte order", zipFile({ "a/data.pkl": pickleFile(one("a", tensor)), "a/byteorder": new TextEncoder().encode("big"), "a/data/0": data[0] }), "torch.unsupported"],
])("%s is refused", async (_, bytes, expected) => {
  expect(await outcome(bytes)).toBe(expected);
});

function twice(): Uint8Array<ArrayBuffer> {
  const bytes = zipFile({ "a/data.pkl": pickleFile(one("a", tensor)), "a/data.pkL": new Uint8Array(1), "a/data/0": data[0] });
  return bytes.map((byte) => (byte === 0x4c ? 0x6c : byte));
}

function tarFile(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(1024);
  bytes.set(latin("ustar"), 257);
  return bytes;
}

test("a compressed entry is refused by name, not misread", async () => {
  const bytes = torchFile(one("a", tensor), data);
  // The method in the first entry of the table of contents.
  const at = bytes.findIndex((_, i) => bytes[i] === 0x50 && bytes[i + 1] === 0x4b && bytes[i + 2] === 1 && bytes[i + 3] === 2);
  bytes[at + 10] = 8;
  expect(await outcome(bytes)).toBe("torch.unsupported");
});

test.each(["embedding-a1111.pt", "embedding-diffusers.bin", "vae-nested.vae.pt", "ckpt-legacy.ckpt", "modern-legacy.pt"])(
  "%s, cut off anywhere, gives a typed error",
  slow,
  async (name) => {
    const bytes = fixture(name);
    for (let length = 0; length < bytes.length; length++) {
      expect(`${length} bytes: ${await outcome(bytes.slice(0, length))}`).toMatch(/: (torch|safetensors)\.\w+$/);
    }
  },
);

test.each(["embedding-parameterdict.pt", "ckpt-legacy.ckpt", "modern.pt"])(
  "%s with any byte changed is read or gives a typed error",
  slow,
  async (name) => {
    const bytes = fixture(name);
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 1 << (at % 8);
      expect(await outcome(changed)).toBeTypeOf("string");
      changed[at] = 255 - (at % 3);
      expect(await outcome(changed)).toBeTypeOf("string");
    }
  },
);
