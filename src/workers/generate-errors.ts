/** Why nothing is drawn now. */
import { InputError, LorasmithError } from "../errors.ts";

/** A run is live, here or in another tab; a paused one keeps its model on the GPU too. */
export class TrainingLiveError extends InputError {
  constructor() {
    super(
      "generation.training",
      "A LoRA is being trained in this browser, and two models at once are too much for most graphics cards. " +
        "Wait for the run to end, or stop it; a paused one keeps its memory.",
    );
  }
}

/** What was being drawn had to make room. */
export class TrainingStartedError extends LorasmithError {
  constructor() {
    super("generation.trainingStarted", "Training has started and needs the GPU's memory, so drawing was ended. Draw again after the run.");
  }
}

export class OtherTabDrawsError extends InputError {
  constructor() {
    super("generation.otherTab", "Another tab is drawing with a model on the GPU. Let it finish, or close that tab.");
  }
}

export class NoModelError extends InputError {
  constructor() {
    super("generation.noModel", "No base model is open. Choose a checkpoint first.");
  }
}

export class UnknownLoraError extends InputError {
  constructor(name: string) {
    super("generation.unknownLora", `The LoRA "${name}" is not open. Open its file, or take it out.`, { name });
  }
}
