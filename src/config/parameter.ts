/** What a row of the parameter table is. The rows themselves are in `table/`, put together by `parameters.ts`. */

export type Locale = "en" | "zh-CN";
export type LocalText = Readonly<Record<Locale, string>>;

/** Width and height in pixels. */
export type Size = readonly [number, number];
export type ParameterValue = string | number | boolean | null | Size | readonly string[];
/** Values by kohya key, as seen by a row's `when`. */
export type ConfigValues = Readonly<Record<string, ParameterValue>>;

/** In the order in which a kohya user meets them. */
export const GROUPS = [
  "model", "folders", "training", "rates", "network", "embedding", "text", "noise", "buckets", "samples", "validation", "output",
] as const;
export type Group = (typeof GROUPS)[number];

/** `warmup`: updates as an integer, or a share of the run below 1. `size`: `512`, `"512,768"` or `[512, 768]`. */
export type Kind = "bool" | "int" | "float" | "text" | "choice" | "size" | "list" | "warmup";

export interface Parameter<V extends ParameterValue = ParameterValue> {
  readonly kind: Kind;
  /** What a kohya file that leaves the key out means (sd-scripts' default). */
  readonly default: V;
  /** What a run made here starts from, where that differs from `default`. */
  readonly suggested?: V;
  /** `null` is allowed and means "not set". */
  readonly nullable: boolean;
  /** 0 means "not set" too, as it does for kohya. */
  readonly zeroIsNull?: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Numbers must be multiples of this. */
  readonly multipleOf?: number;
  readonly choices?: readonly string[];
  /** The list's entries are numbers, kept as text. */
  readonly isNumeric?: boolean;
  /** The text has lines. */
  readonly isMultiline?: boolean;
  /** Names that train the same way here, lower case → choice. Using one is reported as a warning. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** sd-scripts takes it as `key=value` among its `network_args`. */
  readonly isNetworkArg?: boolean;
  readonly group: Group;
  readonly label: LocalText;
  /** One line beside the field. */
  readonly hint: LocalText;
  /** What it does to the result, for whoever asks. */
  readonly more: LocalText;
  /** The field matters only when this holds. */
  readonly when?: (values: ConfigValues) => boolean;
}

type Texts = Pick<Parameter, "group" | "label" | "hint" | "more" | "when" | "isNetworkArg">;
type Row<V extends ParameterValue> = Texts & { readonly default: V; readonly suggested?: V };
type NumberRow<V extends number | null> = Row<V> & Pick<Parameter, "min" | "max" | "multipleOf" | "zeroIsNull">;

export const bool = (row: Row<boolean>): Parameter<boolean> => ({ kind: "bool", nullable: false, ...row });
export const int = (row: NumberRow<number>): Parameter<number> => ({ kind: "int", nullable: false, ...row });
export const float = (row: NumberRow<number>): Parameter<number> => ({ kind: "float", nullable: false, ...row });
export const warmup = (row: Row<number>): Parameter<number> => ({ kind: "warmup", nullable: false, min: 0, ...row });
export const text = (row: Row<string> & Pick<Parameter, "isMultiline" | "isNetworkArg">): Parameter<string> => ({ kind: "text", nullable: false, ...row });
export const size = (row: Row<Size> & Pick<Parameter, "min" | "max">): Parameter<Size> =>
  ({ kind: "size", nullable: false, ...row });
export const list = (row: Row<readonly string[]> & Pick<Parameter, "isNumeric">): Parameter<readonly string[]> =>
  ({ kind: "list", nullable: false, ...row });

export const optionalInt = (row: NumberRow<number | null>): Parameter<number | null> =>
  ({ kind: "int", nullable: true, ...row });
export const optionalFloat = (row: NumberRow<number | null>): Parameter<number | null> =>
  ({ kind: "float", nullable: true, ...row });

type ChoiceRow<C extends string> = Omit<Row<never>, "default" | "suggested"> & {
  readonly choices: readonly C[];
  readonly aliases?: Readonly<Record<string, C>>;
};

export const choice = <C extends string>(
  row: ChoiceRow<C> & { readonly default: NoInfer<C>; readonly suggested?: NoInfer<C> },
): Parameter<C> => ({ kind: "choice", nullable: false, ...row });

export const optionalChoice = <C extends string>(
  row: ChoiceRow<C> & { readonly default: NoInfer<C> | null; readonly suggested?: NoInfer<C> | null },
): Parameter<C | null> => ({ kind: "choice", nullable: true, ...row });
