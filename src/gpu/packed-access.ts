/**
 * Lets a kernel that is written for vec4<f32> work on a binding whose numbers are stored smaller: what it reads is widened,
 * what it writes is rounded, and it computes in f32 all the same. A vec4 is stored by whoever writes it and nobody
 * else, so no two invocations meet in a word.
 */
import { invariant } from "../errors.ts";
import bf16 from "./kernels/pack-bf16.wgsl?raw";
import f16 from "./kernels/pack-f16.wgsl?raw";
import f8 from "./kernels/pack-f8.wgsl?raw";

/** How a binding's numbers are stored where its kernel sees vec4<f32>. */
export type PackedType = "f16" | "bf16" | "f8";

/** WGSL of `unpack_<type>` and `pack_<type>`. What is f8 is only read. */
const functions: Readonly<Record<PackedType, string>> = { f16, bf16, f8 };

/** How a binding is declared whose every vec4 is stored as the type. */
export function packedDeclaration(type: PackedType): string {
  return type === "f8" ? "array<u32>" : "array<vec2<u32>>";
}

/** @returns what a shader with packed bindings declares besides */
export function packedFunctions(packed: ReadonlyMap<string, PackedType>, isWritable: (binding: string) => boolean): string[] {
  const types = [...new Set(packed.values())].map((type) => functions[type]);
  const accessors = [...packed].flatMap(([name, type]) => [
    `fn load_${name}(i: u32) -> vec4<f32> { return unpack_${type}(${name}[i]); }`,
    ...(isWritable(name) ? [`fn store_${name}(i: u32, value: vec4<f32>) { ${name}[i] = pack_${type}(value); }`] : []),
  ]);
  return [...types, ...accessors];
}

/** Turns `name[i]` into a load, and `name[i] = value;` (or `+=`, `*=`) into a store, wherever `name` is a packed binding. */
export function accessPacked(line: string, packed: ReadonlyMap<string, PackedType>): string {
  const comment = line.indexOf("//");
  const [code, rest] = comment < 0 ? [line, ""] : [line.slice(0, comment), line.slice(comment)];
  return rewrite(code, new RegExp(`\\b(${[...packed.keys()].join("|")})\\[`)) + rest;
}

function rewrite(code: string, access: RegExp): string {
  const found = access.exec(code);
  const name = found?.[1];
  if (found === null || name === undefined) return code;
  const before = code.slice(0, found.index);
  const open = found.index + name.length;
  const close = closingBracket(code, open);
  const index = rewrite(code.slice(open + 1, close), access);
  const after = code.slice(close + 1);
  const assignment = /^\s*([+*]?)=(?!=)\s*([^;]*);/.exec(after);
  if (assignment === null) return `${before}load_${name}(${index})${rewrite(after, access)}`;
  const [statement, operator = "", text = ""] = assignment;
  const value = rewrite(text, access);
  const whole = operator === "" ? value : `load_${name}(${index}) ${operator} (${value})`;
  return `${before}store_${name}(${index}, ${whole});${rewrite(after.slice(statement.length), access)}`;
}

function closingBracket(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (code[i] === "[") depth++;
    else if (code[i] === "]" && --depth === 0) return i;
  }
  invariant(false, `an access goes over the end of its line: ${code}`);
}
