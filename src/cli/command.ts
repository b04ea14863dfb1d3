import { parseArgs, type ParseArgsConfig } from "node:util";
import { InputError } from "../errors.ts";

/** A subcommand of the program. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `--help` prints. */
  readonly help: string;
  /** @returns the exit code; 0 if nothing is returned */
  run(argv: string[]): Promise<number | void>;
}

/** A mistake on the command line. */
export function usageError(command: string, what: string): InputError {
  return new InputError("cli.usage", `${what} (see "lorasmith ${command} --help")`, { command, what });
}

/**
 * Parses options and positional arguments.
 * @throws InputError `cli.usage` for unknown options and missing values
 */
export function readOptions<const Options extends NonNullable<ParseArgsConfig["options"]>>(command: string, argv: string[], options: Options) {
  try {
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (error) {
    // The rest of Node's message explains how to pass file names that begin with a dash.
    const [first = ""] = (error instanceof Error ? error.message : String(error)).split(". ");
    throw usageError(command, first.replace(/\.$/, ""));
  }
}

/** @throws InputError `cli.usage` if there are positional arguments */
export function noMore(command: string, positionals: readonly string[]): void {
  const [first] = positionals;
  if (first !== undefined) throw usageError(command, `Unexpected argument "${first}"`);
}
