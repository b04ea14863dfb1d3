/**
 * Room for one model on the GPU in this browser, whichever tab or worker holds it. Training goes first: it asks and
 * waits for generators to let go. A generator is refused while somebody trains, and is handed the room by another
 * tab's generator that does nothing at the moment.
 */
import { OtherTabDrawsError, TrainingLiveError } from "./generate-errors.ts";
import { isAnyTabTraining, trainLockName } from "./train-lock.ts";

const roomLockName = "lorasmith-gpu-room";
const channelName = "lorasmith-gpu-room";
/** Letting go takes no time; a tab that has not done it by then is busy. */
const handoverMs = 2000;

export type RoomClaim = "training" | "otherTab";

export interface GpuLease {
  release(): void;
}

/**
 * Runs a training run with the room to itself, under the training lock; false, without running it, where another tab
 * trains.
 */
export async function trainAlone(work: () => Promise<void>): Promise<boolean> {
  return navigator.locks.request(trainLockName, { ifAvailable: true }, async (lock) => {
    if (lock === null) return false;
    // A generator that comes after this message sees the training lock.
    claim("training");
    await navigator.locks.request(roomLockName, work);
    return true;
  });
}

/**
 * Takes the room for a generator. `onwanted` hears who wants it from then on: "training" must be given way to at once,
 * "otherTab" where nothing is being drawn.
 * @throws TrainingLiveError, OtherTabDrawsError
 */
export async function takeGpuRoom(onwanted: (by: RoomClaim) => void): Promise<GpuLease> {
  if (await isAnyTabTraining()) throw new TrainingLiveError();
  const channel = new BroadcastChannel(channelName);
  channel.addEventListener("message", ({ data }: MessageEvent<RoomClaim>) => onwanted(data));
  channel.postMessage("otherTab" satisfies RoomClaim);
  try {
    const letGo = await holdLock();
    const lease = {
      release(): void {
        channel.close();
        letGo();
      },
    };
    if (!(await isAnyTabTraining())) return lease;
    lease.release();
    throw new TrainingLiveError();
  } catch (error) {
    channel.close();
    throw error;
  }
}

/** Resolves with the way to let go, once the lock is held. */
function holdLock(): Promise<() => void> {
  return new Promise((resolve, reject: (error: unknown) => void) => {
    const options = { signal: AbortSignal.timeout(handoverMs) };
    const held = navigator.locks.request(roomLockName, options, () => new Promise<void>((letGo) => resolve(letGo)));
    held.catch(async () => reject((await isAnyTabTraining()) ? new TrainingLiveError() : new OtherTabDrawsError()));
  });
}

function claim(by: RoomClaim): void {
  const channel = new BroadcastChannel(channelName);
  channel.postMessage(by);
  channel.close();
}
