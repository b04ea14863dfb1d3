/**
 * The text by which Stable Diffusion web UIs remember how a picture was made (the webui's "parameters"): prompt,
 * `Negative prompt: …`, and a last line of `Key: value` pairs. Knows the form only, not what the keys mean.
 */

export interface Infotext {
  readonly prompt: string;
  readonly negative: string;
  /** In order; a reader takes the last of equal keys. */
  readonly fields: readonly (readonly [key: string, value: string])[];
}

const negativeStart = "Negative prompt:";
/** A key, then a JSON string or anything up to a comma. */
const fieldPattern = /\s*([\p{L}\p{N}_][\p{L}\p{N}_ \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu;
/** Fewer fields than these, and the last line is part of the prompt. */
const fewestFields = 3;

/** Writes the text. Fields without a value are left out, because the webui's reader stumbles over them. */
export function formatInfotext({ prompt, negative, fields }: Infotext): string {
  const lines = [prompt];
  if (negative !== "") lines.push(`${negativeStart} ${negative}`);
  lines.push(fields.filter(([, value]) => value !== "").map(([key, value]) => `${key}: ${quoted(value)}`).join(", "));
  return lines.join("\n").trim();
}

/** The webui quotes values with commas, colons and line breaks; quotes and spaces at an end would not come back either. */
function quoted(value: string): string {
  return /[,:"\\\p{Cc}]/u.test(value) || value.trim() !== value ? JSON.stringify(value) : value;
}

/** Reads any text: one that has no last line of fields is a prompt. Spaces at the ends of lines do not count. */
export function parseInfotext(text: string): Infotext {
  const lines = text.trim().split(/\r?\n/);
  const found = [...(lines.at(-1) ?? "").matchAll(fieldPattern)];
  const hasFields = found.length >= fewestFields;
  const words = (hasFields ? lines.slice(0, -1) : lines).map((line) => line.trim());
  const start = words.findIndex((line) => line.startsWith(negativeStart));
  const negative = start < 0 ? [] : words.slice(start).map((line) => withoutStart(line));
  return {
    prompt: (start < 0 ? words : words.slice(0, start)).join("\n"),
    negative: negative.join("\n"),
    fields: hasFields ? found.map(([, key, value]) => [key!, unquoted(value!)] as const) : [],
  };
}

/** As the webui does, also where a second line begins like this. */
function withoutStart(line: string): string {
  return line.startsWith(negativeStart) ? line.slice(negativeStart.length).trim() : line;
}

/** Other programs write quotes that are no JSON; then they belong to the value. */
function unquoted(value: string): string {
  if (!/^".*"$/su.test(value)) return value.trim();
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === "string" ? parsed : value;
  } catch {
    return value;
  }
}
