import { DeviceLostError } from "../gpu/errors.ts";

/** The GPU is given up at this loss in a row with no newer state since the first of them. */
const maxLosses = 3;

export interface Attempts<State> {
  /** The whole run, from a state or from the start. */
  attempt(from: State | undefined): Promise<State>;
  /** The newest state that was kept. */
  latest(): State | undefined;
  onLost(error: DeviceLostError): void;
}

/**
 * Runs to the end. Where the driver takes the GPU away the run goes on from the newest kept state.
 * @throws DeviceLostError when that gets nowhere, and whatever else an attempt throws
 */
export async function withRecovery<State>({ attempt, latest, onLost }: Attempts<State>, from?: State): Promise<State> {
  let start = from;
  let losses = 0;
  for (;;) {
    try {
      return await attempt(start);
    } catch (error) {
      if (!(error instanceof DeviceLostError)) throw error;
      const next = latest() ?? from;
      losses = next === start ? losses + 1 : 1;
      if (losses >= maxLosses) throw error;
      onLost(error);
      start = next;
    }
  }
}
