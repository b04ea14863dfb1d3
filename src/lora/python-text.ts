/** Values as Python's `str()` and `json.dumps` write them: LoRA metadata is text that other tools parse so. */

export type JsonLike = null | boolean | number | string | readonly JsonLike[] | { readonly [key: string]: JsonLike };

/** `repr()` of a float: shortest digits, a point always, exponents below 1e-4 and from 1e16 on. */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, power] = value.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  // JavaScript writes plain decimals from 1e-6 up to 1e21, which covers this range.
  const plain = String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

export function pythonBool(value: boolean): string {
  return value ? "True" : "False";
}

/** `json.dumps(value)` with its default separators and ASCII output. Numbers that are whole are written as ints. */
export function pythonJson(value: JsonLike): string {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : pythonFloat(value);
  if (typeof value === "string") return asciiString(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (isList(value)) return `[${value.map(pythonJson).join(", ")}]`;
  return `{${Object.entries(value).map(([key, item]) => `${asciiString(key)}: ${pythonJson(item)}`).join(", ")}}`;
}

function isList(value: readonly JsonLike[] | { readonly [key: string]: JsonLike }): value is readonly JsonLike[] {
  return Array.isArray(value);
}

function asciiString(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
