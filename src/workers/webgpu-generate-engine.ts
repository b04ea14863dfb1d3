/** The generator on this browser's GPU. A device is held while a model is open on it, and no longer. */
import { LorasmithError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { shortModelHash } from "../formats/model-hash.ts";
import { adapterBytes, planAdapter } from "../generation/adapter-plan.ts";
import { WeightPlaces } from "../generation/adapter-places.ts";
import { adapterReport } from "../generation/adapter-report.ts";
import { readEmbedding } from "../generation/embedding-file.ts";
import type { TextEmbedding } from "../generation/embedding-file.ts";
import { forecastRequest } from "../generation/forecast.ts";
import { Generator } from "../generation/generator.ts";
import { openModels } from "../generation/models.ts";
import type { ModelFiles } from "../generation/models.ts";
import { Planner } from "../generation/planner.ts";
import { planRequest } from "../generation/request-plan.ts";
import { openGpu } from "../gpu/device.ts";
import type { Gpu } from "../gpu/device.ts";
import { matchNetwork } from "../lora/network-match.ts";
import type { NetworkMatch } from "../lora/network-match.ts";
import { readNetwork } from "../lora/network-reader.ts";
import type { Checkpoint } from "../models/config.ts";
import { weightShapes } from "../models/forward-graphs.ts";
import { openVae } from "../models/vae-file.ts";
import { adapterTier } from "./adapter-tier.ts";
import type { Bench, GenerateEngine, OpenGenerator } from "./generate-engine.ts";
import { describeModel, openModelFile } from "./model-report.ts";

/** As long as the webui writes them. */
const adapterHashLength = 12;

export function webgpuGenerateEngine(): GenerateEngine {
  /** Headers and plans of the files asked for last: the page asks for the same ones again and again. */
  const checkpoints = new Latest<File, Checkpoint>(openModelFile);
  const planners = new Latest<Bench, Planner>(async (bench) =>
    new Planner(await openModels(await modelFiles(bench)), await adapterTier()),
  );
  const matches = new WeakMap<Checkpoint, WeakMap<File, NetworkMatch>>();

  const modelFiles = async ({ model, vae }: Bench): Promise<ModelFiles> => ({
    checkpoint: await checkpoints.get(model),
    ...(vae === undefined ? {} : { vae: await openTensors(vae) }),
  });

  const readEmbeddings = async (files: readonly File[], { textEncoder }: Checkpoint): Promise<TextEmbedding[]> =>
    Promise.all(files.map(async (file) => readEmbedding(await openTensors(file), textEncoder.width)));

  const matchAdapter = async (file: File, checkpoint: Checkpoint): Promise<NetworkMatch> => {
    const known = matches.get(checkpoint) ?? new WeakMap<File, NetworkMatch>();
    matches.set(checkpoint, known);
    const match = known.get(file) ?? matchNetwork(await readNetwork(await openTensors(file)), checkpoint);
    known.set(file, match);
    return match;
  };

  return {
    async readModel(file) {
      const checkpoint = await checkpoints.get(file);
      const hash = await shortModelHash(checkpoint.file.source);
      return { report: describeModel(checkpoint), ...(hash === undefined ? {} : { hash }) };
    },

    async checkVae(file) {
      openVae(await openTensors(file));
    },

    async readEmbedding(file, model) {
      const [embedding] = await readEmbeddings([file], await checkpoints.get(model));
      const { name, vectors } = embedding!;
      return { name, vectors };
    },

    async readAdapter(file, model) {
      const match = await matchAdapter(file, await checkpoints.get(model));
      return { report: adapterReport(match), hash: await adapterHash(file, match.network.file) };
    },

    async forecast(bench, extras, request) {
      const planner = await planners.get(bench);
      const { checkpoint } = planner.models;
      const places = new WeightPlaces(planner.weights.checkpoint, weightShapes(checkpoint));
      const adapters = await Promise.all(extras.adapters.map((file) => matchAdapter(file, checkpoint)));
      const adaptersBytes = adapterBytes(adapters.map((match) => planAdapter(match, places, planner.tier.limits)));
      const plan = planRequest(planner, request, await readEmbeddings(extras.embeddings, checkpoint));
      const { evaluations, peakBytes, weightsBytes, flops } = forecastRequest(planner, plan, adaptersBytes);
      return { evaluations, peakBytes, weightsBytes, flops };
    },

    async open(bench, options) {
      const files = await modelFiles(bench);
      const gpu = await openGpu(navigator.gpu as GPU | undefined);
      try {
        const generator = await Generator.open(gpu, { ...files, ...options });
        return asOpen(generator, gpu, (embeddings) => readEmbeddings(embeddings, files.checkpoint));
      } catch (error) {
        gpu.destroy();
        throw error;
      }
    },
  };
}

function asOpen(
  generator: Generator, gpu: Gpu, readEmbeddings: (files: readonly File[]) => Promise<TextEmbedding[]>,
): OpenGenerator {
  let loaded = new Map<string, File>();
  const setAdapters = async (files: readonly File[], signal: AbortSignal): Promise<void> => {
    const wanted = new Set(files);
    const kept = new Map<string, File>();
    for (const [name, file] of loaded) {
      if (wanted.delete(file)) kept.set(name, file);
      else await generator.removeAdapter(name);
    }
    loaded = kept;
    for (const file of wanted) {
      const { name } = await generator.addAdapter(await openTensors(file), { signal });
      loaded.set(name, file);
    }
  };
  return {
    lost: gpu.lost,
    async setExtras({ adapters, embeddings }, signal) {
      generator.setEmbeddings(await readEmbeddings(embeddings));
      await setAdapters(adapters, signal);
    },
    generate: (request, adapters, options) => generator.generate(request, { adapters, ...options }),
    // Everything that the generator has lies on the device, also what it is about to ask for.
    destroy: () => gpu.destroy(),
  };
}

/** A value made from something, until something else is asked for. */
class Latest<Key extends object, Value> {
  readonly #make: (key: Key) => Promise<Value>;
  #key: Key | undefined;
  #value: Promise<Value> | undefined;

  constructor(make: (key: Key) => Promise<Value>) {
    this.#make = make;
  }

  get(key: Key): Promise<Value> {
    if (this.#key === key && this.#value !== undefined) return this.#value;
    const value = this.#make(key);
    this.#key = key;
    this.#value = value;
    value.catch(() => {
      if (this.#value === value) this.#value = undefined;
    });
    return value;
  }
}

async function openTensors(file: File): Promise<TensorFile> {
  try {
    return await openTensorFile(blobSource(file, file.name));
  } catch (error) {
    if (error instanceof LorasmithError) throw error;
    throw new LorasmithError("model.unreadable", `${file.name} could not be read: ${String(error)}`, { file: file.name });
  }
}

/** The web UI's hash of a LoRA: written in the file, or made of all behind a safetensors header. */
async function adapterHash(file: File, tensors: TensorFile): Promise<string> {
  const written = tensors.metadata.get("sshs_model_hash");
  if (written !== undefined && /^[0-9a-f]{64}$/.test(written)) return written.slice(0, adapterHashLength);
  const hasHeader = tensors instanceof SafetensorsFile;
  const start = hasHeader ? 8 + Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true)) : 0;
  const data = await file.slice(start).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, adapterHashLength);
}
