import { CancelledError } from "../errors.ts";
import { names } from "../models/forward-graphs.ts";
import { latentScale } from "./check-request.ts";
import { cutTile, scaleLayout, TileBlender } from "./tiles.ts";
import type { ProgramRunner } from "../models/forward-runner.ts";
import type { RequestPlan } from "./request-plan.ts";

const channels = 4;

/**
 * Latents to a picture, in the tiles of the plan.
 * @param latents [h, w, 4], divided by the scale factor
 * @returns [8h, 8w, 3], about [-1, 1]
 * @throws CancelledError between two tiles
 */
export async function decodeLatents(
  runner: ProgramRunner, { decoder, tiles, height, width }: RequestPlan, latents: Float32Array, signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  const picture = new TileBlender(height * latentScale, width * latentScale);
  const pixels = scaleLayout(tiles, latentScale);
  for (const [row, top] of tiles.rows.entries()) {
    for (const [column, left] of tiles.columns.entries()) {
      if (signal?.aborted === true) throw new CancelledError();
      const tile = cutTile(latents, width, channels, top, left, tiles);
      picture.add(await runner.run(decoder, { [names.latents]: tile }), pixels, row, column);
    }
  }
  return picture.result();
}
