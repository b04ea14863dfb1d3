/** Every op of the bench: the forward and backward pieces of a training step. */
import { matrixCases } from "./matrix-cases.ts";
import { attentionCases } from "./attention-cases.ts";
import { pointwiseCases } from "./pointwise-cases.ts";
import type { BenchCase } from "./case.ts";

export const benchCases: readonly BenchCase[] = [...matrixCases, ...attentionCases, ...pointwiseCases];
