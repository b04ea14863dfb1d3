import { InputError } from "../../errors.ts";

/** `<kind:args[0]:args[1]…>` in a prompt. */
export interface ExtraNetwork {
  readonly kind: string;
  readonly args: readonly string[];
}

/** What `<lora:name:te:unet>` asks for. */
export interface LoraReference {
  /** File name without extension, or an alias. */
  readonly name: string;
  readonly textEncoder: number;
  readonly unet: number;
  /** Use only so many of the ranks, where the file has more. */
  readonly rank?: number;
}

const networkPattern = /<([\p{L}\p{N}_]+):([^>]+)>/gu;
const numberPattern = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i;
/** The second is the name from the time when LoCon and LoHa files needed an extension of their own. */
const loraKinds = ["lora", "lyco"];

/** Takes every `<kind:…>` out of a prompt; the text around stays as typed, as do other angle brackets. */
export function extractExtraNetworks(text: string): { text: string; networks: ExtraNetwork[] } {
  const networks: ExtraNetwork[] = [];
  const rest = text.replace(networkPattern, (_, kind: string, args: string) => {
    networks.push({ kind, args: args.split(":") });
    return "";
  });
  return { text: rest, networks };
}

/**
 * Reads a `lora` network: weights by position or as `te=`, `unet=`, `dyn=`. The UNet's weight is by default that of the
 * text encoder, which is 1 by default.
 * @returns undefined for networks of another kind
 * @throws InputError `prompt.lora-weight`
 */
export function readLora({ kind, args }: ExtraNetwork): LoraReference | undefined {
  if (!loraKinds.includes(kind)) return undefined;
  const named = new Map<string, string>();
  const positional: string[] = [];
  for (const arg of args) {
    const [key, value, ...more] = arg.split("=");
    if (value !== undefined && more.length === 0) named.set(key!, value);
    else positional.push(arg);
  }
  const [name = "", ...weights] = positional;
  const read = (key: string, position: number): number | undefined => {
    const value = named.get(key) ?? weights[position];
    return value === undefined ? undefined : weight(value, name);
  };
  const textEncoder = read("te", 0) ?? 1;
  const rank = read("dyn", 2);
  return { name, textEncoder, unet: read("unet", 1) ?? textEncoder, ...(rank === undefined ? {} : { rank }) };
}

function weight(value: string, name: string): number {
  if (numberPattern.test(value)) return Number(value);
  const message = `"${value}" is not a weight for the LoRA "${name}"; write a number, as in <lora:${name}:0.8>.`;
  throw new InputError("prompt.lora-weight", message, { value, name });
}
