import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { TorchFile } from "../formats/torch-file.ts";
import { elementCount } from "../formats/dtypes.ts";
import { InputError } from "../errors.ts";
import { readNetwork } from "../lora/network-reader.ts";
import type { NetworkFile } from "../lora/network-file.ts";
import { someOf } from "../models/checkpoint-errors.ts";
import type { Checkpoint, UNetConfig } from "../models/config.ts";
import { openCheckpoint } from "../models/config.ts";
import { detectFileKind, fileKindText } from "../models/file-kind.ts";
import { loraTargets } from "../models/names.ts";
import { openNodeFile } from "./node-file.ts";

type Row = readonly [label: string, value: string];

/** Longest metadata value that is printed in full. */
const maxValue = 200;

/**
 * Describes a file of tensors: what it is, its configuration, its tensors by type and its metadata, as lines of text.
 * Only the header is read, and the alphas of an adapter. Throws InputError `file.*`, `safetensors.*` or `torch.*`.
 */
export async function inspectFile(path: string): Promise<string> {
  const source = await openNodeFile(path);
  try {
    return await describe(await openTensorFile(source));
  } finally {
    await source.close();
  }
}

async function describe(file: TensorFile): Promise<string> {
  const shapes = new Map([...file.tensors.values()].map((entry) => [entry.name, entry.shape]));
  const kind = detectFileKind(shapes);
  const rows: Row[] = [
    ["File", `${file.source.name} (${megabytes(file.source.size)})`],
    ["Kind", fileKindText[kind]],
    ["Tensors", `${file.tensors.size}, ${parameterCount(file)}`],
    ...typeRows(file),
    ...foreignRows(file),
  ];
  if (kind === "sd1-checkpoint" || kind === "sd2-checkpoint") rows.push(...(await problemOr(() => checkpointRows(file))));
  if (kind === "lora") rows.push(...(await problemOr(() => adapterRows(file))));
  const lines = align(rows);
  if (file.metadata.size > 0) lines.push("", "Metadata", ...align([...file.metadata].toSorted(byKey).map(shorten)));
  return `${lines.join("\n")}\n`;
}

/** A file that can be read but not used is still described, with the reason. */
async function problemOr(rows: () => Row[] | Promise<Row[]>): Promise<Row[]> {
  try {
    return await rows();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return [["Not usable", error.message]];
  }
}

async function checkpointRows(file: TensorFile): Promise<Row[]> {
  const checkpoint = await openCheckpoint(file);
  const { unet, textEncoder: text, vae, keys } = checkpoint;
  const targets = loraTargets(checkpoint);
  const inText = targets.filter(({ part }) => part === "textEncoder").length;
  const activation = text.activation === "gelu" ? "GELU" : "quick GELU";
  return [
    ["Prediction", `${checkpoint.predictionType} (${checkpoint.predictionSource})`],
    ["UNet", `${countUnder(keys, unet.prefix)} tensors, ${unetText(unet)}`],
    [
      "Text encoder",
      `${countUnder(keys, text.prefix)} tensors, ${text.layout === "hf" ? "CLIP" : "OpenCLIP"}, width ${text.width}, ` +
        `${text.layersUsed} of ${text.layers} layers used, ${text.heads} heads, MLP ${text.mlp}, ${activation}, ` +
        `${text.vocab} tokens, ${text.positions} positions`,
    ],
    ["VAE", vae ? vaeText(vae, countUnder(keys, vae.prefix)) : "none"],
    ["LoRA targets", `${targets.length - inText} in the UNet, ${inText} in the text encoder`],
  ];
}

function unetText(unet: UNetConfig): string {
  const channels = [...new Set(unet.inputBlocks.map(({ cout }) => cout))];
  const heads = "heads" in unet.headRule ? `${unet.headRule.heads} heads` : `head size ${unet.headRule.headDim}`;
  const projection = unet.linearProjection ? "linear" : "convolution";
  return (
    `${unet.inputBlocks.length} blocks down and up, channels ${channels.join("/")}, context ${unet.contextDim}, ` +
    `${heads}, ${projection} projections`
  );
}

function vaeText(vae: NonNullable<Checkpoint["vae"]>, tensors: number): string {
  const parts = [vae.hasEncoder ? "encoder" : "", vae.hasDecoder ? "decoder" : ""].filter(Boolean).join(" and ");
  const channels = vae.chMult.map((mult) => mult * vae.ch).join("/");
  return `${tensors} tensors, ${parts}, channels ${channels}, ${vae.zChannels} latent channels, scale ${vae.scaleFactor}`;
}

const families: Readonly<Record<NonNullable<NetworkFile["family"]>, string>> = {
  SD1: "Stable Diffusion 1", SD2: "Stable Diffusion 2", SDXL: "SDXL",
};

async function adapterRows(file: TensorFile): Promise<Row[]> {
  const { kind, family, modules, misfits } = await readNetwork(file);
  const inUNet = modules.filter(({ name }) => name.startsWith("lora_unet_")).length;
  const inText = modules.filter(({ name }) => name.startsWith("lora_te")).length;
  const elsewhere = modules.length - inUNet - inText;
  const ranks = [...new Set(modules.map(({ rank }) => rank).filter((rank) => rank > 0))].toSorted((a, b) => a - b);
  const context = modules.find(({ name }) => name.endsWith("_attn2_to_k"))?.width;
  const base = family === undefined ? (context === undefined ? "unknown" : `context width ${context}`) : families[family];
  const rows: Row[] = [
    ["Adapter", kind === "" ? "of no kind known here" : kind],
    ["Modules", `${inUNet} in the UNet, ${inText} in the text encoder${elsewhere > 0 ? `, ${elsewhere} under other names` : ""}`],
    ["Rank", ranks.length > 0 ? ranks.join(", ") : "nothing is decomposed"],
    ["Base model", base],
  ];
  if (misfits.length > 0) rows.push(["Not applied", someOf(misfits.map(({ name }) => name))]);
  return rows;
}

function countUnder(keys: ReadonlyMap<string, string>, prefix: string): number {
  return [...keys.keys()].filter((key) => key.startsWith(`${prefix}.`)).length;
}

function typeRows(file: TensorFile): Row[] {
  const types = new Map<string, { tensors: number; bytes: number }>();
  for (const { dtype, byteLength } of file.tensors.values()) {
    const { tensors, bytes } = types.get(dtype) ?? { tensors: 0, bytes: 0 };
    types.set(dtype, { tensors: tensors + 1, bytes: bytes + byteLength });
  }
  const texts = [...types].map(([dtype, { tensors, bytes }]) => `${dtype}: ${tensors} (${megabytes(bytes)})`);
  return texts.length > 0 ? [["Types", texts.join(", ")]] : [];
}

/** What a pickle would have had Python run. */
function foreignRows(file: TensorFile): Row[] {
  if (!(file instanceof TorchFile) || file.foreign.length === 0) return [];
  return [["Ignored", `calls of ${someOf(file.foreign)}; nothing of it was run`]];
}

function parameterCount(file: TensorFile): string {
  const count = [...file.tensors.values()].reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return `${count.toLocaleString("en-US")} values`;
}

function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function byKey([a]: Row, [b]: Row): number {
  return a < b ? -1 : 1;
}

function shorten([key, value]: Row): Row {
  const rest = value.length - maxValue;
  return [key, value.slice(0, maxValue) + (rest > 0 ? ` … (${rest} more characters)` : "")];
}

/** Names and values from outside are printed on one line, without control characters that a terminal would obey. */
function align(rows: readonly Row[]): string[] {
  const plain = rows.map((row) => row.map((text) => text.replace(/\p{Cc}+/gu, " ")));
  const width = Math.max(0, ...plain.map(([label = ""]) => label.length));
  return plain.map(([label = "", value = ""]) => `${label.padEnd(width)}  ${value}`);
}
