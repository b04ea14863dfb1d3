import type { ConfigError } from "./errors.ts";
import { parsePythonLiteral } from "./python-literal.ts";
import type { PythonValue } from "./python-literal.ts";

/**
 * Splits `key=<python literal>` entries, as sd-scripts takes them for optimizers and schedulers.
 * @param fail makes the error for an entry that is not one
 */
export function parseKeyValues(
  entries: readonly string[],
  fail: (entry: string, rule: string) => ConfigError,
): Map<string, PythonValue> {
  const values = new Map<string, PythonValue>();
  for (const entry of entries) {
    const [key = "", literal, ...rest] = entry.split("=");
    const value = literal === undefined || rest.length > 0 ? undefined : parsePythonLiteral(literal);
    if (key.trim() === "" || value === undefined) {
      throw fail(entry, "each argument must be name=value with a number, True, False, None, a,b or a text in single quotes");
    }
    values.set(key.trim(), value);
  }
  return values;
}
