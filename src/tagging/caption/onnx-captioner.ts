/**
 * A captioner on ONNX Runtime, of the contract that `tools/captioners` writes. `encoder.onnx` takes `pixel_values`; each of
 * its outputs is an input of `decoder.onnx` under the same name. The decoder takes `input_ids` besides and gives `logits` of
 * the last word, or of all. What it gives as `present_…` it takes as `past_…` with the next word; a decoder without these
 * reads the whole caption for each word.
 */
import type * as Ort from "onnxruntime-web";
import type { RgbaImage } from "../../dataset/image.ts";
import { InputError } from "../../errors.ts";
import { imageInput } from "../image-input.ts";
import type { CaptionSettings, ConvertedManifest } from "../manifest.ts";
import { inputsInWords, openSession, type LoadedFile, type OnnxRuntime, type Session } from "../onnx-runtime.ts";
import { generate, type DecodeNext } from "./generate.ts";
import { WordPieces } from "./word-pieces.ts";

export interface CaptionerSource {
  readonly manifest: ConvertedManifest;
  readonly encoder: LoadedFile;
  readonly decoder: LoadedFile;
  readonly vocabulary: LoadedFile;
}

export interface WrittenCaption {
  /** With the prompt, and the end where it came. */
  readonly tokens: readonly number[];
  /** With what the prompt says. */
  readonly text: string;
}

type Tensors = Readonly<Record<string, Ort.Tensor>>;

/** What was remembered before the first word: nothing, as tensors. */
interface Memory {
  readonly tensors: Tensors;
}

export class OnnxCaptioner {
  readonly #ort: OnnxRuntime;
  readonly #encoder: Session;
  readonly #decoder: Session;
  readonly #words: WordPieces;
  readonly #source: CaptionerSource;

  private constructor(ort: OnnxRuntime, encoder: Session, decoder: Session, words: WordPieces, source: CaptionerSource) {
    this.#ort = ort;
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.#words = words;
    this.#source = source;
    checkEncoder(encoder, source);
    checkDecoder(decoder, encoder, source);
  }

  /** @throws InputError `tagger.model`, `captioner.encoder`, `captioner.decoder`, `captioner.vocabulary`; LorasmithError `tagger.runtime` */
  static async open(ort: OnnxRuntime, source: CaptionerSource, executionProviders: readonly string[]): Promise<OnnxCaptioner> {
    const words = WordPieces.read(source.vocabulary.bytes, source.vocabulary.name);
    const encoder = await openSession(ort, source.encoder, executionProviders);
    let decoder: Session | undefined;
    try {
      decoder = await openSession(ort, source.decoder, executionProviders);
      return new OnnxCaptioner(ort, encoder, decoder, words, source);
    } catch (error) {
      await encoder.release();
      await decoder?.release();
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
    const shape = [1, 3, input.size, input.size];
    const pixels = new this.#ort.Tensor("float32", imageInput(image, input, name), shape);
    const picture = await this.#encoder.run({ [this.#encoder.inputNames[0] ?? ""]: pixels });
    const next: DecodeNext = (tokens, memory) => this.#next(picture, tokens, memory as Memory | undefined);
    const tokens = await generate(next, { prompt, end }, settings, draw);
    for (const tensor of Object.values(picture)) tensor.dispose();
    return { tokens, text: this.#words.decode(tokens) };
  }

  async release(): Promise<void> {
    await this.#encoder.release();
    await this.#decoder.release();
  }

  async #next(picture: Tensors, tokens: readonly number[], memory: Memory | undefined) {
    const past = this.#decoder.inputNames.filter((name) => name.startsWith("past_"));
    const unread = memory === undefined || past.length === 0 ? tokens : tokens.slice(-1);
    const ids = new this.#ort.Tensor("int64", BigInt64Array.from(unread, BigInt), [1, unread.length]);
    const remembered = memory?.tensors ?? Object.fromEntries(past.map((name) => [name, this.#nothing(name)]));
    const outputs = await this.#decoder.run({ ...this.#wanted(picture), ...remembered, input_ids: ids });
    const { data, dims } = outputs["logits"]!;
    const vocabulary = dims.at(-1) ?? 0;
    if (!(data instanceof Float32Array) || vocabulary < this.#words.size || data.some(Number.isNaN)) {
      throw noScores(this.#source.decoder.name);
    }
    const kept = past.map((name) => [name, outputs[name.replace("past_", "present_")]!]);
    return { scores: data.slice(-vocabulary), memory: { tensors: Object.fromEntries(kept) as Tensors } };
  }

  #wanted(picture: Tensors): Tensors {
    return Object.fromEntries(Object.entries(picture).filter(([name]) => this.#decoder.inputNames.includes(name)));
  }

  /** A memory of no words: the side of it that grows is 0 long. */
  #nothing(name: string): Ort.Tensor {
    const meta = this.#decoder.inputMetadata.find((input) => input.name === name);
    const shape = meta?.isTensor === true ? meta.shape.map((side) => (typeof side === "number" ? side : 0)) : [0];
    return new this.#ort.Tensor("float32", new Float32Array(0), shape);
  }
}

function checkEncoder(session: Session, { encoder, manifest }: CaptionerSource): void {
  const [input, extra] = session.inputMetadata;
  if (input?.isTensor === true && extra === undefined && input.type === "float32" && input.shape.length === 4) {
    const fits = [1, 3, manifest.input.size, manifest.input.size].every((side, i) => typeof input.shape[i] !== "number" || input.shape[i] === side);
    if (fits) return;
  }
  const { size } = manifest.input;
  const message = `${encoder.name} takes ${inputsInWords(session)}, and the encoder of this captioner takes float32 [1, 3, ${size}, ${size}]. `
    + "Choose the encoder.onnx that the conversion wrote.";
  throw new InputError("captioner.encoder", message, { file: encoder.name, input: inputsInWords(session), size });
}

function checkDecoder(session: Session, encoder: Session, { decoder }: CaptionerSource): void {
  const present = (name: string): boolean => name.startsWith("past_") && session.outputNames.includes(name.replace("past_", "present_"));
  const unknown = session.inputNames.filter((name) => name !== "input_ids" && !encoder.outputNames.includes(name) && !present(name));
  if (unknown.length === 0 && session.inputNames.includes("input_ids") && session.outputNames.includes("logits")) return;
  const found = session.inputNames.join(", ");
  const message = `${decoder.name} takes ${found}, which does not fit its encoder. Choose the decoder.onnx that the conversion wrote with it.`;
  throw new InputError("captioner.decoder", message, { file: decoder.name, found });
}

function noScores(file: string): InputError {
  const message = `${file} gives no scores for the words of its vocabulary. Choose the files of one and the same captioner.`;
  return new InputError("captioner.output", message, { file });
}
