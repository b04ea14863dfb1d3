/**
 * Turns a kernel's .wgsl text into a WGSL module. Pure string work with a handful of line directives, so that the
 * shader files stay readable WGSL:
 *
 *   //! read NAME: TYPE          a storage binding that is only read; bindings are numbered in order of appearance
 *   //! write NAME: TYPE         a storage binding that is written (read_write)
 *   //! enable NAME              a WGSL extension
 *   //! params NAME: u32, ...    run-time scalars (u32, i32 or f32), one uniform struct reachable as `p.NAME`
 *   //#if FLAG / //#if !FLAG / //#else / //#endif
 *   //#for i N ... //#endfor     repeats the lines with $i = 0..N-1; N is a number or a numeric define
 *   $(expression)                integer arithmetic on numeric defines and loop variables, replaced by its value
 *   $NAME                        a numeric define's value
 */
import { invariant } from "../errors.ts";
import { accessPacked, packedDeclaration, packedFunctions, type PackedType } from "./packed-access.ts";
import type { Defines } from "./graph/lower.ts";

export interface ShaderBinding {
  readonly name: string;
  readonly writable: boolean;
}

export interface ShaderParam {
  readonly name: string;
  readonly type: "u32" | "i32" | "f32";
}

export interface RenderedShader {
  readonly code: string;
  readonly bindings: readonly ShaderBinding[];
  readonly params: readonly ShaderParam[];
}

const noneArePacked: ReadonlyMap<string, PackedType> = new Map();

type Numbers = Readonly<Record<string, number>>;

/** @param packed vec4<f32> bindings whose numbers are stored smaller */
export function renderWgsl(source: string, defines: Defines, packed: ReadonlyMap<string, PackedType> = noneArePacked): RenderedShader {
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(defines)) if (typeof value === "number") numbers[name] = value;

  const body = expand(source.split("\n"), defines, numbers);
  const bindings: ShaderBinding[] = [];
  const params: ShaderParam[] = [];
  const extensions: string[] = [];
  const declarations: string[] = [];
  const code: string[] = [];
  for (const line of body) {
    const binding = /^\s*\/\/!\s*(read|write)\s+(\w+)\s*:\s*(.+?)\s*$/.exec(line);
    const extension = /^\s*\/\/!\s*enable\s+(\w+)\s*$/.exec(line);
    const uniform = /^\s*\/\/!\s*params\s+(.+?)\s*$/.exec(line);
    if (binding) {
      const [, access, name = "", type = ""] = binding;
      const mode = access === "read" ? "read" : "read_write";
      const stored = packed.get(name);
      invariant(stored === undefined || type === "array<vec4<f32>>", `${name}: ${type} cannot be stored as ${stored}`);
      declarations.push(`@group(0) @binding(${bindings.length}) var<storage, ${mode}> ${name}: ${stored === undefined ? type : packedDeclaration(stored)};`);
      bindings.push({ name, writable: access === "write" });
    } else if (extension) {
      extensions.push(`enable ${extension[1] ?? ""};`);
    } else if (uniform) {
      for (const field of (uniform[1] ?? "").split(",")) {
        const parsed = /^\s*(\w+)\s*:\s*(u32|i32|f32)\s*$/.exec(field);
        invariant(parsed, `bad params field "${field}"`);
        params.push({ name: parsed[1] ?? "", type: parsed[2] as ShaderParam["type"] });
      }
    } else code.push(packed.size > 0 ? accessPacked(line, packed) : line);
  }
  declarations.push(...packedFunctions(packed, (name) => bindings.some((binding) => binding.name === name && binding.writable)));
  if (params.length > 0) {
    declarations.push(
      `struct Params { ${params.map((param) => `${param.name}: ${param.type}`).join(", ")} }`,
      `@group(0) @binding(${bindings.length}) var<uniform> p: Params;`,
    );
  }
  return { code: [...extensions, ...declarations, ...code].join("\n"), bindings, params };
}

/** Applies conditionals and loops. */
function expand(lines: readonly string[], defines: Defines, numbers: Numbers): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const directive = /^\s*\/\/#(if|for|else|endif|endfor)\b\s*(.*?)\s*$/.exec(line);
    if (!directive) {
      out.push(substitute(line, numbers));
      continue;
    }
    const [, word, rest = ""] = directive;
    if (word === "if") {
      const { taken, otherwise, end } = splitConditional(lines, i);
      const negated = rest.startsWith("!");
      const flag = negated ? rest.slice(1) : rest;
      const value = Boolean(defines[flag]);
      out.push(...expand(value !== negated ? taken : otherwise, defines, numbers));
      i = end;
    } else if (word === "for") {
      const [variable = "", bound = ""] = rest.split(/\s+/, 2);
      const end = findEnd(lines, i, "for", "endfor");
      const count = evaluate(rest.slice(variable.length).trim() || bound, numbers);
      for (let k = 0; k < count; k++) out.push(...expand(lines.slice(i + 1, end), defines, { ...numbers, [variable]: k }));
      i = end;
    } else invariant(false, `stray //#${word}`);
  }
  return out;
}

function splitConditional(lines: readonly string[], start: number): { taken: string[]; otherwise: string[]; end: number } {
  const end = findEnd(lines, start, "if", "endif");
  let depth = 0;
  for (let i = start + 1; i < end; i++) {
    const word = /^\s*\/\/#(if|else|endif)\b/.exec(lines[i] ?? "")?.[1];
    if (word === "if") depth++;
    else if (word === "endif") depth--;
    else if (word === "else" && depth === 0) return { taken: lines.slice(start + 1, i), otherwise: lines.slice(i + 1, end), end };
  }
  return { taken: lines.slice(start + 1, end), otherwise: [], end };
}

function findEnd(lines: readonly string[], start: number, open: string, close: string): number {
  let depth = 0;
  for (let i = start; i < lines.length; i++) {
    const word = /^\s*\/\/#(\w+)/.exec(lines[i] ?? "")?.[1];
    if (word === open) depth++;
    else if (word === close && --depth === 0) return i;
  }
  throw new Error(`invariant: //#${open} without //#${close}`);
}

function substitute(line: string, numbers: Numbers): string {
  if (!line.includes("$")) return line;
  return line
    .replace(/\$\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g, (_, expression: string) => String(evaluate(expression, numbers)))
    .replace(/\$([A-Za-z]\w*)/g, (_, name: string) => {
      const value = numbers[name];
      invariant(value !== undefined, `unknown template constant $${name}`);
      return String(value);
    });
}

/** Integer arithmetic with + - * / % and parentheses over named constants. */
function evaluate(expression: string, numbers: Numbers): number {
  const tokens = expression.match(/\d+|[A-Za-z]\w*|[-+*/%()]/g) ?? [];
  let at = 0;
  const peek = (): string | undefined => tokens[at];
  const primary = (): number => {
    const token = tokens[at++];
    invariant(token !== undefined, `bad expression "${expression}"`);
    if (token === "(") {
      const value = additive();
      invariant(tokens[at++] === ")", `bad expression "${expression}"`);
      return value;
    }
    if (token === "-") return -primary();
    const value = /^\d/.test(token) ? Number(token) : numbers[token];
    invariant(value !== undefined, `unknown constant ${token} in "${expression}"`);
    return value;
  };
  const multiplicative = (): number => {
    let value = primary();
    for (let op = peek(); op === "*" || op === "/" || op === "%"; op = peek()) {
      at++;
      const right = primary();
      if (op === "*") value *= right;
      else if (op === "/") value = Math.floor(value / right);
      else value %= right;
    }
    return value;
  };
  const additive = (): number => {
    let value = multiplicative();
    for (let op = peek(); op === "+" || op === "-"; op = peek()) {
      at++;
      const right = multiplicative();
      value = op === "+" ? value + right : value - right;
    }
    return value;
  };
  const value = additive();
  invariant(at === tokens.length, `bad expression "${expression}"`);
  return value;
}
