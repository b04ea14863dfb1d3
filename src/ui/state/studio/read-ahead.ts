/** Tags of all captions, found while nothing else is to be done, so that the first filter need not find them all. */
import { pictureTags, searchText } from "../../../studio/picture-tags.ts";
import type { StudioPicture } from "../../../studio/picture.ts";

/** Pictures between two looks at the clock, and how long a turn may take. */
const step = 50;
const turnMs = 8;
let latest = 0;

/** Goes through the pictures in turns; those of an earlier call that are not done yet are left. */
export function readAhead(pictures: Iterable<StudioPicture>): void {
  const own = ++latest;
  const waiting = [...pictures];
  const turn = (): void => {
    if (own !== latest) return;
    const begin = performance.now();
    while (performance.now() - begin < turnMs) {
      const some = waiting.splice(-step);
      if (some.length === 0) return;
      for (const picture of some) {
        pictureTags(picture);
        searchText(picture);
      }
    }
    later(turn);
  };
  later(turn);
}

/** Safari has no idle callbacks. */
function later(work: () => void): void {
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: 1000 });
  else setTimeout(work, 50);
}
