import type { Formatter } from "./format.ts";

export type Values = Readonly<Record<string, unknown>>;

/**
 * Puts values in the place of `{name}`; numbers are written as the language writes them, `{name:bytes}` in MiB or GiB.
 * A placeholder without a value stays, so that it is noticed.
 */
export function fill(text: string, values: Values, format: Formatter): string {
  return text.replaceAll(/\{(\w+)(:bytes)?\}/g, (whole, name: string, unit?: string) => {
    const value = values[name];
    if (value === undefined || value === null) return whole;
    if (typeof value === "number") return unit === undefined ? format.number(value) : format.bytes(value);
    return Array.isArray(value) ? value.join(", ") : String(value);
  });
}
