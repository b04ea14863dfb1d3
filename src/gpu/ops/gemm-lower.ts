/** Lowers matrix products and convolutions to the gemm kernels; the variant comes from variants.ts. */
import { invariant } from "../../errors.ts";
import { ceilDiv, spread, type Tier } from "../tier.ts";
import { pickMatrixVariant, type MatrixVariant } from "../variants.ts";
import type { KernelCall, KernelSource } from "../graph/lower.ts";
import type { Tensor } from "../graph/tensor.ts";
import direct from "../kernels/gemm-direct.wgsl?raw";
import tiled from "../kernels/gemm-tiled.wgsl?raw";

/** Geometry of a convolution seen from the rows that are computed. */
export interface ConvGeometry {
  /** Image that is read: [batch, sourceH, sourceW, reduction]. */
  readonly sourceH: number;
  readonly sourceW: number;
  /** Image that is written: [batch, targetH, targetW, columns]. */
  readonly targetH: number;
  readonly targetW: number;
  readonly kernelH: number;
  readonly kernelW: number;
  readonly stride: number;
  readonly padTop: number;
  readonly padLeft: number;
}

export interface GemmSpec {
  readonly rows: number;
  readonly cols: number;
  /** Length of the reduction (per tap, for convolutions). */
  readonly red: number;
  readonly a: Tensor;
  /** Row stride of `a` in elements; `red` when absent. */
  readonly aStride?: number;
  readonly w: Tensor;
  /** Weights are [reduction][columns] instead of [columns][reduction]. */
  readonly weightsByReduction: boolean;
  readonly y: Tensor;
  /** Factor on the product (before bias and addend). */
  readonly scale?: number;
  readonly bias?: Tensor | undefined;
  readonly addend?: Tensor | undefined;
  readonly rowBias?: { readonly tensor: Tensor; readonly stride: number; readonly offset: number } | undefined;
  /** Second reduction: y += a2 * w2, stored like `w`. With groups, group g reads columns g * red.. of `a`. */
  readonly extension?: { readonly a: Tensor; readonly aStride: number; readonly w: Tensor; readonly red: number } | undefined;
  /** Equal blocks of output columns. */
  readonly groups?: number;
  /** Group g reduces over columns g * red.. of `a` and rows g * red.. of `w` (by reduction, columns per group wide). */
  readonly groupedReduction?: boolean;
  readonly conv?: ConvGeometry;
  /** The convolution's gradient: rows are pixels of the convolution's input. */
  readonly convGradient?: boolean;
}

export function gemmCall(tier: Tier, spec: GemmSpec): KernelCall {
  const { conv, extension, red, cols, groups = 1 } = spec;
  const groupCols = cols / groups;
  for (const [what, size] of [["reduction", red], ["columns", groupCols], ["extension", extension?.red ?? 4]] as const) {
    invariant(Number.isInteger(size) && size % 4 === 0, `matrix op: ${what} ${size} is not a multiple of 4`);
  }
  const isGradient = spec.convGradient === true;
  const rowClasses = conv !== undefined && isGradient ? splitClasses(spec.rows, conv) : { count: 1, rows: spec.rows };
  const variant = pickMatrixVariant(tier, { rows: rowClasses.rows, cols: groupCols });
  const classTiles = ceilDiv(rowClasses.rows, variant.tileRows);
  const groupTiles = ceilDiv(groupCols, variant.tileCols);
  const rowTiles = classTiles * rowClasses.count;
  const aStride = spec.aStride ?? red;
  const grouped = spec.groupedReduction === true;

  return {
    kernel: kernels[variant.style],
    defines: {
      ...variantDefines(variant),
      F16: spec.w.dtype === "f16",
      NN: spec.weightsByReduction,
      CONV: conv !== undefined,
      DX: isGradient,
      EXT: extension !== undefined,
      BIAS: spec.bias !== undefined,
      ROWBIAS: spec.rowBias !== undefined,
      ADDEND: spec.addend !== undefined,
    },
    bindings: {
      a: spec.a,
      w: spec.w,
      y: spec.y,
      ...(extension && { ea: extension.a, ew: extension.w }),
      ...(spec.bias && { bias: spec.bias }),
      ...(spec.rowBias && { rowBias: spec.rowBias.tensor }),
      ...(spec.addend && { addend: spec.addend }),
    },
    params: {
      rows: spec.rows,
      cols4: cols / 4,
      red4: red / 4,
      rowTiles,
      colTiles: groupTiles * groups,
      groupCols4: groupCols / 4,
      groupTiles,
      aStride4: aStride / 4,
      aGroup4: grouped ? red / 4 : 0,
      wGroup4: grouped ? (red * groupCols) / 4 : 0,
      scale: spec.scale ?? 1,
      extRed4: (extension?.red ?? 0) / 4,
      eaStride4: (extension?.aStride ?? 0) / 4,
      eaGroup4: groups > 1 ? (extension?.red ?? 0) / 4 : 0,
      ...(conv && convParams(conv, classTiles)),
      rowBiasStride4: (spec.rowBias?.stride ?? 0) / 4,
      rowBiasOffset4: (spec.rowBias?.offset ?? 0) / 4,
    },
    grid: spread(rowTiles * groupTiles * groups),
  };
}

const kernels: Readonly<Record<MatrixVariant["style"], KernelSource>> = {
  direct: { name: "gemm-direct", source: direct },
  tiled: { name: "gemm-tiled", source: tiled },
};

function variantDefines(variant: MatrixVariant): Record<string, number | boolean> {
  if (variant.style === "direct") {
    const { rows, quads, lanes, lanesX, share } = variant;
    return { ROWS: rows, QUADS: quads, LANES: lanes, LANES_X: lanesX, SHARE: share, LOADS: share ? 1 : rows };
  }
  return {
    TILE_M: variant.tileRows,
    TILE_N: variant.tileCols,
    TILE_K: variant.tileRed,
    TX: variant.threadsX,
    TY: variant.threadsY,
  };
}

/**
 * Input pixels that meet the same kernel taps: with stride s, those that agree in y mod s and x mod s. Each class is
 * padded to the rows of the largest one.
 */
function splitClasses(rows: number, conv: ConvGeometry): { count: number; rows: number } {
  const { stride, targetH, targetW } = conv;
  const batch = rows / (targetH * targetW);
  return { count: stride * stride, rows: batch * ceilDiv(targetH, stride) * ceilDiv(targetW, stride) };
}

function convParams(conv: ConvGeometry, classTiles: number): Record<string, number> {
  return { ...conv, gridH: conv.targetH, gridW: conv.targetW, classTiles };
}
