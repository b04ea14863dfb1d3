/** States of a model that is trained itself: read off the GPU, put back, and compared with a plan. */
import { invariant } from "../errors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import type { ModelTensor } from "../lora/trained-model.ts";
import type { ModelState, StateTensor } from "./state-file.ts";
import type { StepEngine } from "./step-engine.ts";
import type { TrainingPlan } from "./training-plan.ts";

/** A trained model as it lies on the GPU; undefined where something else is trained. */
export function liveModel(engine: StepEngine): ModelState | undefined {
  const { model: memory, plan: { options: { optimizer }, updateMemory } } = engine;
  if (memory === undefined) return undefined;
  const placed = new Map<StateTensor, ModelTensor>(memory.tensors.map((tensor) => [{ key: tensor.key, firstRow: tensor.firstRow, shape: tensor.shape }, tensor]));
  return {
    tensors: [...placed.keys()],
    states: optimizer.stateCount,
    kept: new Map(updateMemory.kept.map(({ name, shape }) => [name, elementCount(shape)])),
    read(tensor, bank) {
      const place = placed.get(tensor);
      invariant(place !== undefined, `${tensor.key} is not trained`);
      return memory.read(place, bank);
    },
    readKept: (name) => engine.readKept(name),
  };
}

/** Puts back what was read from such a one, perhaps out of a file. */
export async function restoreModel(engine: StepEngine, state: ModelState): Promise<void> {
  const { model: memory } = engine;
  invariant(memory !== undefined, "the run trains no model");
  for (const tensor of memory.tensors) {
    const stored = storedAs(state, tensor);
    invariant(stored !== undefined, `no state of ${tensor.key}`);
    for (const bank of ["params", ...Array.from({ length: state.states }, (_, i) => i)] as const) {
      await memory.write(tensor, bank, state.read(stored, bank));
    }
  }
  for (const name of state.kept.keys()) engine.writeKept(name, await state.readKept(name));
}

function storedAs({ tensors }: ModelState, { key, firstRow, shape }: StateTensor): StateTensor | undefined {
  return tensors.find((tensor) => tensor.key === key && tensor.firstRow === firstRow && tensor.shape.join() === shape.join());
}

/** Whether a model's state is one of the same tensors and optimizer. */
export function fitsModel(state: ModelState | undefined, { options: { model, optimizer }, updateMemory }: TrainingPlan): boolean {
  if (state === undefined || model === undefined) return state === undefined && model === undefined;
  return state.states === optimizer.stateCount && state.tensors.length === model.tensors.length &&
    model.tensors.every((tensor) => storedAs(state, tensor) !== undefined) && state.kept.size === updateMemory.kept.length &&
    updateMemory.kept.every(({ name, shape }) => state.kept.get(name) === elementCount(shape));
}
