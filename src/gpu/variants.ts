/** Which kernel variant a matrix op gets, from the tier's style and the problem's shape. The only place that decides. */
import { ceilDiv, type Tier } from "./tier.ts";

export interface MatrixShape {
  /** Output rows (of one stride class, for convolution gradients). */
  readonly rows: number;
  /** Output columns of one group. */
  readonly cols: number;
}

export type MatrixVariant =
  | {
      readonly style: "direct";
      readonly tileRows: number;
      readonly tileCols: number;
      readonly lanes: number;
      /** Lanes side by side; the others go below. */
      readonly lanesX: number;
      /** Rows and vec4s of columns of one lane. */
      readonly rows: number;
      readonly quads: number;
      /** The lanes of a workgroup are one subgroup and share the rows that they load. */
      readonly share: boolean;
    }
  | {
      readonly style: "tiled";
      readonly tileRows: number;
      readonly tileCols: number;
      readonly tileRed: number;
      readonly threadsX: number;
      readonly threadsY: number;
    };

/** CPU rasterizers run 4 or 8 invocations as one vector; more in a workgroup only costs. */
const directLanes = 8;

export function pickMatrixVariant(tier: Tier, { rows, cols }: MatrixShape): MatrixVariant {
  if (tier.matrixStyle === "direct") {
    // One load serves the whole subgroup, if there are enough columns to keep its lanes busy.
    if (tier.subgroupSize === directLanes && rows > 1 && cols > 16) {
      const [lanes, lanesX, quads] = [directLanes, directLanes, 1];
      return { style: "direct", tileRows: 8, tileCols: lanesX * 4, lanes, lanesX, rows: 8, quads, share: true };
    }
    // Large blocks run twice as fast but take a second to compile there; small problems are not worth that.
    const isSmall = rows * cols < 8192;
    const quads = isSmall || cols <= 4 ? 1 : 2;
    const laneRows = rows <= 1 ? 1 : isSmall ? 4 : 8;
    const lanesX = [1, 2, 4].find((lanes) => cols <= lanes * quads * 4) ?? directLanes;
    const tileRows = (directLanes / lanesX) * laneRows;
    const tileCols = lanesX * quads * 4;
    return { style: "direct", tileRows, tileCols, lanes: directLanes, lanesX, rows: laneRows, quads, share: false };
  }
  if (cols <= 16) return { style: "tiled", tileRows: 32, tileCols: 16, tileRed: 32, threadsX: 4, threadsY: 16 };
  // Fewer workgroups than this leave most of a discrete GPU idle.
  const enough = 128;
  if (rows > 32 && ceilDiv(rows, 64) * ceilDiv(cols, 64) >= enough) {
    return { style: "tiled", tileRows: 64, tileCols: 64, tileRed: 16, threadsX: 8, threadsY: 16 };
  }
  if (rows > 8) return { style: "tiled", tileRows: 32, tileCols: 32, tileRed: 32, threadsX: 8, threadsY: 8 };
  return { style: "tiled", tileRows: 8, tileCols: 32, tileRed: 32, threadsX: 8, threadsY: 8 };
}

export interface LoraGradVariant {
  /** Threads side by side, 4 columns each. */
  readonly lanes: number;
  /** Groups of threads of one workgroup that share the rows. */
  readonly slices: number;
  /** Adapter rows that a thread sums. */
  readonly rankTile: number;
  /** Rows that one workgroup sums. */
  readonly chunkRows: number;
}

export function pickLoraGradVariant(tier: Tier, { rows, rank }: { rows: number; rank: number }): LoraGradVariant {
  const rankTile = rank % 16 === 0 ? 16 : rank % 8 === 0 ? 8 : 4;
  // A CPU has few cores to fill, so cutting the rows gains nothing there.
  if (tier.matrixStyle === "direct") return { lanes: directLanes, slices: 1, rankTile, chunkRows: rows };
  return { lanes: 32, slices: 8, rankTile, chunkRows: 256 };
}

/**
 * The same kernel for whole weights, which are wide: rows are cut only where there are too few workgroups otherwise.
 * @param unitsOf workgroups per chunk of rows
 */
export function pickWeightGradVariant(
  tier: Tier, { rows, rank, unitsOf }: { rows: number; rank: number; unitsOf: (lanes: number, rankTile: number) => number },
): LoraGradVariant {
  const variant = pickLoraGradVariant(tier, { rows, rank });
  if (tier.matrixStyle === "direct") return variant;
  const enough = 256;
  const chunks = Math.min(ceilDiv(rows, variant.chunkRows), ceilDiv(enough, unitsOf(variant.lanes, variant.rankTile)));
  return { ...variant, chunkRows: ceilDiv(rows, chunks) };
}

/** How a workgroup sums the pixels of maps: `lanes` vec4s of channels side by side, the pixels shared by `slices`. */
export function pickPixelSumVariant(tier: Tier): { readonly lanes: number; readonly slices: number } {
  return tier.matrixStyle === "direct" ? { lanes: directLanes, slices: 1 } : { lanes: 8, slices: 32 };
}
