import { describe, expect, it } from "vitest";
import { concatRows, packPoint, pointWidth, rowsUpTo, unpackPoints } from "../../src/storage/points.ts";
import { StorageFullError, StorageUnavailableError, asStorageError, storing } from "../../src/storage/storage-errors.ts";
import { copyNameOf } from "../../src/storage/opfs.ts";
import type { StepReport } from "../../src/training/events.ts";

const totals = { totalSteps: 9, totalEpochs: 3 };

function report(step: number, lr: StepReport["lr"]): StepReport {
  return { step, epoch: 1, loss: step / 10, gradNorm: 0.5, lr, stepMs: 12, ...totals };
}

describe("stored points", () => {
  it("come back as they were, with absent learning rates absent", () => {
    const reports = [report(1, { unet: 1e-4 }), report(2, { unet: 1e-4, textEncoder: 5e-5 }), report(3, {})];
    expect(unpackPoints(concatRows(reports.map(packPoint)), totals)).toEqual(reports);
  });

  it("are cut after a step without touching the rows before it", () => {
    const rows = concatRows([1, 2, 3, 4].map((step) => packPoint(report(step, {}))));
    expect(rowsUpTo(rows, 2)).toEqual(rows.slice(0, 2 * pointWidth));
    expect(rowsUpTo(rows, 0)).toHaveLength(0);
    expect(rowsUpTo(rows, 99)).toEqual(rows);
  });
});

describe("storage errors", () => {
  it("name a used-up quota and what found no room", async () => {
    const full = storing("a checkpoint", () => Promise.reject(new DOMException("no", "QuotaExceededError")));
    await expect(full).rejects.toBeInstanceOf(StorageFullError);
    await expect(full).rejects.toMatchObject({ code: "storage.full", data: { what: "a checkpoint" } });
  });

  it("name storage that the browser switched off", () => {
    expect(asStorageError(new DOMException("no", "SecurityError"), "x")).toBeInstanceOf(StorageUnavailableError);
  });

  it("leave other failures and our own errors as they are", () => {
    const bug = new TypeError("undefined is not a function");
    const own = new StorageFullError("the log");
    expect(asStorageError(bug, "x")).toBe(bug);
    expect(asStorageError(own, "x")).toBe(own);
  });
});

describe("copyNameOf", () => {
  const file = (name: string, text: string, lastModified = 1): File => new File([text], name, { lastModified });

  it("is the same for the same file, so that a model is stored once", () => {
    expect(copyNameOf(file("a.safetensors", "xx"))).toBe(copyNameOf(file("a.safetensors", "yy")));
    expect(copyNameOf(file("a.safetensors", "xx"))).not.toBe(copyNameOf(file("a.safetensors", "xxx")));
    expect(copyNameOf(file("a.safetensors", "xx", 1))).not.toBe(copyNameOf(file("a.safetensors", "xx", 2)));
  });

  it("is a plain file name whatever the model is called", () => {
    expect(copyNameOf(file("../模型 v1?.safetensors", "x"))).toMatch(/^[\w.-]+$/);
  });
});
