/** What a picture will need, read off the plans that make it. The generator allocates exactly these bytes. */
import { byteLength } from "../gpu/graph/tensor.ts";
import { programUniformBytes, sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";
import { Arena } from "../gpu/program/program.ts";
import { planResidents, type ResidentPlan } from "../gpu/program/residents.ts";
import { invariant } from "../errors.ts";
import { weightShapes } from "../models/forward-graphs.ts";
import { adapterBytes, planAdapter } from "./adapter-plan.ts";
import { WeightPlaces } from "./adapter-places.ts";
import { passesKey, planRequest, textsOf, type RequestPlan } from "./request-plan.ts";
import { Planner } from "./planner.ts";
import type { EngineLimits, Tier } from "../gpu/tier.ts";
import type { NetworkMatch } from "../lora/network-match.ts";
import type { GenerationModels } from "./models.ts";
import type { GenerationRequest } from "./request.ts";

export interface GenerationForecast {
  /** All GPU memory: weights, workspace and adapters. */
  readonly peakBytes: number;
  readonly weightsBytes: number;
  /** Activations, inputs and scalars of all programs of this picture. */
  readonly workspaceBytes: number;
  readonly adaptersBytes: number;
  readonly largestBindingBytes: number;
  /** How often the UNet is asked, at both prompts and every part of them together. */
  readonly evaluations: number;
  /** Of one evaluation: the first. */
  readonly dispatches: number;
  readonly evaluationFlops: number;
  /** Of the whole picture, its texts and decoding included. */
  readonly flops: number;
  /** Pieces in which the picture is decoded; 1 is whole. */
  readonly tiles: number;
}

/**
 * @param adapters that will be loaded
 * @throws InputError for whatever `generate` would refuse the request for; the tags of its prompt are not looked at
 */
export function planGeneration(
  models: GenerationModels, request: GenerationRequest, tier: Tier, adapters: readonly NetworkMatch[] = [],
): GenerationForecast {
  const planner = new Planner(models, tier);
  const places = new WeightPlaces(planner.weights.checkpoint, weightShapes(models.checkpoint));
  const bytes = adapterBytes(adapters.map((match) => planAdapter(match, places, tier.limits)));
  return forecastRequest(planner, planRequest(planner, request, models.embeddings), bytes);
}

/** @param adaptersBytes GPU memory of the adapters that are loaded */
export function forecastRequest({ weights }: Planner, plan: RequestPlan, adaptersBytes: number): GenerationForecast {
  const { programs, tiles, chunks, evaluations, decoder, text } = plan;
  const limits = decoder.plan.tier.limits;
  const weightsBytes = weights.residents.totalBytes;
  const workspace =
    sumBytes(Arena.chunkBytes(programs)) +
    programUniformBytes(programs) +
    sumBytes(programs.map((program) => planInputs(program, limits).totalBytes));
  const first = unetPrograms(plan, 0);
  const texts = sumBytes([...chunks.values()].map((all) => all.length));
  const tileCount = tiles.rows.length * tiles.columns.length;
  const unetFlops = Array.from({ length: evaluations }, (_, i) => sumBytes(unetPrograms(plan, i).map((program) => program.flops)));
  return {
    peakBytes: weightsBytes + workspace + adaptersBytes,
    adaptersBytes,
    weightsBytes,
    workspaceBytes: workspace,
    largestBindingBytes: Math.max(...programs.flatMap(({ calls }) => calls.flatMap(({ tensors }) => tensors.map(byteLength)))),
    evaluations,
    dispatches: sumBytes(first.map(({ calls }) => calls.length)),
    evaluationFlops: sumBytes(first.map((program) => program.flops)),
    flops: sumBytes(unetFlops) + texts * text.plan.flops + tileCount * decoder.plan.flops,
    tiles: tileCount,
  };
}

/** Memory of what a program is given, apart from weights. */
export function planInputs(program: ProgramPlan, limits: EngineLimits): ResidentPlan {
  return planResidents(program.residents.filter(({ role }) => role !== "weight"), limits);
}

function unetPrograms({ script, chunks, passes }: RequestPlan, evaluation: number): ProgramPlan[] {
  const found = passes.get(passesKey(textsOf(script.at(evaluation)), chunks));
  invariant(found !== undefined, `evaluation ${evaluation} has no plan`);
  return found.map(({ model }) => model.plan);
}
