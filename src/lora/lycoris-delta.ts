/** What a LyCORIS module adds to its weight, before its scale, as a graph of its factors (lycoris-factors.ts). */
import { invariant } from "../errors.ts";
import { factorProduct, hadamardProduct } from "../gpu/ops/factor-product.ts";
import { kronecker } from "../gpu/ops/kronecker.ts";
import { scaleBy } from "../gpu/ops/scale-by.ts";
import { kroneckerCut, scalarKey, usesTucker, type LycorisSettings } from "./lycoris-factors.ts";
import type { Graph } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { LoraTarget } from "../models/names.ts";

export interface ModuleDelta {
  /** [out, taps, in] in any grouping of its dimensions, with `tapsLast` [out, in, taps] */
  readonly tensor: Tensor;
  readonly tapsLast: boolean;
}

/** @param factors the module's trained tensors by key */
export function moduleDelta(
  graph: Graph, target: LoraTarget, rank: number, settings: LycorisSettings, factors: ReadonlyMap<string, Tensor>,
): ModuleDelta {
  const of = (key: string): Tensor => {
    const factor = factors.get(key);
    invariant(factor !== undefined, `${target.name} has no ${key}`);
    return factor;
  };
  const delta = { locon, loha, lokr }[settings.algorithm](graph, { target, rank, settings, of, isTucker: usesTucker(target, settings) });
  return settings.scalar ? { ...delta, tensor: scaleBy(graph, delta.tensor, of(scalarKey)) } : delta;
}

interface Module {
  readonly target: LoraTarget;
  readonly rank: number;
  readonly settings: LycorisSettings;
  readonly of: (key: string) => Tensor;
  readonly isTucker: boolean;
}

function locon(graph: Graph, { target, rank, of, isTucker }: Module): ModuleDelta {
  const down = of("lora_down.weight");
  const right = isTucker ? throughCore(graph, of("lora_mid.weight"), down, rank, target) : down;
  return { tensor: factorProduct(graph, of("lora_up.weight"), right), tapsLast: false };
}

function loha(graph: Graph, { target, rank, of, isTucker }: Module): ModuleDelta {
  const half = (n: 1 | 2): readonly [Tensor, Tensor] => {
    const right = of(`hada_w${n}_b`);
    return [of(`hada_w${n}_a`), isTucker ? throughCore(graph, of(`hada_t${n}`), right, rank, target) : right];
  };
  return { tensor: hadamardProduct(graph, half(1), half(2), isTucker), tapsLast: !isTucker && target.kernel > 1 };
}

function lokr(graph: Graph, { target, rank, settings, of, isTucker }: Module): ModuleDelta {
  const { splitsLeft, splitsRight, ...sizes } = kroneckerCut(target, rank, settings);
  const taps = target.kernel ** 2;
  const left = splitsLeft ? factorProduct(graph, of("lokr_w1_a"), of("lokr_w1_b")) : of("lokr_w1");
  const right = (): Tensor => {
    if (!splitsRight) return of("lokr_w2");
    const last = of("lokr_w2_b");
    if (!isTucker) return factorProduct(graph, of("lokr_w2_a"), last);
    return factorProduct(graph, of("lokr_w2_a"), throughCore(graph, of("lokr_t2"), last, rank, { ...target, in: sizes.d }), true);
  };
  const tapsLast = splitsRight && !isTucker && taps > 1;
  return { tensor: kronecker(graph, left, right(), { ...sizes, taps, tapsLast }), tapsLast: false };
}

/** A core [m kh kw, n] times [n, in]: [m, kh kw in]. */
function throughCore(graph: Graph, core: Tensor, right: Tensor, rank: number, { in: width, kernel }: Pick<LoraTarget, "in" | "kernel">): Tensor {
  return graph.view(factorProduct(graph, core, right), [rank, kernel ** 2 * width]);
}
