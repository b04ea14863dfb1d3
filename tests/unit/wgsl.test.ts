import { describe, expect, it } from "vitest";
import { renderWgsl } from "../../src/gpu/wgsl.ts";

describe("renderWgsl", () => {
  it("puts extensions in front of every declaration", () => {
    const { code, bindings } = renderWgsl("//! read a: array<f32>\n//#if FAST\n//! enable subgroups\n//#endif\nfn f() {}", { FAST: true });
    expect(code.split("\n")[0]).toBe("enable subgroups;");
    expect(bindings).toEqual([{ name: "a", writable: false }]);
    expect(renderWgsl("//#if FAST\n//! enable subgroups\n//#endif\nfn f() {}", { FAST: false }).code).toBe("fn f() {}");
  });

  it("repeats lines and computes with loop variables and constants", () => {
    const { code } = renderWgsl("//#for i N\nlet a$i = $(i * N + 1);\n//#endfor", { N: 2 });
    expect(code).toBe("let a0 = 1;\nlet a1 = 3;");
  });

  it("refuses constants that nobody defined", () => {
    expect(() => renderWgsl("let a = $WIDTH;", {})).toThrow("unknown template constant $WIDTH");
  });
});
