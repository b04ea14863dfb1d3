/** Shapes and work division that the group norm ops share. */
import { invariant } from "../../errors.ts";
import { dim, elementCount, lastDim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, type Tier } from "../tier.ts";

export interface GroupNormAttrs {
  readonly groups: number;
  /** Whether y goes through SiLU. */
  readonly silu: boolean;
}

/** Sizes that all group norm kernels share: x is [batch, ...rows, channels]. */
export function groupNormSizes(x: Tensor, groups: number) {
  const batch = dim(x, 0);
  const channels = lastDim(x);
  invariant(channels % groups === 0, `${channels} channels do not divide into ${groups} groups`);
  invariant(channels % 4 === 0, `group norm wants channels in multiples of 4, got ${channels}`);
  const rows = elementCount(x.shape) / batch / channels;
  const perGroup = channels / groups;
  const defines = { C: channels, C4: channels / 4, GROUPS: groups, CPG: perGroup, BATCH_GROUPS: batch * groups, ALIGNED: perGroup % 4 === 0 };
  return { batch, channels, rows, perGroup, defines };
}

/** How the rows are cut for the partial sums: enough invocations to fill the device, at least 8 rows each. */
export function rowChunks(tier: Tier, batch: number, rows: number, channels: number): { chunks: number; chunkRows: number } {
  const invocations = tier.matrixStyle === "tiled" ? 16384 : 1024;
  const wanted = ceilDiv(invocations, batch * (channels / 4));
  const chunkRows = Math.max(8, ceilDiv(rows, wanted));
  return { chunks: ceilDiv(rows, chunkRows), chunkRows };
}
