/**
 * What a run will need, read off the plans that it will execute: bytes by part, dispatches and flops by op. The
 * engine allocates exactly these bytes.
 */
import { byteLength, rootOf, type Tensor } from "../gpu/graph/tensor.ts";
import { forwardBytes, type ForwardPlan } from "./forward-plan.ts";
import { encoderBytes, trainingBytes, uniformBytes, type TrainingPlan } from "./training-plan.ts";
import { sumBytes, type ProgramPlan } from "../gpu/program/plan.ts";

/** Parts of the training phase's memory, in the order in which they are shown. */
export type ForecastPart = "weights" | "adapters" | "gradients" | "optimizer" | "savedActivations" | "workspace" | "inputs" | "encoder" | "samples";

export interface OpClassForecast {
  readonly op: string;
  readonly dispatches: number;
  readonly flops: number;
}

export interface RunForecast {
  readonly parts: readonly { readonly key: ForecastPart; readonly bytes: number }[];
  readonly phases: readonly { readonly phase: "cacheLatents" | "cacheText" | "train" | "sample"; readonly peakBytes: number }[];
  /** The largest phase. */
  readonly peakBytes: number;
  readonly weightsBytes: number;
  /** Kept from the forward for the backward, at the moment between the two. */
  readonly savedActivationBytes: number;
  /** Of one update with one micro-batch of the largest shape, the optimizer included. */
  readonly dispatches: number;
  readonly flops: number;
  readonly byOp: readonly OpClassForecast[];
  readonly largestBindingBytes: number;
  /** How much more the placement takes than any placement must. */
  readonly arenaSlackBytes: number;
}

export function forecast(plan: TrainingPlan, phases: { readonly vae?: ForwardPlan; readonly text?: ForwardPlan }): RunForecast {
  const programs = [...plan.steps.values()];
  const largest = programs.reduce((a, b) => (b.flops > a.flops ? b : a));
  const saved = savedActivationBytes(largest);
  const arena = sumBytes(plan.arenaBytes);
  const pool = (prefix: string): number =>
    sumBytes([...plan.residents.pools].filter(([name]) => name.startsWith(prefix)).map(([, sizes]) => sumBytes(sizes)));
  const weightsBytes = pool("weights");
  const parts: RunForecast["parts"] = [
    { key: "weights", bytes: weightsBytes },
    { key: "adapters", bytes: pool("params/") },
    { key: "gradients", bytes: pool("grads/") },
    { key: "optimizer", bytes: pool("state/") },
    { key: "savedActivations", bytes: saved },
    { key: "workspace", bytes: arena - saved },
    { key: "inputs", bytes: pool("inputs") + pool("outputs") + uniformBytes(plan) + plan.reportBytes },
    ...(plan.options.encoder === undefined ? [] : [{ key: "encoder" as const, bytes: encoderBytes(plan) }]),
    ...(plan.samples?.isKept === true ? [{ key: "samples" as const, bytes: plan.samples.bytes }] : []),
  ];
  const phaseBytes: RunForecast["phases"] = [
    ...(phases.vae ? [{ phase: "cacheLatents" as const, peakBytes: forwardBytes(phases.vae) }] : []),
    ...(phases.text ? [{ phase: "cacheText" as const, peakBytes: forwardBytes(phases.text) }] : []),
    { phase: "train" as const, peakBytes: trainingBytes(plan) },
    ...(plan.samples?.isKept === false ? [{ phase: "sample" as const, peakBytes: trainingBytes(plan) + plan.samples.bytes }] : []),
  ];
  return {
    parts,
    phases: phaseBytes,
    peakBytes: Math.max(...phaseBytes.map(({ peakBytes }) => peakBytes)),
    weightsBytes,
    savedActivationBytes: saved,
    dispatches: largest.calls.length + plan.update.calls.length,
    flops: largest.flops,
    byOp: byOp([largest, plan.update]),
    largestBindingBytes: Math.max(...largest.calls.flatMap((call) => call.tensors.map(byteLength))),
    arenaSlackBytes: arena - Math.max(...programs.map(({ memory }) => memory.peakLiveBytes)),
  };
}

/** Bytes of temporaries that are alive when the loss is computed and still wanted after it. */
function savedActivationBytes({ calls, memory }: ProgramPlan): number {
  const boundary = calls.findIndex(({ node }) => node.op.kind === "diffusionLoss");
  const used = new Set<Tensor>(calls[boundary]?.tensors.map(rootOf));
  return [...memory.lifetimes]
    .filter(([tensor, { first, last }]) => first < boundary && last > boundary && !used.has(tensor))
    .reduce((total, [, { bytes }]) => total + bytes, 0);
}

function byOp(programs: readonly ProgramPlan[]): OpClassForecast[] {
  const classes = new Map<string, { dispatches: number; flops: number }>();
  for (const { node, flops } of programs.flatMap(({ calls }) => calls)) {
    const known = classes.get(node.op.kind) ?? { dispatches: 0, flops: 0 };
    classes.set(node.op.kind, { dispatches: known.dispatches + 1, flops: known.flops + flops });
  }
  return [...classes].map(([op, counts]) => ({ op, ...counts })).sort((a, b) => b.flops - a.flops || b.dispatches - a.dispatches);
}
