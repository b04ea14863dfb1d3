/**
 * A generator without a GPU for looking at the Test screen and driving it in tests: faces whose features follow the
 * seed, the prompt and the adapters' weights, with real metadata. Never part of the product. `slow` in the negative
 * prompt makes a step take long; `fail` in the prompt makes drawing fail.
 */
import { CancelledError, InputError, LorasmithError } from "../../src/errors.ts";
import { readPngTexts, writePngText } from "../../src/formats/png-text.ts";
import { planGrid } from "../../src/generation/grid.ts";
import { describePicture, recallSettings } from "../../src/generation/picture-text.ts";
import type { AdapterWeight, GenerationRequest } from "../../src/generation/request.ts";
import type {
  FinishedPicture, GenerateObserver, GenerateWorkerApi, OpenedAdapter, OpenedEmbedding, OpenedModel,
} from "../../src/workers/generate-protocol.ts";
import { drawFace } from "./fake-face.ts";

const stepMs = 25;
const slowStepMs = 400;
const previewFrom = 0.2;
const adapterLayers = 192;

interface Opened extends OpenedAdapter {
  readonly key: string;
}

function stem(name: string): string {
  return name.replace(/\.[^.]+$/, "");
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export class FakeGenerator implements GenerateWorkerApi {
  #model: OpenedModel | undefined;
  #adapters: Opened[] = [];
  readonly #cancelled = new Set<string>();
  readonly #waiting = new Map<string, { readonly id: string; readonly slot: string | undefined }>();
  #tail: Promise<unknown> = Promise.resolve();

  watch: GenerateWorkerApi["watch"] = async (onstate) => onstate({ state: "ready" });

  openModel: GenerateWorkerApi["openModel"] = async (source) => {
    const name = source.kind === "file" ? source.file.name : source.copyName;
    if (name.includes("broken")) throw new InputError("safetensors.truncated", `${name} ends too early.`, { name });
    await wait(100);
    this.#model = {
      name: stem(name), family: "Stable Diffusion 1.x", isV2: false, predictionType: "epsilon",
      isPredictionAssumed: true, tensorCount: 1133, parameterCount: 1_066_235_307,
    };
    return this.#model;
  };

  openVae: GenerateWorkerApi["openVae"] = async () => undefined;

  trainedAdapters: GenerateWorkerApi["trainedAdapters"] = async (runId) => {
    const steps = [40, 80, 120];
    return [
      ...steps.map((step, index) => ({
        name: `smith-step${String(step).padStart(8, "0")}`, source: { kind: "run", runId, step } as const,
        step, epoch: index + 1, isFinal: false,
      })),
      { name: "smith", source: { kind: "run", runId } as const, step: 160, epoch: 4, isFinal: true },
    ];
  };

  openAdapter: GenerateWorkerApi["openAdapter"] = async (source) => {
    this.#needModel();
    const key = source.kind === "file" ? source.file.name : `${source.runId}@${source.step ?? ""}`;
    const wanted = source.kind === "file" ? stem(source.file.name)
      : source.step === undefined ? "smith" : `smith-step${String(source.step).padStart(8, "0")}`;
    const known = this.#adapters.find((adapter) => adapter.key === key);
    if (known !== undefined) return known;
    if (key.includes("model")) throw new InputError("lora.notANetwork", `${key} is a base model, not an adapter.`, { file: key });
    const misfitCount = key.includes("sdxl") ? adapterLayers : key.includes("partly") ? 64 : 0;
    const misfits = Array.from({ length: Math.min(misfitCount, 20) }, (_, i) => `lora_unet_input_blocks_${i}_1_proj_in`);
    const taken = new Set(this.#adapters.map(({ name }) => name));
    let name = wanted;
    for (let n = 2; taken.has(name); n += 1) name = `${wanted}-${n}`;
    const opened = { key, name, kind: key.includes("locon") ? "LoCon" : "LoRA", rank: 16, applied: adapterLayers - misfitCount, misfits, misfitCount, reasons: { noLayer: misfitCount } };
    this.#adapters.push(opened);
    return opened;
  };

  adapters: GenerateWorkerApi["adapters"] = async () => this.#adapters;

  removeAdapter: GenerateWorkerApi["removeAdapter"] = async (name) => {
    this.#adapters = this.#adapters.filter((adapter) => adapter.name !== name);
  };

  openEmbedding: GenerateWorkerApi["openEmbedding"] = async (file): Promise<OpenedEmbedding> => {
    if (file.name.includes("broken")) throw new InputError("embedding.noVectors", `${file.name} holds no embedding.`, { name: file.name });
    return { name: stem(file.name), vectors: 4 };
  };

  removeEmbedding: GenerateWorkerApi["removeEmbedding"] = async () => undefined;

  forecast: GenerateWorkerApi["forecast"] = async (request) => {
    this.#needModel();
    if (request.width % 64 !== 0 || request.height % 64 !== 0) {
      const { width, height } = request;
      throw new InputError("generation.size", `${width} × ${height}: use multiples of 64.`, { width, height, multiple: 64, least: 64 });
    }
    const area = (request.width * request.height) / 512 ** 2;
    const { evaluations } = planGrid({ request, adapters: [], columns: { kind: "seed", values: ["1"] } });
    const weightsBytes = 2_030_000_000;
    return { evaluations, weightsBytes, peakBytes: weightsBytes + 420_000_000 * area, flops: 0.8e12 * evaluations * area };
  };

  generate: GenerateWorkerApi["generate"] = ({ id, request, adapters, slot, wantsPreviews }, observer) => {
    for (const other of this.#waiting.values()) if (slot !== undefined && other.slot === slot) this.#cancelled.add(other.id);
    return this.#inTurn(id, slot, () => this.#draw(id, request, adapters, observer, wantsPreviews === true));
  };

  planGrid: GenerateWorkerApi["planGrid"] = async (spec) => planGrid(spec);

  grid: GenerateWorkerApi["grid"] = ({ id, plan }, observer) =>
    this.#inTurn(id, undefined, async () => {
      for (const [index, cell] of plan.cells.entries()) {
        const picture = await this.#draw(id, cell.request, cell.adapters, observer, false);
        observer.cell(cell, picture, index + 1);
      }
    });

  gridSheet: GenerateWorkerApi["gridSheet"] = async (plan, pictures, texts) => {
    const side = 160;
    const canvas = new OffscreenCanvas(plan.columns.labels.length * side, (plan.rows?.labels.length ?? 1) * side + 24);
    const context = canvas.getContext("2d")!;
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#000";
    context.fillText(`${texts.columns} ${texts.rows ?? ""}`, 4, 14);
    for (const { column, row, png } of pictures) {
      context.drawImage(await createImageBitmap(png), column * side, row * side + 24, side, side);
    }
    const png = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
    const [first] = plan.cells;
    const picture = { request: first!.request, adapters: first!.adapters, width: side, height: side, milliseconds: 1 };
    return new Blob([writePngText(png, "parameters", this.#describe(picture))], { type: "image/png" });
  };

  cancel: GenerateWorkerApi["cancel"] = async (id) => {
    for (const known of this.#waiting.keys()) if (id === undefined || known === id) this.#cancelled.add(known);
  };

  release: GenerateWorkerApi["release"] = () => this.cancel();

  readSettings: GenerateWorkerApi["readSettings"] = async (picture) => {
    const texts = await readPngTexts(new Uint8Array(await picture.arrayBuffer()));
    return recallSettings(texts.get("parameters") ?? "");
  };

  async #inTurn<T>(id: string, slot: string | undefined, work: () => Promise<T>): Promise<T> {
    this.#waiting.set(id, { id, slot });
    const before = this.#tail;
    const turn = before.then(() => {
      this.#stopIfCancelled(id);
      return work();
    });
    this.#tail = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #draw(
    id: string, request: GenerationRequest, adapters: readonly AdapterWeight[], observer: GenerateObserver, wantsPreviews: boolean,
  ): Promise<FinishedPicture> {
    this.#needModel();
    if (request.prompt.includes("fail")) {
      throw new LorasmithError("gpu.outOfMemory", "No memory.", { what: "activations", bytes: 900_000_000 });
    }
    const begun = performance.now();
    observer.compiling(1, 4);
    for (let step = 1; step <= request.steps; step += 1) {
      await wait(request.negative.includes("slow") ? slowStepMs : stepMs);
      this.#stopIfCancelled(id);
      const preview = wantsPreviews && step / request.steps > previewFrom ? await this.#preview(request, adapters, step) : undefined;
      observer.progress({ step, steps: request.steps, ...(preview === undefined ? {} : { preview }) });
    }
    const canvas = new OffscreenCanvas(request.width, request.height);
    drawFace(canvas, request, adapters, 1);
    const png = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
    const milliseconds = performance.now() - begun;
    const picture = { request, adapters, width: request.width, height: request.height, milliseconds };
    const infotext = this.#describe(picture);
    return { ...picture, infotext, png: new Blob([writePngText(png, "parameters", infotext)], { type: "image/png" }) };
  }

  async #preview(request: GenerationRequest, adapters: readonly AdapterWeight[], step: number) {
    const canvas = new OffscreenCanvas(request.width / 8, request.height / 8);
    drawFace(canvas, request, adapters, step / request.steps);
    const { width, height, data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
    return { width, height, rgba: new Uint8ClampedArray(data) };
  }

  #describe(picture: Parameters<typeof describePicture>[0]): string {
    const model = { name: this.#model?.name ?? "" };
    return describePicture(picture, { model, adapterHashes: new Map(), program: "lorasmith harness" });
  }

  #stopIfCancelled(id: string): void {
    if (!this.#cancelled.has(id)) return;
    this.#cancelled.delete(id);
    throw new CancelledError();
  }

  #needModel(): void {
    if (this.#model === undefined) throw new InputError("generation.noModel", "Choose a base model first.");
  }
}
