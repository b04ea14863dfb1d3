/** Everything that is known about a picture before it is made: its texts, noise levels and programs. Needs no GPU. */
import { InputError } from "../errors.ts";
import { BindingTooLargeError } from "../gpu/graph/memory-plan.ts";
import { tokenCount } from "../models/forward-graphs.ts";
import { evaluationCount, samplerSigmas } from "../models/samplers/samplers.ts";
import { chunkPrompt, type PromptChunk, type PromptEmbedding } from "../text/prompt/chunks.ts";
import { checkRequest, latentScale, smallestSide } from "./check-request.ts";
import { readPrompts, type GuidingTexts, type PromptScript } from "./prompt-script.ts";
import { layoutTiles, type TileLayout } from "./tiles.ts";
import type { ProgramPlan } from "../gpu/program/plan.ts";
import type { PlannedModel } from "../models/forward-runner.ts";
import type { Planner } from "./planner.ts";
import type { GenerationRequest } from "./request.ts";

/** Texts of one evaluation that go through the UNet together, as indices into `textsOf`. */
export interface UNetPass {
  readonly model: PlannedModel;
  readonly texts: readonly number[];
}

export interface RequestPlan {
  readonly request: GenerationRequest;
  /** Latent size. */
  readonly height: number;
  readonly width: number;
  readonly sigmas: readonly number[];
  readonly evaluations: number;
  readonly script: PromptScript;
  readonly chunks: ReadonlyMap<string, readonly PromptChunk[]>;
  readonly text: PlannedModel;
  readonly decoder: PlannedModel;
  /** One tile where the picture is decoded whole. */
  readonly tiles: TileLayout;
  /** By the key of an evaluation's texts. */
  readonly passes: ReadonlyMap<string, readonly UNetPass[]>;
  /** All of them, each once. */
  readonly programs: readonly ProgramPlan[];
}

/** The negative prompt, where it has a part in the result, then the parts of the prompt. */
export function textsOf({ negative, parts }: GuidingTexts): string[] {
  return [...(negative === undefined ? [] : [negative]), ...parts.map(({ text }) => text)];
}

/** Evaluations whose texts have the same numbers of chunks run the same programs. */
export function passesKey(texts: readonly string[], chunks: RequestPlan["chunks"]): string {
  return texts.map((text) => chunks.get(text)?.length ?? 0).join();
}

/**
 * @param embeddings whose names stand for vectors in prompts
 * @throws InputError `generation.{size,cfg,seed,tooLarge,unknownNetwork}`, `sampling.steps`, `prompt.lora-weight`,
 * `config.clip_skip`
 */
export function planRequest(
  planner: Planner, request: GenerationRequest, embeddings: readonly PromptEmbedding[],
): RequestPlan {
  checkRequest(request);
  const sigmas = samplerSigmas(request.sampler, request.steps, request.schedule);
  const evaluations = evaluationCount(request.sampler, sigmas);
  const script = readPrompts(request);
  const [height, width] = [request.height / latentScale, request.width / latentScale];
  const { family: variant } = planner.models.checkpoint;
  const text = planner.text(request.clipSkip);

  const chunks = new Map<string, readonly PromptChunk[]>();
  const passes = new Map<string, readonly UNetPass[]>();
  try {
    for (let evaluation = 0; evaluation < evaluations; evaluation++) {
      const texts = textsOf(script.at(evaluation));
      for (const one of texts) {
        if (!chunks.has(one)) chunks.set(one, chunkPrompt(one, { variant, embeddings }));
      }
      const key = passesKey(texts, chunks);
      if (!passes.has(key)) passes.set(key, planPasses(planner, { height, width }, texts, chunks));
    }
    const { decoder, tiles } = planDecoder(planner, height, width);
    const models = [text, ...[...passes.values()].flat().map(({ model }) => model), decoder];
    const programs = [...new Set(models.map(({ plan }) => plan))];
    return { request, height, width, sigmas, evaluations, script, chunks, text, decoder, tiles, passes, programs };
  } catch (error) {
    if (error instanceof BindingTooLargeError) throw tooLarge(planner, request, error);
    throw error;
  }
}

interface LatentSize {
  readonly height: number;
  readonly width: number;
}

/** Texts of one length go two at a time where bindings are large enough for that. */
function planPasses(
  planner: Planner, size: LatentSize, texts: readonly string[], chunks: RequestPlan["chunks"],
): UNetPass[] {
  const byTokens = new Map<number, number[]>();
  for (const [index, text] of texts.entries()) {
    const tokens = (chunks.get(text)?.length ?? 0) * tokenCount;
    byTokens.set(tokens, [...(byTokens.get(tokens) ?? []), index]);
  }
  const passes: UNetPass[] = [];
  for (const [tokens, indices] of byTokens) {
    while (indices.length > 0) {
      const pair = indices.length > 1 ? planPair(planner, size, tokens) : undefined;
      const model = pair ?? planner.unet({ ...size, batch: 1, tokens });
      passes.push({ model, texts: indices.splice(0, pair === undefined ? 1 : 2) });
    }
  }
  return passes;
}

function planPair(planner: Planner, size: LatentSize, tokens: number): PlannedModel | undefined {
  try {
    return planner.unet({ ...size, batch: 2, tokens });
  } catch (error) {
    if (error instanceof BindingTooLargeError) return undefined;
    throw error;
  }
}

/** The whole picture at once if that can be bound, otherwise as few tiles as can. */
function planDecoder(planner: Planner, height: number, width: number): { decoder: PlannedModel; tiles: TileLayout } {
  let [rows, columns] = [1, 1];
  for (;;) {
    const tiles = layoutTiles(height, width, rows, columns);
    try {
      return { decoder: planner.decoder(tiles.height, tiles.width), tiles };
    } catch (error) {
      const isSmall = Math.max(tiles.height, tiles.width) * latentScale <= smallestSide;
      if (!(error instanceof BindingTooLargeError) || isSmall) throw error;
    }
    if (tiles.height >= tiles.width) rows++;
    else columns++;
  }
}

/** Names the largest size of the same proportions that can be bound. */
function tooLarge(planner: Planner, request: GenerationRequest, cause: BindingTooLargeError): InputError {
  const { width, height } = request;
  const fitting = (scale: number): [number, number] => {
    const side = (pixels: number): number =>
      Math.max(smallestSide, Math.floor((pixels * scale) / latentScale) * latentScale);
    return [side(width), side(height)];
  };
  const fits = (scale: number): boolean => {
    const [w, h] = fitting(scale);
    try {
      planner.unet({ batch: 1, height: h / latentScale, width: w / latentScale, tokens: tokenCount });
      return true;
    } catch (error) {
      if (error instanceof BindingTooLargeError) return false;
      throw error;
    }
  };
  const limit = planner.tier.limits.maxStorageBufferBindingSize;
  const size = { batch: 1, height: height / latentScale, width: width / latentScale, tokens: tokenCount };
  const bytes = planner.largestActivation(size);
  // Maps grow with the area, so this is it or nearly.
  let scale = Math.sqrt(limit / bytes);
  while (!fits(scale) && Math.max(...fitting(scale)) > smallestSide) scale *= 0.98;
  const [largestWidth, largestHeight] = fitting(scale);
  const message =
    `A picture of ${width}x${height} needs ${bytes} bytes in one piece, and this GPU allows ${limit}. ` +
    `The largest of these proportions is ${largestWidth}x${largestHeight}.`;
  return new InputError("generation.tooLarge", message, { width, height, largestWidth, largestHeight, bytes, limit }, { cause });
}
