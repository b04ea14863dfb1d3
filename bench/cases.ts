/** Every op of the bench: the forward and backward pieces of a training step. */
import { matrixCases } from "./matrix-cases.ts";
import type { BenchCase } from "./case.ts";

export const benchCases: readonly BenchCase[] = [...matrixCases];
