/** A tagger on ONNX Runtime: a picture in, one probability per label out. */
import type { RgbaImage } from "../dataset/image.ts";
import { InputError } from "../errors.ts";
import { imageInput, type ImageInput } from "./image-input.ts";
import type { TagLabel } from "./labels.ts";
import type { TaggerManifest } from "./manifest.ts";
import { inputsInWords, openSession, type LoadedFile, type OnnxRuntime, type Session } from "./onnx-runtime.ts";
import { keepScores, type TagScores } from "./scores.ts";

export interface TaggerSource {
  readonly manifest: Pick<TaggerManifest, "input" | "activation">;
  readonly model: LoadedFile;
  readonly labels: readonly TagLabel[];
}

/** How far rounding may take a probability out of 0…1. */
const slack = 1e-4;

export class OnnxTagger {
  readonly #ort: OnnxRuntime;
  readonly #session: Session;
  readonly #source: TaggerSource;
  /** As the manifest says, in the size that the model itself asks for. */
  readonly input: ImageInput;

  private constructor(ort: OnnxRuntime, session: Session, source: TaggerSource) {
    this.#ort = ort;
    this.#session = session;
    this.#source = source;
    this.input = { ...source.manifest.input, size: inputSize(session, source) };
    checkOutput(session, source);
  }

  /**
   * Loads a model.
   * @throws InputError `tagger.model` where it can't be loaded, `tagger.input`, `tagger.labelCount` where it is not of
   *   this kind; LorasmithError `tagger.runtime` where ONNX Runtime itself does not start
   */
  static async open(ort: OnnxRuntime, source: TaggerSource, executionProviders: readonly string[]): Promise<OnnxTagger> {
    const session = await openSession(ort, source.model, executionProviders);
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
    const { model, labels, manifest } = this.#source;
    const [input = "", output = ""] = [this.#session.inputNames[0], this.#session.outputNames[0]];
    const { size, layout } = this.input;
    const shape = layout === "NHWC" ? [1, size, size, 3] : [1, 3, size, size];
    const levels = new this.#ort.Tensor("float32", imageInput(image, this.input, name), shape);
    const result = (await this.#session.run({ [input]: levels }))[output];
    const data = result?.data;
    if (!(data instanceof Float32Array)) throw noProbabilities(model.name);
    if (data.length !== labels.length) throw wrongCount(this.#source, data.length);
    const probabilities = manifest.activation === "sigmoid" ? data.map((value) => 1 / (1 + Math.exp(-value))) : data;
    if (!probabilities.every((value) => value >= -slack && value <= 1 + slack)) throw noProbabilities(model.name);
    const scores = keepScores(probabilities);
    result?.dispose();
    return scores;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Where the model leaves the size open, the manifest's. */
function inputSize(session: Session, { model, manifest }: TaggerSource): number {
  const [input, extra] = session.inputMetadata;
  const { size, layout } = manifest.input;
  if (input?.isTensor === true && extra === undefined && input.type === "float32" && input.shape.length === 4) {
    const [batch] = input.shape;
    const [height, width, channels] = layout === "NHWC" ? input.shape.slice(1) : [input.shape[2], input.shape[3], input.shape[1]];
    const takesOne = typeof batch !== "number" || batch === 1;
    const isSquare = height === width || typeof height !== "number" || typeof width !== "number";
    if (takesOne && isSquare && channels === 3) return typeof height === "number" ? height : size;
  }
  const wanted = layout === "NHWC" ? "[1, size, size, 3]" : "[1, 3, size, size]";
  const message = `${model.name} takes ${inputsInWords(session)}, and this kind of tagger takes float32 ${wanted}. `
    + "Choose the model file of such a tagger, or another kind.";
  throw new InputError("tagger.input", message, { file: model.name, input: inputsInWords(session), wanted });
}

/** A number of outputs that is not in the file is seen at the first picture. */
function checkOutput(session: Session, source: TaggerSource): void {
  const output = session.outputMetadata[0];
  const count = output?.isTensor === true ? output.shape.at(-1) : undefined;
  if (typeof count === "number" && count !== source.labels.length) throw wrongCount(source, count);
}

function wrongCount({ model, labels }: TaggerSource, outputs: number): InputError {
  const message = `${model.name} knows ${outputs} tags and the list has ${labels.length}: they do not belong together. `
    + "Choose the list of tags from the model's own folder.";
  return new InputError("tagger.labelCount", message, { file: model.name, outputs, labels: labels.length });
}

function noProbabilities(file: string): InputError {
  const message = `${file} gives numbers that are no probabilities, so it is no tagger of this kind. Choose the model file of one.`;
  return new InputError("tagger.output", message, { file });
}
