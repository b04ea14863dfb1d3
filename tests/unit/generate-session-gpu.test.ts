import { describe, expect, it } from "vitest";
import { OtherTabDrawsError, TrainingLiveError } from "../../src/workers/generate-errors.ts";
import { gate, job, model, Observer, setUp } from "./harness/fake-session.ts";

describe("the GPU", () => {
  it("is given back after idle time, and taken again for the next picture", async () => {
    const { session, engine, states, room } = setUp({ idleMs: 5 });
    await session.openModel(model);
    await session.generate(job("1"), new Observer());
    expect(room.isHeld).toBe(true);
    await expect.poll(() => states.at(-1)).toEqual({ state: "released", reason: "idle" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
    await session.generate(job("2"), new Observer());
    expect(engine.opened).toBe(2);
  });

  it("goes to training at once: what is drawn ends with the reason, what waits is refused", async () => {
    const { session, engine, states, room } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = held.wait;
    const running = session.generate(job("1"), new Observer());
    const waiting = session.generate(job("2"), new Observer());
    await held.reached;
    room.refusal = new TrainingLiveError();
    room.claim("training");
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
    await expect(running).rejects.toMatchObject({ code: "generation.trainingStarted" });
    await expect(waiting).rejects.toMatchObject({ code: "generation.training" });
    expect(states.at(-1)).toEqual({ state: "released", reason: "training" });
    held.open();
  });

  it("goes to training also while a model is being loaded", async () => {
    const { session, engine, room } = setUp();
    await session.openModel(model);
    const held = gate();
    const open = engine.open.bind(engine);
    engine.open = async (bench, options) => {
      await held.wait();
      return open(bench, options);
    };
    const running = session.generate(job("1"), new Observer());
    await held.reached;
    room.claim("training");
    held.open();
    await expect(running).rejects.toMatchObject({ code: "generation.trainingStarted" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
  });

  it("goes to another tab only while nothing is drawn", async () => {
    const { session, engine, states, room } = setUp();
    await session.openModel(model);
    engine.step = (step) => {
      if (step === 2) room.claim("otherTab");
    };
    await session.generate(job("1"), new Observer());
    expect(room.isHeld).toBe(true);
    room.claim("otherTab");
    expect(states.at(-1)).toEqual({ state: "released", reason: "otherTab" });
    expect(room.isHeld).toBe(false);
    room.refusal = new OtherTabDrawsError();
    await expect(session.generate(job("2"), new Observer())).rejects.toMatchObject({ code: "generation.otherTab" });
  });

  it("that is lost while drawing is opened again, once", async () => {
    const { session, engine } = setUp();
    await session.openModel(model);
    let losses = 0;
    engine.step = (step) => {
      if (step === 3 && losses++ === 0) engine.lose();
    };
    await session.generate(job("1"), new Observer());
    expect([engine.opened, engine.alive, engine.drawn.length]).toEqual([2, 1, 1]);
    engine.step = () => engine.lose();
    await expect(session.generate(job("2"), new Observer())).rejects.toMatchObject({ code: "gpu.deviceLost" });
    expect([engine.opened, engine.alive]).toEqual([3, 0]);
  });

  it("that is lost while idle is said", async () => {
    const { session, engine, states, room } = setUp();
    await session.openModel(model);
    await session.generate(job("1"), new Observer());
    engine.lose();
    await expect.poll(() => states.at(-1)).toEqual({ state: "released", reason: "deviceLost" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
  });

  it("is given back when the page asks, and running jobs end as cancelled", async () => {
    const { session, engine, room } = setUp();
    await session.openModel(model);
    const held = gate();
    engine.step = held.wait;
    const running = session.generate(job("1"), new Observer());
    await held.reached;
    await session.release();
    await expect(running).rejects.toMatchObject({ code: "cancelled" });
    expect([room.isHeld, engine.alive]).toEqual([false, 0]);
    held.open();
  });
});
