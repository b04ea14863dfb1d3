/** The program: finds the command, and turns errors into one line and an exit code. */
import { CancelledError, InputError, LorasmithError } from "../errors.ts";
import { version } from "../version.ts";
import { commands } from "./commands.ts";
import { clearLive } from "./terminal.ts";

const width = Math.max(...commands.map(({ name }) => name.length));

const help = `lorasmith ${version}: train Stable Diffusion LoRAs on any GPU

Usage: lorasmith COMMAND [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join("\n")}

lorasmith COMMAND --help tells a command's options. Exit codes: 0 done, 1 the GPU or the program failed, 2 something
given was wrong, 130 stopped. LORASMITH_DEBUG=1 shows where an error came from.
`;

/** Runs the program with its arguments. @returns the exit code */
export async function main(argv: string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    clearLive();
    process.stderr.write(`lorasmith: ${oneLine(error)}\n`);
    if (process.env["LORASMITH_DEBUG"] === "1" && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
    if (error instanceof CancelledError) return 130;
    return error instanceof InputError ? 2 : 1;
  }
}

async function dispatch([name, ...rest]: string[]): Promise<number> {
  if (name === "--help" || name === "-h" || name === "help") return print(help);
  if (name === "--version" || name === "-v") return print(`${version}\n`);
  if (name === undefined) throw new InputError("cli.usage", "No command was given (see \"lorasmith --help\")");
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) {
    const known = commands.map((candidate) => candidate.name).join(", ");
    throw new InputError("cli.usage", `There is no command "${name}"; there are ${known}`);
  }
  if (rest.includes("--help") || rest.includes("-h")) return print(command.help);
  return (await command.run(rest)) ?? 0;
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}

function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const text = message.replace(/\s*\n\s*/g, " ");
  if (error instanceof LorasmithError) return text;
  return `internal error: ${text} (LORASMITH_DEBUG=1 shows where)`;
}
