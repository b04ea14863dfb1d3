/**
 * From a picked model to a reference that can be stored, and from there to a readable model: the demo's, a copy, a handle
 * that the browser still trusts, or the user's help.
 */
import type { ModelRef } from "../../storage/database.ts";
import { openCopy } from "../../storage/opfs.ts";
import { runStore } from "../../storage/run-store.ts";
import type { ModelSource } from "../../workers/train-protocol.ts";
import { mayRead } from "../platform/file-access.ts";
import type { PickedModel } from "../platform/file-access.ts";
import { loadDemo } from "./demo.ts";

/** What the user must do before the model can be read again. */
export type ModelNeed = "permission" | "file";

/** What is remembered of a picked model. */
export function referenceTo({ file, handle, isDemo = false, trained }: PickedModel): ModelRef {
  return {
    name: file.name,
    bytes: file.size,
    lastModified: file.lastModified,
    ...(handle === undefined ? {} : { handle }),
    ...(isDemo ? { isDemo } : {}),
    ...(trained && { trained }),
  };
}

/** `ask` may show the browser's permission question; it needs a click. */
export async function reopenModel(ref: ModelRef, ask = false): Promise<ModelSource | ModelNeed> {
  if (ref.copyName !== undefined && (await openCopy(ref.copyName).catch(() => undefined)) !== undefined) {
    return { kind: "copy", copyName: ref.copyName };
  }
  if (ref.trained !== undefined) {
    const { runId, save } = ref.trained;
    const bytes = save === undefined ? await runStore.result(runId) : (await runStore.saves(runId)).find(({ name }) => name === save)?.bytes;
    if (bytes !== undefined) return { kind: "file", file: new File([bytes], ref.name, { lastModified: ref.lastModified }) };
  }
  if (ref.isDemo === true) {
    const file = await (await loadDemo())?.model().catch(() => undefined);
    return file !== undefined && isSameModel(ref, file) ? { kind: "file", file } : "file";
  }
  if (ref.handle === undefined) return "file";
  if (!(await mayRead(ref.handle, ask))) return "permission";
  try {
    return { kind: "file", file: await ref.handle.getFile() };
  } catch {
    // Moved or deleted since: the user has to show where it is.
    return "file";
  }
}

/** The same name and size: good enough to tell a wrong pick; another file of equal size would be a deliberate act. */
export function isSameModel(ref: ModelRef, file: File): boolean {
  return file.name === ref.name && file.size === ref.bytes;
}
