/**
 * A run's resumable state as one safetensors file: adapter factors by kohya name, or a model's own tensors, optimizer state
 * beside them, and where the run stands. Random numbers need no state: they are functions of the seed and the position.
 */
import { InputError, invariant } from "../errors.ts";
import { blobSource, type ByteSource } from "../formats/byte-source.ts";
import { openSafetensors, type SafetensorsFile } from "../formats/safetensors.ts";
import { encodeSafetensors } from "../formats/safetensors-writer.ts";
import { streamSafetensors, type FileBytes, type StreamedFile, type StreamedTensor } from "../formats/streamed-file.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { ModuleWeights } from "../lora/factors.ts";
import type { LoraModule } from "../lora/file.ts";
import type { LossScaleState } from "./loss-scale.ts";
import type { RunFacts } from "../lora/metadata.ts";

/** What a LoRA file says of its run, less what is known at its end. */
export type RunOrigin = Omit<RunFacts, "finishedAt" | "steps" | "epoch">;

export interface RunState {
  /** Optimizer updates finished. */
  readonly update: number;
  readonly seed: number;
  readonly config: TrainingConfig;
  /** Facts for the written file that only the start of the run knows. */
  readonly facts: RunOrigin;
  /** Adapter modules, as their file will hold them. */
  readonly modules: readonly ModuleInfo[];
  readonly weights: ReadonlyMap<string, ModuleWeights>;
  /** Optimizer states, each with the adapter's layout. */
  readonly optimizer: readonly ReadonlyMap<string, ModuleWeights>[];
  /** Optimizer state of other shapes, by name, as it lies on the GPU: 8-bit codes, running estimates. */
  readonly kept: ReadonlyMap<string, KeptState>;
  /** With `mixed_precision` fp16. */
  readonly lossScale?: LossScaleState;
  /** Of a textual inversion, which has no modules. */
  readonly words?: WordsState;
  /** Of a model that is trained itself: `weights`, `optimizer` and `kept` are empty then. */
  readonly model?: ModelState;
}

/** All or some rows of a checkpoint's tensor; the same in every state of a run. */
export interface StateTensor {
  readonly key: string;
  readonly firstRow: number;
  /** PyTorch's. */
  readonly shape: readonly number[];
}

/** Too large to be held, so it is read where it lies: on the GPU, as long as the run stands still, or in a file. */
export interface ModelState {
  readonly tensors: readonly StateTensor[];
  /** Optimizer states of the tensors' layout. */
  readonly states: number;
  /** Of other shapes, as `kept` of other runs: names and lengths. */
  readonly kept: ReadonlyMap<string, number>;
  /** Values in PyTorch's order, in pieces. @param bank of the optimizer's states, or the weights */
  read(tensor: StateTensor, bank: number | "params"): AsyncIterable<Float32Array<ArrayBuffer>>;
  readKept(name: string): Promise<KeptState>;
}

/** Vectors of trained words, [count, width], and the optimizer's states of the same layout. */
export interface WordsState {
  readonly width: number;
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly optimizer: readonly Float32Array<ArrayBuffer>[];
}

export type KeptState = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

export type ModuleInfo = Pick<LoraModule, "name" | "alpha" | "factors">;

const formatVersion = "3";

/** The whole file; of a model that is trained itself one that is made while it is read. */
export function stateFile(state: RunState): FileBytes {
  return state.model === undefined ? encodeState(state) : streamState(state, state.model);
}

/** The file of a state that is no model's. */
export function encodeState(state: RunState): Uint8Array<ArrayBuffer> {
  invariant(state.model === undefined, "a model's state is streamed");
  const tensors = [...banks(state)].flatMap(([prefix, weights]) =>
    [...weights].flatMap(([name, factors]) => Object.entries(factors).map(([key, data]) => tensor(`${prefix}${name}.${key}`, data))),
  );
  for (const [name, data] of state.kept) tensors.push(tensor(`kept.${name}`, data));
  const { update, seed, config, facts, modules, lossScale, words } = state;
  if (words !== undefined) [words.vectors, ...words.optimizer].forEach((data, i) => tensors.push(tensor(`words.${i}`, data)));
  return encodeSafetensors(tensors, {
    lorasmith_state: formatVersion,
    run: JSON.stringify({ update, seed, config, facts, modules, states: state.optimizer.length, ...(lossScale && { lossScale }), ...(words && { wordWidth: words.width }) }),
  });
}

function streamState({ update, seed, config, facts, lossScale }: RunState, model: ModelState): StreamedFile {
  const banks = ["params", ...Array.from({ length: model.states }, (_, i) => i)] as const;
  const tensors = banks.flatMap((bank) => model.tensors.map((tensor): StreamedTensor => {
    const data = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      for await (const piece of model.read(tensor, bank)) yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    };
    return { name: modelName(tensor, bank), dtype: "F32", shape: tensor.shape, data };
  }));
  const kept = [...model.kept].map(([name, length]): StreamedTensor => {
    const data = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      const { buffer, byteOffset, byteLength } = await model.readKept(name);
      yield new Uint8Array(buffer, byteOffset, byteLength);
    };
    // What is codes and what numbers the optimizer knows.
    return { name: `kept.${name}`, dtype: "U32", shape: [length], data };
  });
  return streamSafetensors([...tensors, ...kept], {
    lorasmith_state: formatVersion,
    run: JSON.stringify({ update, seed, config, facts, modules: [], states: 0, ...(lossScale && { lossScale }), model: { states: model.states } }),
  });
}

/** Name of a model's tensor in a state. */
function modelName({ key, firstRow }: StateTensor, bank: number | "params"): string {
  return `model.${bank}.${key}@${firstRow}`;
}

/** Elements of a stored state that are read at once. */
const pieceElements = 2 ** 21;

function openModelState(file: SafetensorsFile, states: number): ModelState {
  const tensors = [...file.tensors.values()].flatMap(({ name, shape }): StateTensor[] => {
    const [, key, firstRow] = /^model\.params\.(.+)@(\d+)$/.exec(name) ?? [];
    return key === undefined ? [] : [{ key, firstRow: Number(firstRow), shape }];
  });
  const kept = [...file.tensors.values()].filter(({ name }) => name.startsWith("kept."));
  return {
    tensors,
    states,
    kept: new Map(kept.map(({ name, shape }) => [name.slice("kept.".length), shape[0] ?? 0])),
    async *read(tensor, bank) {
      const name = modelName(tensor, bank);
      const total = file.entry(name).byteLength / 4;
      for (let at = 0; at < total; at += pieceElements) {
        const piece = await file.readF32Range(name, at, Math.min(pieceElements, total - at));
        if (!isFiniteArray(piece)) {
          throw new InputError("state.notFinite", `The saved state holds invalid numbers in ${tensor.key}; it can't be continued`, { module: tensor.key });
        }
        yield piece;
      }
    },
    readKept: async (name) => new Uint32Array((await file.read(`kept.${name}`)).buffer),
  };
}

/**
 * Reads a state back.
 * @param stored the file; of a model that is trained itself it is read from for as long as the state is used
 * @throws InputError `state.format` if it is none, `state.notFinite` if it holds infinities or NaN
 */
export async function decodeState(stored: Uint8Array<ArrayBuffer> | Blob | ByteSource): Promise<RunState> {
  const isSource = "read" in stored;
  const file = await openSafetensors(isSource ? stored : blobSource(stored instanceof Blob ? stored : new Blob([stored]), "checkpoint"));
  const run: unknown = JSON.parse(file.metadata.get("run") ?? "null");
  if (file.metadata.get("lorasmith_state") !== formatVersion || typeof run !== "object" || run === null) {
    throw new InputError("state.format", "This is not a training state of this version of Lorasmith; start the run anew");
  }
  const header = run as Omit<RunState, "weights" | "optimizer" | "model"> & {
    readonly states: number; readonly wordWidth?: number; readonly model?: { readonly states: number };
  };
  if (header.model !== undefined) {
    const { update, seed, config, facts, lossScale } = header;
    const model = openModelState(file, header.model.states);
    return { update, seed, config, facts, modules: [], weights: new Map(), optimizer: [], kept: new Map(), ...(lossScale && { lossScale }), model };
  }
  const read = async (prefix: string): Promise<Map<string, ModuleWeights>> => {
    const weights = new Map<string, ModuleWeights>();
    for (const { name, factors } of header.modules) {
      const values: Record<string, Float32Array<ArrayBuffer>> = {};
      for (const { key } of factors) {
        const data = await file.readF32(`${prefix}${name}.${key}`);
        if (!isFiniteArray(data)) {
          throw new InputError("state.notFinite", `The saved state holds invalid numbers in ${name}; it can't be continued`, { module: name });
        }
        values[key] = data;
      }
      weights.set(name, values);
    }
    return weights;
  };
  const optimizer: Map<string, ModuleWeights>[] = [];
  for (let i = 0; i < header.states; i++) optimizer.push(await read(`state${i}.`));
  const kept = new Map<string, KeptState>();
  for (const { name, dtype } of file.tensors.values()) {
    if (!name.startsWith("kept.")) continue;
    const bytes = (await file.read(name)).slice().buffer;
    const data = dtype === "F32" ? new Float32Array(bytes) : new Uint32Array(bytes);
    if (data instanceof Float32Array && !isFiniteArray(data)) {
      throw new InputError("state.notFinite", `The saved state holds invalid numbers in ${name}; it can't be continued`, { module: name });
    }
    kept.set(name.slice("kept.".length), data);
  }
  const { update, seed, config, facts, modules, lossScale, wordWidth } = header;
  const words = wordWidth === undefined ? {} : { words: await readWords(file, wordWidth) };
  return { update, seed, config, facts, modules, weights: await read(""), optimizer, kept, ...(lossScale && { lossScale }), ...words };
}

async function readWords(file: SafetensorsFile, width: number): Promise<WordsState> {
  const banks: Float32Array<ArrayBuffer>[] = [];
  while (file.tensors.has(`words.${banks.length}`)) banks.push(await file.readF32(`words.${banks.length}`));
  const [vectors, ...optimizer] = banks;
  if (vectors === undefined || !banks.every(isFiniteArray)) {
    throw new InputError("state.notFinite", "The saved state holds invalid numbers in the embedding; it can't be continued", { module: "embedding" });
  }
  return { width, vectors, optimizer };
}

function banks(state: RunState): [string, ReadonlyMap<string, ModuleWeights>][] {
  return [["", state.weights], ...state.optimizer.map((bank, i): [string, ReadonlyMap<string, ModuleWeights>] => [`state${i}.`, bank])];
}

function tensor(name: string, data: KeptState): Parameters<typeof encodeSafetensors>[0][number] {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { name, dtype: data instanceof Float32Array ? "F32" : "U32", shape: [data.length], data: bytes };
}

function isFiniteArray(data: Float32Array): boolean {
  return data.every(Number.isFinite);
}
