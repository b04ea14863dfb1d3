import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LorasmithError } from "../../src/errors.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import type { Dtype } from "../../src/formats/dtypes.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { encodeSafetensors, safetensorsHeader } from "../../src/formats/safetensors-writer.ts";

interface ValidationCase {
  result: "accept" | "reject";
  file: string;
}

const validation = JSON.parse(
  readFileSync(new URL("fixtures/safetensors-validation.json", import.meta.url), "utf8"),
) as Record<string, ValidationCase>;
const formats = JSON.parse(readFileSync(new URL("fixtures/formats.json", import.meta.url), "utf8")) as {
  layout: string;
};

function openBytes(bytes: Uint8Array<ArrayBuffer>) {
  return openSafetensors(blobSource(new Blob([bytes]), "test.safetensors"));
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function withHeader(json: string, dataBytes: number): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(json);
  const file = new Uint8Array(8 + header.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  return file;
}

async function errorCode(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const error: unknown = await openBytes(bytes).then(() => "accepted", (e: unknown) => e);
  return error instanceof LorasmithError ? error.code : String(error);
}

/** The reference accepts these three; the specification forbids them, and so do we. */
const stricter: Record<string, string> = {
  leading_space: "safetensors.headerJson",
  leading_newline: "safetensors.headerJson",
  dup_key: "safetensors.duplicateKey",
};

const codes: Record<string, string> = {
  metadata_number_value: "safetensors.metadata",
  metadata_nested: "safetensors.metadata",
  hole: "safetensors.offsets",
  overlap: "safetensors.overlap",
  start_not_zero: "safetensors.offsets",
  trailing_bytes: "safetensors.trailing",
  truncated_data: "safetensors.truncated",
  size_mismatch: "safetensors.size",
  unknown_dtype: "safetensors.dtype",
  negative_offset: "safetensors.offsets",
  float_shape: "safetensors.entry",
  missing_dtype: "safetensors.entry",
  not_json: "safetensors.headerJson",
  json_array: "safetensors.headerJson",
  invalid_utf8: "safetensors.headerUtf8",
  header_len_too_big: "safetensors.truncated",
  header_len_over_100MB: "safetensors.headerTooLarge",
  header_len_huge: "safetensors.headerTooLarge",
  too_short: "safetensors.tooShort",
  nul_padding_header: "safetensors.headerJson",
  shape_overflow: "safetensors.size",
};

describe("reading safetensors", () => {
  test.each(Object.entries(validation))("%s is judged as by the reference", async (name, { result, file }) => {
    const expected = stricter[name] ?? (result === "reject" ? codes[name] : "accepted");
    expect(await errorCode(fromBase64(file))).toBe(expected);
  });

  test("duplicate keys inside an entry and inside the metadata are refused", async () => {
    const entry = `{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`;
    expect(await errorCode(withHeader(entry, 1))).toBe("safetensors.duplicateKey");
    expect(await errorCode(withHeader(`{"__metadata__":{"k":"1","\\u006b":"2"}}`, 0))).toBe("safetensors.duplicateKey");
  });

  test("hostile headers are refused with a named error", async () => {
    expect(await errorCode(withHeader(`{"a":${"[".repeat(100_000)}}`, 0))).toBe("safetensors.headerJson");
    expect(await errorCode(withHeader(`{"a":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}`, 0))).toBe(
      "safetensors.dtype",
    );
    expect(await errorCode(withHeader(`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2))).toBe(
      "safetensors.size",
    );
    expect(await errorCode(withHeader(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1e0]}}`, 1))).toBe(
      "safetensors.offsets",
    );
  });

  test("a tensor called __proto__ is just a tensor", async () => {
    const file = await openBytes(withHeader(`{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1));
    expect([...file.tensors.keys()]).toEqual(["__proto__"]);
  });

  test("values are read whatever their type and alignment", async () => {
    const file = await openBytes(fromBase64(formats.layout));
    expect(file.metadata.get("note")).toBe('quote " slash \\ newline \n 训练');
    expect(file.tensors.get("scalar")!.shape).toEqual([]);
    expect([...(await file.readF32("b.half"))]).toEqual([1.5, -2]);
    expect([...(await file.readF32("c.bfloat"))]).toEqual([1, 0.10009765625, 3]);
    expect([...(await file.readF16("a.float"))]).toEqual([0x3400, 0x4200]);
    expect([...(await file.readF16("b.half"))]).toEqual([0x3e00, 0xc000]);
    expect([...(await file.readInts("z.long"))]).toEqual([7, -7]);
    expect([...(await file.readInts("模型.权重"))]).toEqual([1, 2, 3]);
    expect((await file.readF32("empty")).length).toBe(0);
    await expect(file.readF32("z.long")).rejects.toMatchObject({ code: "tensors.notFloat" });
    await expect(file.readInts("a.float")).rejects.toMatchObject({ code: "tensors.notInteger" });
    await expect(file.read("nothing")).rejects.toMatchObject({ code: "tensors.missing" });

    const misaligned = await openBytes(fromBase64(validation.misaligned_f32_after_u8!.file));
    expect([...(await misaligned.readF32("a"))]).toEqual([0, 0]);
  });

  test("integers beyond 32 bits are refused, not wrapped", async () => {
    const bytes = new Uint8Array(BigInt64Array.of(2n ** 31n).buffer);
    const file = await openBytes(encodeSafetensors([{ name: "n", dtype: "I64", shape: [1], data: bytes }]));
    await expect(file.readInts("n")).rejects.toMatchObject({ code: "tensors.integerRange" });
  });

  test("chunks cover a tensor in order and read no more than asked", async () => {
    const values = Float64Array.from({ length: 10 }, (_, i) => i / 2);
    const bytes = encodeSafetensors([{ name: "t", dtype: "F64", shape: [10], data: new Uint8Array(values.buffer) }]);
    const source = blobSource(new Blob([bytes]), "t");
    const lengths: number[] = [];
    const file = await openSafetensors({
      ...source,
      read: (offset, length) => {
        lengths.push(length);
        return source.read(offset, length);
      },
    });
    lengths.length = 0;
    const starts: number[] = [];
    const all: number[] = [];
    for await (const { start, data } of file.readF16Chunks("t", 4)) {
      starts.push(start);
      all.push(...data);
    }
    expect(starts).toEqual([0, 4, 8]);
    expect(lengths).toEqual([32, 32, 16]);
    expect(all).toEqual([...(await file.readF16("t"))]);
    expect(all[9]).toBe(0x4480);
  });

  test("a file that shrank after it was opened is reported", async () => {
    const source = blobSource(new Blob(["1234"]), "gone.bin");
    await expect(source.read(2, 4)).rejects.toMatchObject({ code: "file.unreadable" });
  });
});

describe("writing safetensors", () => {
  test("the bytes equal the reference writer's", async () => {
    const reference = fromBase64(formats.layout);
    const file = await openBytes(reference);
    const tensors = await Promise.all(
      [...file.tensors.values()].map(async ({ name, dtype, shape }) => ({
        name,
        dtype,
        shape,
        data: await file.read(name),
      })),
    );
    expect(Buffer.from(encodeSafetensors(tensors.reverse(), file.metadata))).toEqual(Buffer.from(reference));
  });

  test("a planned header describes a file without its data", () => {
    const specs = [
      { name: "a", dtype: "F16" as Dtype, shape: [3] },
      { name: "b", dtype: "F32" as Dtype, shape: [2, 2] },
    ];
    const { header, ordered, totalBytes } = safetensorsHeader(specs);
    expect(ordered.map(({ spec, offset, byteLength }) => [spec.name, offset, byteLength])).toEqual([
      ["b", 0, 16],
      ["a", 16, 6],
    ]);
    expect(totalBytes).toBe(header.length + 22);
    expect(header.length % 8).toBe(0);
  });
});
