import { describe, expect, it } from "vitest";
import type { GenerationRequest } from "../../src/generation/request.ts";
import type { StudioSubset } from "../../src/studio/studio-set.ts";
import { ClassPictures } from "../../src/ui/state/studio/class-pictures.svelte.ts";
import { generatedFiles } from "../../src/ui/state/studio/generated-files.ts";
import { CancelledError } from "../../src/errors.ts";

const subsets: StudioSubset[] = [
  { id: "t", isReg: false, repeats: 10, identifier: "sls", className: "1girl" },
  { id: "r", isReg: true, repeats: 2, identifier: "", className: "1girl" },
];
const request = { prompt: "mine", negative: "x", seed: 5, steps: 7, cfg: 6, sampler: "euler", schedule: "automatic", width: 64, height: 64, clipSkip: 1 };

function setUp(fail: (drawn: number) => Error | undefined = () => undefined) {
  const asked: GenerationRequest[] = [];
  const taken: string[][] = [];
  const pictures = new Map(["t", "t", "t", "r"].map((subset, i) => [`${i}`, { subset }]));
  const drawing = new ClassPictures({
    generator: () => ({
      async generate({ request: order, adapters }: { request: GenerationRequest; adapters: readonly unknown[] }) {
        const failure = fail(asked.length);
        if (failure !== undefined) throw failure;
        expect(adapters).toEqual([]);
        asked.push(order);
        return { png: new Blob([`${order.seed}`]) };
      },
      cancel: async () => undefined,
    }) as never,
    bench: { request, blockers: [], wake: async () => undefined } as never,
    open: () => ({ subsets, pictures }) as never,
    take: async (files) => void taken.push(files.map(({ path }) => path)),
  });
  return { drawing, asked, taken };
}

describe("pictures of the class", () => {
  it("are as many as training wants, by default, and end up in the folder that is there", async () => {
    const { drawing, asked, taken } = setUp();
    expect([drawing.className, drawing.count]).toEqual(["1girl", 28]);
    drawing.count = 10;
    await drawing.draw();
    expect(asked.map(({ prompt, negative, steps }) => [prompt, negative, steps])).toEqual(Array.from({ length: 10 }, () => ["1girl", "", 7]));
    expect(new Set(asked.map(({ seed }) => seed)).size).toBe(10);
    expect(taken.map((paths) => paths.length)).toEqual([8, 2]);
    expect(taken.flat().every((path) => /^reg\/2_1girl\/class-\d+\.png$/.test(path))).toBe(true);
  });

  it("of another class begin a folder of their own", async () => {
    const { drawing, taken } = setUp();
    drawing.className = "1boy";
    drawing.count = 1;
    await drawing.draw();
    expect(taken).toEqual([[expect.stringMatching(/^reg\/1_1boy\//)]]);
  });

  it("that were drawn before a failure are kept, and the failure is said", async () => {
    const { drawing, taken } = setUp((drawn) => (drawn === 3 ? new Error("no memory") : undefined));
    drawing.count = 5;
    await drawing.draw();
    expect(taken.flat()).toHaveLength(3);
    expect(drawing.error?.message).toContain("no memory");
    expect(drawing.now).toBeUndefined();
  });

  it("that are stopped are no failure", async () => {
    const { drawing, taken } = setUp((drawn) => (drawn === 2 ? new CancelledError() : undefined));
    drawing.count = 5;
    await drawing.draw();
    expect(taken.flat()).toHaveLength(2);
    expect(drawing.error).toBeUndefined();
  });
});

describe("a picture of the Test screen", () => {
  it("comes with its prompt as caption, in a folder of one repeat beside those that it is like", async () => {
    const [png, caption] = generatedFiles({ request: { prompt: "(sls:1.2), <lora:a:1> smile, smile", steps: 20, seed: 3 } }, new Blob(["p"]), subsets);
    expect(png?.path).toBe("generated/1_sls 1girl/generated-3.png");
    expect(caption?.path).toBe("generated/1_sls 1girl/generated-3.txt");
    expect(await caption?.file.text()).toBe("sls, smile");
  });
});
