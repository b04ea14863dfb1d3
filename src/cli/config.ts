/** The command `config`: settings from one format of kohya's to another, and what is wrong with them. */
import { basename } from "node:path";
import { parseConfig } from "../config/config.ts";
import { loadKohyaConfig, parseSetOption } from "../config/kohya.ts";
import type { KohyaFormat } from "../config/kohya-write.ts";
import { writeKohya } from "../config/kohya-write.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { presetOf, readPreset } from "../config/preset.ts";
import type { Preset } from "../config/preset.ts";
import { writePresetFile } from "../config/preset-file.ts";
import { longestLink, writeShareLink } from "../config/share-link.ts";
import { InputError } from "../errors.ts";
import { noMore, readOptions, usageError, type Command } from "./command.ts";
import { exportZip } from "./export-zip.ts";
import { readPresetOrText } from "./settings.ts";
import { warn } from "./terminal.ts";
import { writeWhole } from "./write-file.ts";

const formats = ["toml", "json", "gui", "preset", "link", "zip"] as const;
type Format = (typeof formats)[number];
const byEnding: Readonly<Record<string, Format>> = { ".toml": "toml", ".json": "gui", ".zip": "zip" };

const help = `lorasmith config --from FILE|LINK [--to FILE] [--format FORMAT] [--set KEY=VALUE]

Reads settings, tells what cannot be used or is not known, and writes them in another format. What is foreign in a file
of kohya's goes along; in its own format everything stays byte for byte but the values that --set changes.

  --from FILE|LINK   TOML or JSON of sd-scripts, JSON of kohya_ss, a preset's file, or its link (…/#p=…)
  --to FILE          where to write; without it, to the terminal
  --format FORMAT    toml  sd-scripts' --config_file      json  the same keys as JSON      gui  JSON of kohya_ss
                     preset  a preset's file              link  the end of a preset's link
                     zip     a run for sd-scripts: folders with the pictures, both TOMLs and the command; needs --to
                     Without it: by the ending of --to (.toml, .json as gui, .zip), or as it was
  --data FOLDER      pictures for the zip; or train_data_dir
  --reg FOLDER       regularization pictures for the zip; or reg_data_dir
  --dataset-config FILE  dataset configuration of sd-scripts for the zip, instead of both
  --set KEY=VALUE    change a setting; repeatable
  --strict           fail on the first value that cannot be used, instead of taking its default
`;

export const configCommand: Command = { name: "config", summary: "check and convert settings", help, run: runConfig };

interface ZipOptions {
  readonly to?: string;
  readonly data?: string;
  readonly reg?: string;
  readonly "dataset-config"?: string;
}

/** Settings with where they come from. */
interface Source {
  readonly name: string;
  readonly config: TrainingConfig;
  readonly format: Format;
  /** Text of a file of kohya's. */
  readonly origin?: string;
}

async function runConfig(argv: string[]): Promise<void> {
  const { values: options, positionals } = readOptions("config", argv, {
    from: { type: "string" },
    to: { type: "string" },
    format: { type: "string" },
    data: { type: "string" },
    reg: { type: "string" },
    "dataset-config": { type: "string" },
    set: { type: "string", multiple: true, default: [] },
    strict: { type: "boolean", default: false },
  });
  noMore("config", positionals);
  if (options.from === undefined) throw usageError("config", "--from is missing");
  const source = await readSource(options.from, options.strict);
  const { config } = parseConfig(Object.fromEntries(options.set.map(parseSetOption)), source.config);
  const format = formatOf(options.format, options.to) ?? source.format;
  if (format === "zip") return writeZipFile({ ...source, config }, options);
  const text = await write({ ...source, config }, format);
  if (options.to === undefined) process.stdout.write(text);
  else await writeWhole(options.to, text);
}

async function readSource(from: string, isStrict: boolean): Promise<Source> {
  const { preset, text } = await readPresetOrText(from);
  if (preset !== undefined) return fromPreset(preset, text === "" ? "link" : "preset");
  const report = (problem: InputError): void => warn(`${problem.message} It is left at its default.`);
  const { config, source, warnings, unknownKeys } = loadKohyaConfig(text, isStrict ? undefined : report);
  for (const { message } of warnings) warn(message);
  if (unknownKeys.length > 0) warn(`Unknown settings, kept and not used: ${unknownKeys.join(", ")}`);
  return { name: basename(from).replace(/\.\w+$/, ""), config, format: source, origin: text };
}

function fromPreset(preset: Preset, format: Format): Source {
  const { config, unknownKeys } = readPreset(preset);
  if (unknownKeys.length > 0) warn(`Unknown settings, not used: ${unknownKeys.join(", ")}`);
  return { name: preset.name, config, format };
}

function formatOf(format: string | undefined, to: string | undefined): Format | undefined {
  if (format === undefined) return byEnding[/\.\w+$/.exec(to ?? "")?.[0].toLowerCase() ?? ""];
  const known = formats.find((name) => name === format);
  if (known === undefined) throw usageError("config", `--format ${format} is none of ${formats.join(", ")}`);
  return known;
}

async function writeZipFile({ config, origin }: Source, options: ZipOptions): Promise<void> {
  const { to, data = config.train_data_dir, reg = config.reg_data_dir, "dataset-config": datasetConfig } = options;
  if (to === undefined) throw usageError("config", "--to is missing: a zip is a file");
  if (data === "" && datasetConfig === undefined) throw usageError("config", "--data is missing: the zip holds the pictures");
  const { warnings } = await exportZip(config, origin, { data, reg: reg === "" ? undefined : reg, datasetConfig }, to);
  for (const { message } of warnings) warn(message);
}

async function write({ name, config, origin }: Source, format: Exclude<Format, "zip">): Promise<string> {
  if (format === "preset") return writePresetFile(presetOf(name, config));
  if (format === "link") {
    const link = await writeShareLink(presetOf(name, config));
    if (link !== undefined) return `${link}\n`;
    throw new InputError("preset.tooLong", `These settings are too long for a link of ${longestLink} characters; use --format preset`);
  }
  const { text, warnings } = writeKohya(config, format satisfies KohyaFormat, origin);
  for (const { message } of warnings) warn(message);
  return text;
}
