/**
 * A grid of pictures over two axes: what each cell is asked for with, what stands beside it, in which order to draw.
 * Plain data; values come from `grid-values.ts`.
 */
import { InputError } from "../errors.ts";
import { evaluationCount, samplerSigmas } from "../models/samplers/samplers.ts";
import { type AxisValue, parseAxis } from "./grid-values.ts";
import type { AdapterWeight, GenerationRequest } from "./request.ts";

/** `adapter`: which file acts, such as the epochs of a run; `prompt`: search and replace. */
export type GridAxisKind = "adapter" | "weight" | "prompt" | "sampler" | "seed" | "steps" | "cfg";

export interface GridAxis {
  readonly kind: GridAxisKind;
  /** As typed (`0-1.5 [4]`, `"a, b", c`, `1-5 (+2)`), or chosen one by one. */
  readonly values: string | readonly string[];
}

export interface GridSpec {
  /** What every cell has in common. */
  readonly request: GenerationRequest;
  readonly adapters: readonly AdapterWeight[];
  /** The adapter that the axes `adapter` and `weight` vary: a name of `adapters`. The others stay as they are. */
  readonly subject?: string;
  readonly columns: GridAxis;
  /** Without it the grid is a single row. */
  readonly rows?: GridAxis;
}

export interface GridCell {
  readonly column: number;
  readonly row: number;
  readonly request: GenerationRequest;
  readonly adapters: readonly AdapterWeight[];
}

export interface GridHeading {
  readonly kind: GridAxisKind;
  readonly labels: readonly string[];
}

export interface GridPlan {
  readonly columns: GridHeading;
  readonly rows?: GridHeading;
  /** In the order in which to draw them: files change least often, then weights, then prompts. */
  readonly cells: readonly GridCell[];
  /** Of the UNet, in all cells together; guidance counts as one with what it guides. */
  readonly evaluations: number;
}

/** More would take hours on most devices, and no sheet of them fits into a picture. */
export const maxGridCells = 256;

/** What a change along an axis costs: loading and merging a file, merging again, encoding text, nothing. */
const changeCosts: Readonly<Record<GridAxisKind, number>> = {
  adapter: 3, weight: 2, prompt: 1, sampler: 0, seed: 0, steps: 0, cfg: 0,
};

type Content = Pick<GridCell, "request" | "adapters">;

/**
 * @throws InputError `grid.empty`, `grid.value` (a value that its axis does not take), `grid.sameAxis`,
 * `grid.noAdapter` (nothing for the axes to vary), `grid.notInPrompt`, `grid.tooLarge`, `sampling.steps`
 */
export function planGrid(spec: GridSpec): GridPlan {
  const { columns, rows } = spec;
  if (rows !== undefined && rows.kind === columns.kind && rows.kind !== "prompt") {
    throw new InputError("grid.sameAxis", `Both axes of the grid are "${rows.kind}"; choose another one for the rows.`, {
      axis: rows.kind,
    });
  }
  const across = parseAxis(columns);
  const down = rows === undefined ? [undefined] : parseAxis(rows);
  const count = across.length * down.length;
  if (count > maxGridCells) {
    throw new InputError(
      "grid.tooLarge",
      `A grid of ${across.length} × ${down.length} has ${count} pictures; ${maxGridCells} are the most. Take fewer values.`,
      { columns: across.length, rows: down.length, count, limit: maxGridCells },
    );
  }
  const cells = across.flatMap((value, column) =>
    down.map((other, row): GridCell => {
      const begun = applyValue(spec, spec, across[0]!, value);
      return { column, row, ...(other === undefined ? begun : applyValue(spec, begun, down[0]!, other)) };
    }),
  );
  const rowsOutside = rows !== undefined && changeCosts[rows.kind] >= changeCosts[columns.kind];
  const ordered = rowsOutside ? cells.toSorted((a, b) => a.row - b.row || a.column - b.column) : cells;
  return {
    columns: { kind: columns.kind, labels: across.map(({ label }) => label) },
    ...(rows === undefined ? {} : { rows: { kind: rows.kind, labels: down.map((value) => value?.label ?? "") } }),
    cells: ordered,
    evaluations: cells.reduce((sum, { request }) => sum + evaluationsOf(request), 0),
  };
}

/** Evaluations of the UNet for one picture. @throws InputError `sampling.steps` */
export function evaluationsOf({ sampler, steps, schedule }: GenerationRequest): number {
  return evaluationCount(sampler, samplerSigmas(sampler, steps, schedule));
}

/** @param first the axis' first value: what a prompt's replacements are searched by */
function applyValue(spec: GridSpec, { request, adapters }: Content, first: AxisValue, value: AxisValue): Content {
  switch (value.kind) {
    case "adapter":
    case "weight":
      return { request, adapters: varySubject(spec, adapters, value) };
    case "prompt":
      return { request: replaceText(spec.request, request, first.label, value.label), adapters };
    default:
      return { request: { ...request, ...value.change }, adapters };
  }
}

function varySubject(
  spec: GridSpec, adapters: readonly AdapterWeight[], value: Extract<AxisValue, { kind: "adapter" | "weight" }>,
): AdapterWeight[] {
  const place = spec.adapters.findIndex(({ name }) => name === spec.subject);
  const subject = adapters[place];
  if (subject === undefined) {
    throw new InputError("grid.noAdapter", "The grid varies an adapter, but none is chosen. Choose the LoRA that it is about.");
  }
  return adapters.with(place, value.kind === "adapter" ? { ...subject, name: value.label } : weighted(subject, value.weight));
}

/** The weight is the UNet's; the text encoder's keeps its share of it. */
function weighted({ name, unet, textEncoder }: AdapterWeight, weight: number): AdapterWeight {
  return { name, unet: weight, textEncoder: unet === 0 ? weight : (weight * textEncoder) / unet };
}

/** As the webui's "Prompt S/R": every occurrence, in prompt and negative prompt. */
function replaceText(original: GenerationRequest, request: GenerationRequest, search: string, text: string): GenerationRequest {
  if (search === "" || (!original.prompt.includes(search) && !original.negative.includes(search))) {
    throw new InputError(
      "grid.notInPrompt",
      `"${search}" is in neither the prompt nor the negative prompt. The first value of the list is what is searched for.`,
      { text: search },
    );
  }
  return {
    ...request,
    prompt: request.prompt.replaceAll(search, () => text),
    negative: request.negative.replaceAll(search, () => text),
  };
}
