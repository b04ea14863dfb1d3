/** A WD14 tagger on ONNX Runtime: [1, size, size, 3] levels in, one probability per label out. */
import type * as Ort from "onnxruntime-web";
import type { RgbaImage } from "../dataset/image.ts";
import { InputError, LorasmithError } from "../errors.ts";
import type { TagLabel } from "./labels.ts";
import { keepScores, type TagScores } from "./scores.ts";
import { taggerInput } from "./tagger-input.ts";

/** What is needed of the package; the browser's builds and Node's have it alike. */
export interface OnnxRuntime {
  readonly InferenceSession: Pick<typeof Ort.InferenceSession, "create">;
  readonly Tensor: typeof Ort.Tensor;
}

export interface TaggerSource {
  readonly model: Uint8Array<ArrayBuffer>;
  /** File name, for messages. */
  readonly modelName: string;
  readonly labels: readonly TagLabel[];
}

/** How far rounding may take a probability out of 0…1. */
const slack = 1e-4;

export class OnnxTagger {
  readonly #ort: OnnxRuntime;
  readonly #session: Ort.InferenceSession;
  readonly #source: TaggerSource;
  /** Pixels of a side. */
  readonly size: number;

  private constructor(ort: OnnxRuntime, session: Ort.InferenceSession, source: TaggerSource) {
    this.#ort = ort;
    this.#session = session;
    this.#source = source;
    this.size = inputSize(session, source.modelName);
    checkOutput(session, source);
  }

  /**
   * Loads a model.
   * @throws InputError `tagger.model` where it can't be loaded, `tagger.input`, `tagger.labelCount` where it is not of
   *   this kind; LorasmithError `tagger.runtime` where ONNX Runtime itself does not start
   */
  static async open(ort: OnnxRuntime, source: TaggerSource, executionProviders: readonly string[]): Promise<OnnxTagger> {
    const session = await ort.InferenceSession.create(source.model, { executionProviders }).catch((cause: unknown) => {
      throw cannotLoad(source.modelName, cause);
    });
    try {
      return new OnnxTagger(ort, session, source);
    } catch (error) {
      await session.release();
      throw error;
    }
  }

  /**
   * @param name of the picture, for messages
   * @throws InputError `tagger.output`, `tagger.labelCount`, `image.tooLarge`
   */
  async tag(image: RgbaImage, name: string): Promise<TagScores> {
    const [input = "", output = ""] = [this.#session.inputNames[0], this.#session.outputNames[0]];
    const levels = new this.#ort.Tensor("float32", taggerInput(image, this.size, name), [1, this.size, this.size, 3]);
    const result = (await this.#session.run({ [input]: levels }))[output];
    const data = result?.data;
    if (!(data instanceof Float32Array)) throw noProbabilities(this.#source.modelName);
    if (data.length !== this.#source.labels.length) throw wrongCount(this.#source, data.length);
    if (!data.every((value) => value >= -slack && value <= 1 + slack)) throw noProbabilities(this.#source.modelName);
    const scores = keepScores(data);
    result?.dispose();
    return scores;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

function inputSize(session: Ort.InferenceSession, file: string): number {
  const [input, extra] = session.inputMetadata;
  if (input?.isTensor === true && extra === undefined && input.type === "float32") {
    const [batch, height, width, channels, more] = input.shape;
    const takesOne = typeof batch !== "number" || batch === 1;
    if (takesOne && typeof height === "number" && height === width && channels === 3 && more === undefined) return height;
  }
  const shape = session.inputMetadata.map((value) => (value.isTensor ? `${value.type} [${value.shape.join(", ")}]` : value.name));
  const message = `${file} takes ${shape.join(" and ")}, and a WD14 tagger takes float32 [1, size, size, 3]. `
    + "Choose the model.onnx of a WD14 tagger.";
  throw new InputError("tagger.input", message, { file, input: shape.join(", ") });
}

/** A number of outputs that is not in the file is seen at the first picture. */
function checkOutput(session: Ort.InferenceSession, source: TaggerSource): void {
  const output = session.outputMetadata[0];
  const count = output?.isTensor === true ? output.shape.at(-1) : undefined;
  if (typeof count === "number" && count !== source.labels.length) throw wrongCount(source, count);
}

function wrongCount({ modelName, labels }: TaggerSource, outputs: number): InputError {
  const message = `${modelName} knows ${outputs} tags and the list has ${labels.length}: they do not belong together. `
    + "Choose the selected_tags.csv from the model's own folder.";
  return new InputError("tagger.labelCount", message, { file: modelName, outputs, labels: labels.length });
}

function noProbabilities(file: string): InputError {
  const message = `${file} gives numbers that are no probabilities, so it is no WD14 tagger. Choose the model.onnx of one.`;
  return new InputError("tagger.output", message, { file });
}

function cannotLoad(file: string, cause: unknown): LorasmithError {
  const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/^.*ERROR_MESSAGE: /s, "").replace(/\.$/, "");
  if (reason.includes("no available backend")) {
    const message = `ONNX Runtime, which runs taggers, did not start: ${reason}. Load the page again, or use a current browser.`;
    return new LorasmithError("tagger.runtime", message, { reason }, { cause });
  }
  const message = `${file} can't be loaded as an ONNX model: ${reason}. Download it again.`;
  return new InputError("tagger.model", message, { file, reason }, { cause });
}
