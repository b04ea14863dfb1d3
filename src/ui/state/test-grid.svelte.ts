/** The grid of the Test screen: its axes as typed, what they mean, and the cells as they are drawn. */
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { GridAxis, GridAxisKind, GridCell, GridPlan, GridSpec } from "../../generation/grid.ts";
import type { GenerationProgress } from "../../generation/request.ts";
import type { FinishedPicture, GenerateWorkerApi, SheetTexts, TrainedAdapter } from "../../workers/generate-protocol.ts";

export const axisKinds: readonly GridAxisKind[] = ["weight", "adapter", "prompt", "seed", "sampler", "steps", "cfg"];

/** Wait for typing to end before the worker reads the axes again. */
const planDelayMs = 200;

export interface AxisForm {
  readonly kind: GridAxisKind;
  readonly text: string;
  /** What is chosen where values are not typed: samplers, adapters and steps of a run. */
  readonly chosen: readonly string[];
}

export interface GridContext extends Pick<GridSpec, "request" | "adapters"> {
  readonly subject?: string;
}

/** What the grid draws with that only the bench knows. */
export interface GridHost {
  readonly context: () => GridContext;
  /** Steps of runs that an axis may name, by the name of their adapter. */
  readonly snapshots: () => readonly TrainedAdapter[];
  readonly open: (snapshots: readonly TrainedAdapter[]) => Promise<readonly string[]>;
}

const first: AxisForm = { kind: "weight", text: "0, 0.5, 1, 1.5", chosen: [] };
const second: AxisForm = { kind: "seed", text: "1-3", chosen: [] };

/** What to begin with when an axis becomes one of this kind. */
const suggestedTexts: Readonly<Partial<Record<GridAxisKind, string>>> = {
  weight: first.text, seed: second.text, steps: "10, 20, 30", cfg: "3, 5, 7",
};

export class TestGrid {
  readonly #client: () => GenerateWorkerApi;
  readonly #host: GridHost;
  #columns: AxisForm = $state.raw(first);
  #rows: AxisForm | undefined = $state.raw(second);
  #plan: GridPlan | undefined = $state.raw();
  #planError: SerializedError | undefined = $state.raw();
  /** The plan of the cells below; the axes may have changed since. */
  #drawn: GridPlan | undefined = $state.raw();
  #cells: ReadonlyMap<string, FinishedPicture> = $state.raw(new Map());
  #now: { readonly done: number; readonly progress?: GenerationProgress } | undefined = $state.raw();
  #beganAt = 0;
  #error: SerializedError | undefined = $state.raw();
  #jobId: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(client: () => GenerateWorkerApi, host: GridHost) {
    this.#client = client;
    this.#host = host;
  }

  get columns() {
    return this.#columns;
  }
  get rows() {
    return this.#rows;
  }
  /** What the axes as they are now would draw. */
  get plan() {
    return this.#plan;
  }
  get planError() {
    return this.#planError;
  }
  get drawn() {
    return this.#drawn;
  }
  get cells() {
    return this.#cells;
  }
  get now() {
    return this.#now;
  }
  get error() {
    return this.#error;
  }

  /** Time that the rest will take, from the cells so far. */
  get leftMs(): number | undefined {
    const done = this.#now?.done ?? 0;
    const total = this.#drawn?.cells.length ?? 0;
    return done === 0 ? undefined : ((Date.now() - this.#beganAt) / done) * (total - done);
  }

  setAxis(which: "columns" | "rows", change: Partial<AxisForm> | undefined): void {
    const old = (which === "columns" ? this.#columns : this.#rows) ?? second;
    const isOtherKind = change?.kind !== undefined && change.kind !== old.kind;
    const fresh = isOtherKind ? { text: suggestedTexts[change.kind!] ?? "", chosen: [] } : {};
    const axis = change === undefined ? undefined : { ...old, ...fresh, ...change };
    if (which === "rows") this.#rows = axis;
    else if (axis !== undefined) this.#columns = axis;
    this.planSoon();
  }

  swapAxes(): void {
    if (this.#rows === undefined) return;
    [this.#columns, this.#rows] = [this.#rows, this.#columns];
    this.planSoon();
  }

  /** Call when something that the grid draws with has changed. */
  planSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#planNow(), planDelayMs);
  }

  picture(column: number, row: number): FinishedPicture | undefined {
    return this.#cells.get(placeOf({ column, row }));
  }

  /** Draws the grid of the present axes. Cells told before an end or a failure stay. */
  async draw(): Promise<void> {
    this.#error = undefined;
    try {
      const chosen = [this.#columns, this.#rows].flatMap((axis) => (axis?.kind === "adapter" ? axis.chosen : []));
      await this.#host.open(this.#host.snapshots().filter(({ name }) => chosen.includes(name)));
      const plan = await this.#client().planGrid(this.#spec());
      const id = crypto.randomUUID();
      this.#jobId = id;
      this.#drawn = plan;
      this.#cells = new Map();
      this.#now = { done: 0 };
      this.#beganAt = Date.now();
      await this.#client().grid(
        { id, plan },
        {
          loading: () => undefined,
          compiling: () => undefined,
          progress: (progress) => {
            if (this.#jobId === id) this.#now = { done: this.#now?.done ?? 0, progress };
          },
          cell: (cell, picture, done) => {
            if (this.#jobId !== id) return;
            this.#cells = new Map(this.#cells).set(placeOf(cell), picture);
            this.#now = { done };
          },
        },
      );
    } catch (thrown) {
      const error = serializeError(thrown);
      if (error.code !== "cancelled") this.#error = error;
    } finally {
      this.#jobId = undefined;
      this.#now = undefined;
    }
  }

  async cancel(): Promise<void> {
    const id = this.#jobId;
    if (id !== undefined) await this.#client().cancel(id);
  }

  /** The grid as one PNG; what is not drawn stays empty. */
  async sheet(texts: SheetTexts): Promise<Blob | undefined> {
    const plan = this.#drawn;
    if (plan === undefined) return undefined;
    const pictures = plan.cells.flatMap(({ column, row }) => {
      const picture = this.picture(column, row);
      return picture === undefined ? [] : [{ column, row, png: picture.png }];
    });
    return this.#client().gridSheet(plan, pictures, texts);
  }

  fail(error: unknown): void {
    this.#error = serializeError(error);
  }

  #spec(): GridSpec {
    const { request, adapters, subject } = this.#host.context();
    return {
      request,
      adapters,
      ...(subject === undefined ? {} : { subject }),
      columns: axisOf(this.#columns),
      ...(this.#rows === undefined ? {} : { rows: axisOf(this.#rows) }),
    };
  }

  async #planNow(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    try {
      const plan = await this.#client().planGrid(this.#spec());
      if (turn !== this.#turn) return;
      this.#plan = plan;
      this.#planError = undefined;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#plan = undefined;
      this.#planError = serializeError(error);
    }
  }
}

/** Whether values are chosen from a list, and not typed. */
export function isChosen(kind: GridAxisKind): boolean {
  return kind === "adapter" || kind === "sampler";
}

function axisOf({ kind, text, chosen }: AxisForm): GridAxis {
  return { kind, values: isChosen(kind) ? chosen : text };
}

function placeOf({ column, row }: Pick<GridCell, "column" | "row">): string {
  return `${column},${row}`;
}
