/** Arguments of a Python constructor: what each may be, and what it is where it is left out. */
import type { PythonValue } from "./python-literal.ts";

export interface Argument<V> {
  readonly fallback: V;
  /** The setting that a value means; `undefined` if it can't be one. */
  read(value: PythonValue): V | undefined;
  /** What it must be, as the end of a sentence. */
  readonly rule: string;
}

/** Setting by argument. */
export type ValuesOf<A> = { readonly [K in keyof A]: A[K] extends Argument<infer V> ? V : never };

const isNumber = (value: PythonValue): value is number => typeof value === "number" && !Number.isNaN(value);

export const number = (fallback: number, min = 0, below = Infinity): Argument<number> => ({
  fallback,
  read: (value) => (isNumber(value) && value >= min && value < below ? value : undefined),
  rule: below === Infinity ? `must be a number not below ${min}` : `must be a number from ${min} up to but not including ${below}`,
});

export const finite = (fallback: number): Argument<number> => ({
  fallback,
  read: (value) => (isNumber(value) && Number.isFinite(value) ? value : undefined),
  rule: "must be a number",
});

export const positive = (fallback: number): Argument<number> => ({
  fallback,
  read: (value) => (isNumber(value) && value > 0 && value < Infinity ? value : undefined),
  rule: "must be a number above 0",
});

/** How fast something may grow at each update; `Infinity` for as fast as it likes. */
export const growth: Argument<number> = {
  fallback: Infinity,
  read: (value) => (isNumber(value) && value >= 1 ? value : undefined),
  rule: "must be a number not below 1",
};

export const whole = (fallback: number, min: number): Argument<number> => ({
  fallback,
  read: (value) => (isNumber(value) && Number.isInteger(value) && value >= min ? value : undefined),
  rule: `must be a whole number not below ${min}`,
});

export const flag = (fallback: boolean): Argument<boolean> => ({
  fallback,
  read: (value) => (typeof value === "boolean" ? value : undefined),
  rule: "must be True or False",
});

export const orNone = <V>(argument: Argument<V>): Argument<V | null> => ({
  fallback: null,
  read: (value) => (value === null ? null : argument.read(value)),
  rule: `${argument.rule}, or None`,
});

export const pair = (fallback: readonly [number, number], item: Argument<number>, rule: string): Argument<readonly [number, number]> => ({
  fallback,
  read: (value) => {
    const [a, b] = readAll(value, 2, item) ?? [];
    return a === undefined || b === undefined ? undefined : [a, b];
  },
  rule,
});

export const triple = (
  fallback: readonly [number, number, number], item: Argument<number>, rule: string,
): Argument<readonly [number, number, number]> => ({
  fallback,
  read: (value) => {
    const [a, b, c] = readAll(value, 3, item) ?? [];
    return a === undefined || b === undefined || c === undefined ? undefined : [a, b, c];
  },
  rule,
});

/** What exists in Python and can only have this value here. */
export const only = (value: number | boolean): Argument<null> => ({
  fallback: null,
  read: (given) => (given === value ? null : undefined),
  rule: `can only be ${typeof value === "number" ? value : value ? "True" : "False"} here`,
});

/** How PyTorch carries a step out, or what it prints: nothing here depends on it. */
export const ignored: Argument<null> = {
  fallback: null,
  read: (value) => (value === null || typeof value === "boolean" || typeof value === "number" ? null : undefined),
  rule: "must be a number, True, False or None",
};

function readAll(value: PythonValue, count: number, item: Argument<number>): number[] | undefined {
  if (typeof value === "string" || !isList(value) || value.length !== count) return undefined;
  const values = value.map((entry) => item.read(entry));
  return values.every((entry) => entry !== undefined) ? values : undefined;
}

const isList = (value: PythonValue): value is readonly PythonValue[] => Array.isArray(value);
