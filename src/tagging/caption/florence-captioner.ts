/**
 * Florence-2 on ONNX Runtime, in the files in which it is published: `vision_encoder` makes tokens of a picture,
 * `embed_tokens` of words; an encoder reads the picture and the instruction, a decoder writes. What the decoder remembers goes
 * through `past_key_values.…` and `present.…`; with `use_cache_branch` it gives nothing new of what it attends to.
 */
import type * as Ort from "onnxruntime-web";
import type { RgbaImage } from "../../dataset/image.ts";
import { InputError } from "../../errors.ts";
import { imageInput } from "../image-input.ts";
import type { CaptionSettings, FileRole, FlorenceManifest } from "../manifest.ts";
import { inputsInWords, openSession, type LoadedFile, type OnnxRuntime, type Session } from "../onnx-runtime.ts";
import { ByteBpe } from "./byte-bpe.ts";
import { generate, type DecodeNext } from "./generate.ts";
import type { WrittenCaption } from "./onnx-captioner.ts";

export interface FlorenceSource {
  readonly manifest: FlorenceManifest;
  readonly file: (role: FileRole) => LoadedFile;
}

type Tensors = Readonly<Record<string, Ort.Tensor>>;
type Role = "vision" | "embed" | "encoder" | "decoder";

/** Inputs that a graph must have, to be what it is said to be. */
const wanted: Readonly<Record<Role, readonly string[]>> = {
  vision: ["pixel_values"],
  embed: ["input_ids"],
  encoder: ["attention_mask", "inputs_embeds"],
  decoder: ["encoder_attention_mask", "encoder_hidden_states", "inputs_embeds"],
};

export class FlorenceCaptioner {
  readonly #ort: OnnxRuntime;
  readonly #sessions: Readonly<Record<Role, Session>>;
  readonly #words: ByteBpe;
  readonly #source: FlorenceSource;

  private constructor(ort: OnnxRuntime, sessions: Readonly<Record<Role, Session>>, words: ByteBpe, source: FlorenceSource) {
    this.#ort = ort;
    this.#sessions = sessions;
    this.#words = words;
    this.#source = source;
  }

  /** @throws InputError `tagger.model`, `captioner.graph`, `captioner.vocabulary`; LorasmithError `tagger.runtime` */
  static async open(ort: OnnxRuntime, source: FlorenceSource, providers: readonly string[]): Promise<FlorenceCaptioner> {
    const tokenizer = source.file("tokenizer");
    const words = ByteBpe.read(tokenizer.bytes, tokenizer.name);
    const opened: Session[] = [];
    const open = async (role: Role): Promise<Session> => {
      const session = await openSession(ort, source.file(role), providers);
      opened.push(session);
      if (wanted[role].every((name) => session.inputNames.includes(name))) return session;
      throw otherGraph(source.file(role).name, wanted[role], session);
    };
    try {
      const sessions = { vision: await open("vision"), embed: await open("embed"), encoder: await open("encoder"), decoder: await open("decoder") };
      return new FlorenceCaptioner(ort, sessions, words, source);
    } catch (error) {
      for (const session of opened) await session.release();
      throw error;
    }
  }

  /**
   * @param name of the picture, for messages
   * @param draw the next random number from 0 to less than 1
   * @throws InputError `image.tooLarge`, `captioner.output`
   */
  async caption(image: RgbaImage, name: string, settings: CaptionSettings, draw: () => number): Promise<WrittenCaption> {
    const { input, prompt, end } = this.#source.manifest;
    const pixels = new this.#ort.Tensor("float32", imageInput(image, input, name), [1, 3, input.size, input.size]);
    const seen = await this.#only("vision", { pixel_values: pixels });
    const asked = await this.#embedded(this.#words.encode(settings.instruction));
    const [count, width] = [(seen.dims[1] ?? 0) + (asked.dims[1] ?? 0), asked.dims[2] ?? 0];
    const joined = new Float32Array(count * width);
    joined.set(seen.data as Float32Array);
    joined.set(asked.data as Float32Array, seen.data.length);
    const mask = new this.#ort.Tensor("int64", new BigInt64Array(count).fill(1n), [1, count]);
    const embeds = new this.#ort.Tensor("float32", joined, [1, count, width]);
    const states = await this.#only("encoder", { attention_mask: mask, inputs_embeds: embeds });
    const picture = { encoder_attention_mask: mask, encoder_hidden_states: states };
    const next: DecodeNext = (tokens, memory) => this.#next(picture, tokens, memory as Tensors | undefined);
    const tokens = await generate(next, { prompt, end }, settings, draw);
    return { tokens, text: this.#words.decode(tokens).trim() };
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session.release();
  }

  async #next(picture: Tensors, tokens: readonly number[], memory: Tensors | undefined) {
    const { decoder } = this.#sessions;
    const past = decoder.inputNames.filter((name) => name.startsWith("past_key_values."));
    const isGoingOn = memory !== undefined && past.length > 0;
    const flag = decoder.inputNames.includes("use_cache_branch")
      ? { use_cache_branch: new this.#ort.Tensor("bool", Uint8Array.of(Number(isGoingOn)), [1]) }
      : {};
    const remembered = memory ?? Object.fromEntries(past.map((name) => [name, this.#nothing(name)]));
    const embeds = await this.#embedded(isGoingOn ? tokens.slice(-1) : tokens);
    const outputs = await decoder.run({ ...picture, ...flag, ...remembered, inputs_embeds: embeds });
    const logits = outputs["logits"];
    const vocabulary = logits?.dims.at(-1) ?? 0;
    if (!(logits?.data instanceof Float32Array) || vocabulary === 0 || logits.data.some(Number.isNaN)) {
      throw noScores(this.#source.file("decoder").name);
    }
    const kept = past.map((name) => {
      // Of what it attends to, the first step's are kept.
      const stays = isGoingOn && name.includes(".encoder.");
      return [name, stays ? remembered[name]! : outputs[name.replace("past_key_values", "present")]!] as const;
    });
    return { scores: logits.data.slice(-vocabulary), memory: past.length === 0 ? undefined : (Object.fromEntries(kept) as Tensors) };
  }

  async #embedded(tokens: readonly number[]): Promise<Ort.Tensor> {
    return this.#only("embed", { input_ids: new this.#ort.Tensor("int64", BigInt64Array.from(tokens, BigInt), [1, tokens.length]) });
  }

  /** The first output of a graph. */
  async #only(role: Role, inputs: Tensors): Promise<Ort.Tensor> {
    const session = this.#sessions[role];
    const output = (await session.run(inputs))[session.outputNames[0] ?? ""];
    if (output?.data instanceof Float32Array && output.dims.length === 3) return output;
    throw noScores(this.#source.file(role).name);
  }

  /** A memory of no words. */
  #nothing(name: string): Ort.Tensor {
    const meta = this.#sessions.decoder.inputMetadata.find((input) => input.name === name);
    const shape = meta?.isTensor === true ? meta.shape : [];
    // The publishers leave the batch open, which is 1, and what grows, which is nothing yet.
    const sides = shape.map((side, i) => (i === 2 ? 0 : typeof side === "number" ? side : 1));
    return new this.#ort.Tensor("float32", new Float32Array(0), sides);
  }
}

function otherGraph(file: string, names: readonly string[], session: Session): InputError {
  const message = `${file} takes ${inputsInWords(session)}, and ${names.join(", ")} should be among it. Choose Florence-2's own files, in f32.`;
  return new InputError("captioner.graph", message, { file, wanted: names.join(", ") });
}

function noScores(file: string): InputError {
  const message = `${file} gives no scores for the words of its vocabulary. Choose the files of one and the same captioner.`;
  return new InputError("captioner.output", message, { file });
}
