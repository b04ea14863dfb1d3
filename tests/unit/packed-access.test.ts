/** Kernels see vec4<f32> where numbers are stored in 16 bits. What the rewritten shaders compute is tests/gpu/packed-storage.test.ts. */
import { describe, expect, it } from "vitest";
import { renderWgsl } from "../../src/gpu/wgsl.ts";
import { accessPacked, type PackedType } from "../../src/gpu/packed-access.ts";

const packed = new Map<string, PackedType>([["x", "f16"], ["y", "bf16"]]);

describe("accessPacked", () => {
  it.each([
    ["let v = x[i];", "let v = load_x(i);"],
    ["let v = ax[i] + x0[i] + max[i] + p.x;", "let v = ax[i] + x0[i] + max[i] + p.x;"],
    ["let v = x[at[i] + 1u].y * 2.0;", "let v = load_x(at[i] + 1u).y * 2.0;"],
    ["let v = x[u32(x[i].x)];", "let v = load_x(u32(load_x(i).x));"],
    ["y[i] = x[i] * x[i + 1u];", "store_y(i, load_x(i) * load_x(i + 1u));"],
    ["y[i] += x[i] - 1.0;", "store_y(i, load_y(i) + (load_x(i) - 1.0));"],
    ["y[i] *= m[i];", "store_y(i, load_y(i) * (m[i]));"],
    ["if (x[i].x == 0.0) { y[i] = v; y[j] = w; }", "if (load_x(i).x == 0.0) { store_y(i, v); store_y(j, w); }"],
    ["for (var d = 0u; d < n; d++) { y[to + d] = o[d] / s; }", "for (var d = 0u; d < n; d++) { store_y(to + d, o[d] / s); }"],
    ["let v = x[i]; // of y[i] = x[j];", "let v = load_x(i); // of y[i] = x[j];"],
  ])("%s", (line, wanted) => {
    expect(accessPacked(line, packed)).toBe(wanted);
  });

  it("refuses an access that goes over the end of its line", () => {
    expect(() => accessPacked("let v = x[i +", packed)).toThrow("goes over the end");
  });
});

describe("renderWgsl with packed bindings", () => {
  const source = "//! read x: array<vec4<f32>>\n//! read n: array<f32>\n//! write y: array<vec4<f32>>\nfn f(i: u32) { y[i] = x[i] * n[i]; }";

  it("declares words for what is packed and leaves the others alone", () => {
    const { code, bindings } = renderWgsl(source, {}, packed);
    expect(code).toContain("var<storage, read> x: array<vec2<u32>>;");
    expect(code).toContain("var<storage, read> n: array<f32>;");
    expect(code).toContain("var<storage, read_write> y: array<vec2<u32>>;");
    expect(code).toContain("store_y(i, load_x(i) * n[i]);");
    // What is only read has no store, which would not compile.
    expect(code).not.toContain("fn store_x");
    expect(bindings.map(({ name }) => name)).toEqual(["x", "n", "y"]);
  });

  it("changes nothing where nothing is packed", () => {
    expect(renderWgsl(source, {}, new Map()).code).toBe(renderWgsl(source, {}).code);
    expect(renderWgsl(source, {}).code).toContain("y[i] = x[i] * n[i];");
  });

  it("refuses a binding that is no vec4<f32>", () => {
    expect(() => renderWgsl(source, {}, new Map([["n", "f16"]]))).toThrow("cannot be stored");
  });
});
