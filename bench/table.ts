/** The bench's table. */
import type { BenchCase } from "./case.ts";

export interface Row {
  readonly name: string;
  readonly work: BenchCase["work"];
  readonly dispatches: number;
  /** Milliseconds, minimum over the samples. */
  readonly ours: number;
  readonly tfjs: number;
  readonly jaxJs: number;
  /** Best peer's time over ours: above 1 we are faster. */
  readonly ratio: number;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

export function formatTable(rows: readonly Row[], header: boolean): string {
  const lines = rows.map(({ name, work, dispatches, ours, tfjs, jaxJs, ratio }) => {
    const rate = "flops" in work ? `${(work.flops / ours / 1e6).toFixed(2)} GFLOP/s` : `${(work.bytes / ours / 1e6).toFixed(2)} GB/s`;
    const times = [ours, tfjs, jaxJs].map((ms) => ms.toFixed(2).padStart(9)).join("");
    return `${name.padEnd(34)}${times}${`${ratio.toFixed(2)}x`.padStart(9)}${rate.padStart(16)}${String(dispatches).padStart(6)}`;
  });
  if (header) lines.unshift(`${"op (ms, minima)".padEnd(34)}     ours     tfjs   jax-js  vs best       our rate  disp`);
  return lines.join("\n");
}
