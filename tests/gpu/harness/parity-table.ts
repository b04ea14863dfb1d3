/** The table of the replay matrix in docs/parity.md. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Divergence, MatrixCase } from "./matrix.ts";

const page = fileURLToPath(new URL("../../../docs/parity.md", import.meta.url));
const begin = "<!-- replay matrix: written by tests/gpu/matrix.test.ts -->";
const end = "<!-- end of the replay matrix -->";
const header = `| run | settings | loss | gradient norm | adapter | change |
|---|---|---|---|---|---|`;

/** What the table says of each run. */
export const columns = ["loss", "gradNorm", "adapter", "change"] as const;

export interface ParityRow {
  readonly name: string;
  /** What the run sets, as Markdown. */
  readonly settings: string;
  readonly measured: Readonly<Record<(typeof columns)[number], number>>;
}

/** What each run sets otherwise than most of them, by its name. */
export function settingsTexts(cases: readonly MatrixCase[]): Map<string, string> {
  const entries = cases.map(({ settings }) => Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`));
  const isUsual = (entry: string): boolean => entries.filter((others) => others.includes(entry)).length > cases.length / 2;
  return new Map(
    cases.map(({ name }, i) => {
      const own = entries[i]!.filter((entry) => !isUsual(entry)).map((entry) => `\`${entry.replaceAll("|", "\\|")}\``);
      return [name, own.join(", ")];
    }),
  );
}

export async function readParityTable(): Promise<ParityRow[]> {
  const [, table] = await split();
  return table.trim().split("\n").slice(2).map((line) => {
    const [name = "", settings = "", ...numbers] = line.split(/(?<!\\)\|/).slice(1, -1).map((cell) => cell.trim());
    const measured = Object.fromEntries(columns.map((column, i) => [column, Number(numbers[i])])) as ParityRow["measured"];
    return { name, settings, measured };
  });
}

/** Writes the row of every run; of those that were not measured, the old results. */
export async function writeParityTable(measured: ReadonlyMap<string, Divergence>, settings: ReadonlyMap<string, string>): Promise<void> {
  const old = new Map((await readParityTable()).map((row) => [row.name, row.measured]));
  const [before, , after] = await split();
  const rows = [...settings].flatMap(([name, text]) => {
    const divergence = measured.get(name) ?? old.get(name);
    if (divergence === undefined) return [];
    const numbers = columns.map((column) => Math.max(0, divergence[column]).toExponential(0));
    return [`| ${[name, text, ...numbers].join(" | ")} |`];
  });
  await writeFile(page, `${before}${begin}\n${header}\n${rows.join("\n")}\n${end}${after}`);
}

async function split(): Promise<[string, string, string]> {
  const text = await readFile(page, "utf8");
  const [start, stop] = [text.indexOf(begin), text.indexOf(end)];
  if (start < 0 || stop < start) throw new Error("docs/parity.md has lost the marks of the replay matrix");
  return [text.slice(0, start), text.slice(start + begin.length, stop), text.slice(stop + end.length)];
}
