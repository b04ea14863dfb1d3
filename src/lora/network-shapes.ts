/** What a module's tensors say about the weight that they adapt; shapes that do not fit together are refused. */
import { InputError } from "../errors.ts";
import { elementCount } from "../formats/dtypes.ts";
import type { TensorEntry } from "../formats/tensor-file.ts";
import type { NetworkModule } from "./network-file.ts";
import type { NetworkPart } from "./network-names.ts";

export interface ModuleTensors {
  readonly name: string;
  readonly nameInFile: string;
  readonly parts: ReadonlyMap<NetworkPart, TensorEntry>;
}

type Shape = readonly number[];
type ModuleShape = Pick<NetworkModule, "algorithm" | "rank" | "out" | "width" | "channels" | "magnitudes">;
type Matrix = Pick<NetworkModule, "out" | "width" | "channels" | "rank">;

/**
 * undefined: no known kind of adapter. Throws InputError `lora.incomplete` or `lora.wrongShape`.
 * @param file name for messages
 */
export function shapeOf(file: string, tensors: ModuleTensors): ModuleShape | undefined {
  const reader = new ShapeReader(file, tensors);
  const has = (prefix: string): boolean => [...tensors.parts.keys()].some((part) => part.startsWith(prefix));
  if (has("lora_")) {
    const shape = reader.lora();
    return { algorithm: reader.hasKernel() ? "LoCon" : "LoRA", ...shape, ...reader.magnitudes(shape) };
  }
  if (has("hada_")) {
    const shape = reader.loha();
    return { algorithm: "LoHa", ...shape, ...reader.magnitudes(shape) };
  }
  if (has("lokr_")) {
    const shape = reader.lokr();
    return { algorithm: "LoKr", ...shape, ...reader.magnitudes(shape) };
  }
  const diff = tensors.parts.get("diff")?.shape;
  // A trained norm is a difference of one dimension.
  if (diff === undefined || diff.length < 2) return undefined;
  const [out = 0, channels = 0] = diff;
  const shape = { rank: 0, out, width: elementCount(diff.slice(1)), channels };
  return { algorithm: "full", ...shape, ...reader.magnitudes(shape) };
}

class ShapeReader {
  readonly #file: string;
  readonly #tensors: ModuleTensors;

  constructor(file: string, tensors: ModuleTensors) {
    this.#file = file;
    this.#tensors = tensors;
  }

  /** down [r, in, kernel], up [out, r], or with a core between: down [r, in], mid [r, r, kernel]. */
  lora(): Matrix {
    const down = this.#need("lora_down", "lora_up");
    const up = this.#need("lora_up", "lora_down");
    const mid = this.#shape("lora_mid");
    const [downRank = 0, channels = 0, ...kernel] = down;
    const [out = 0, rank = 0, ...upKernel] = up;
    const [midOut, midIn, ...midKernel] = mid ?? [];
    const fits = mid === undefined ? rank === downRank : rank === midOut && midIn === downRank && elementCount(kernel) === 1;
    this.#check(fits && elementCount(upKernel) === 1 && rank * channels * out > 0, ["lora_down", "lora_mid", "lora_up"]);
    const taps = elementCount(mid === undefined ? kernel : midKernel);
    return { rank, out, width: channels * taps, channels };
  }

  hasKernel(): boolean {
    return this.#shape("lora_mid") !== undefined || elementCount(this.#shape("lora_down")?.slice(2) ?? []) > 1;
  }

  /** a [out, r] · b [r, in · kernel], twice; with cores a [r, out], t [r, r, kernel], b [r, in]. */
  loha(): Matrix {
    const [first, second] = (["1", "2"] as const).map((n) => {
      const a = this.#need(`hada_w${n}_a`, `hada_w${n}_b`);
      const b = this.#need(`hada_w${n}_b`, `hada_w${n}_a`);
      const t = this.#shape(`hada_t${n}`);
      const names: NetworkPart[] = [`hada_w${n}_a`, `hada_t${n}`, `hada_w${n}_b`];
      if (t === undefined) {
        this.#check(a.length === 2 && b.length >= 2 && a[1] === b[0], names);
        return { rank: a[1]!, out: a[0]!, width: elementCount(b.slice(1)) };
      }
      this.#check(a.length === 2 && b.length === 2 && t.length >= 2 && t[0] === a[0] && t[1] === b[0], names);
      return { rank: a[0]!, out: a[1]!, width: b[1]! * elementCount(t.slice(2)), channels: b[1]! };
    });
    const names: NetworkPart[] = ["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"];
    this.#check(first!.out === second!.out && first!.width === second!.width && first!.rank === second!.rank, names);
    return first!;
  }

  /** w1 [a, c] ⊗ w2 [b, d · kernel], each whole or as a product; w2 with a core like LoHa's. */
  lokr(): Matrix {
    const [a, c, rank1] = this.#kronFactor("1");
    const [b, d, rank2, channels] = this.#kronFactor("2");
    const rank = rank2 > 0 ? rank2 : rank1;
    return { rank, out: a * b, width: c * d, ...(channels > 0 && { channels: c * channels }) };
  }

  /** Rows, columns, rank, and channels (0: unknown) of one side. */
  #kronFactor(n: "1" | "2"): [number, number, number, number] {
    const whole = this.#shape(`lokr_w${n}`);
    if (whole !== undefined) {
      this.#check(whole.length >= 2, [`lokr_w${n}`]);
      return [whole[0]!, elementCount(whole.slice(1)), 0, whole[1]!];
    }
    const [aName, bName] = [`lokr_w${n}_a`, `lokr_w${n}_b`] as const;
    const a = this.#need(aName, bName);
    const b = this.#need(bName, aName);
    const t = n === "2" ? this.#shape("lokr_t2") : undefined;
    const names: NetworkPart[] = [aName, "lokr_t2", bName];
    if (t === undefined) {
      this.#check(a.length === 2 && b.length >= 2 && a[1] === b[0], names);
      return [a[0]!, elementCount(b.slice(1)), a[1]!, 0];
    }
    this.#check(a.length === 2 && b.length === 2 && t.length >= 2 && t[0] === a[0] && t[1] === b[0], names);
    return [a[1]!, b[1]! * elementCount(t.slice(2)), a[0]!, b[1]!];
  }

  /** PEFT's are [out]; LyCORIS's [out, 1, …] or [1, in, …]. */
  magnitudes({ out, width, channels = width }: Matrix): Pick<NetworkModule, "magnitudes"> {
    const shape = this.#shape("dora_scale");
    if (shape === undefined) return {};
    if (shape[0] === out && elementCount(shape) === out) return { magnitudes: "out" };
    // The kernel size may be unknown; the match knows the layer's channels.
    this.#check(shape[0] === 1 && width % elementCount(shape) === 0 && elementCount(shape) <= channels, ["dora_scale"]);
    return { magnitudes: "in" };
  }

  #shape(part: NetworkPart): Shape | undefined {
    return this.#tensors.parts.get(part)?.shape;
  }

  #need(part: NetworkPart, partner: NetworkPart): Shape {
    const shape = this.#shape(part);
    if (shape !== undefined) return shape;
    const known = this.#tensors.parts.get(partner)?.name;
    const key = known === undefined ? `${this.#tensors.nameInFile}.${part}` : counterpart(known, partner, part);
    throw new InputError("lora.incomplete", `${this.#file} lacks ${key}: the file is damaged, download or export it again.`, {
      file: this.#file,
      key,
    });
  }

  #check(fits: boolean, parts: readonly NetworkPart[]): void {
    if (fits) return;
    const { nameInFile } = this.#tensors;
    const shapes = parts.flatMap((part) => {
      const shape = this.#shape(part);
      return shape === undefined ? [] : [`${part} [${shape.join(", ")}]`];
    });
    throw new InputError(
      "lora.wrongShape",
      `${this.#file} has tensors of ${nameInFile} whose shapes do not fit together: ${shapes.join(", ")}. Download or export it again.`,
      { file: this.#file, key: nameInFile },
    );
  }
}

/** The partner's key, in the file's own way of naming. */
function counterpart(key: string, from: NetworkPart, to: NetworkPart): string {
  const swaps: [string, string][] = [[from, to], ["lora_A", "lora_B"], ["down.weight", "up.weight"]];
  for (const [a, b] of swaps) {
    if (key.includes(a)) return key.replace(a, b);
    if (key.includes(b)) return key.replace(b, a);
  }
  return `${key} (${to})`;
}
