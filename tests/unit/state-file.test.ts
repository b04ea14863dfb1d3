import { expect, test } from "vitest";
import { defaultConfig } from "../../src/config/parameters.ts";
import { decodeState, encodeState, type RunState } from "../../src/training/state-file.ts";

function state(kept: RunState["kept"]): RunState {
  return {
    update: 3, seed: 1, config: defaultConfig(), facts: {} as RunState["facts"], modules: [], weights: new Map(), optimizer: [], kept,
  };
}

test("optimizer state of any shape comes back bit for bit: codes as words, numbers as f32", async () => {
  const kept = new Map<string, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>([
    ["state/codes/unet/0", Uint32Array.of(0xffffffff, 0x7fc00000, 5)],
    ["state/scales/unet/0", Float32Array.of(1e-30, -0, 0.1)],
  ]);
  const back = await decodeState(encodeState(state(kept)));
  expect(back.kept).toEqual(kept);
});

test("a state whose running numbers are not finite is refused", async () => {
  const broken = encodeState(state(new Map([["state/estimate", Float32Array.of(1, Number.NaN)]])));
  await expect(decodeState(broken)).rejects.toMatchObject({ code: "state.notFinite" });
});
