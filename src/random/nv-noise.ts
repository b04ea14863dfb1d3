/**
 * Noise as the webui draws it with its random source "NV", the one that is the same on every machine: Philox-4x32
 * under the seed, a call's number and an element's number as counter, one sample of N(0, 1) from each block.
 */
import { philox4x32 } from "./philox.ts";

const STEP = 2 ** -32;
/** 2π·2⁻³² as the webui has it: rounded to float32. The rest is float64. */
const ANGLE_STEP = Math.fround(2.3283064e-10 * 6.2831855);

export class NvNoise {
  readonly #key: Uint32Array;
  #calls = 0;

  /** @param seed integer from 0 to 2⁵³ − 1 */
  constructor(seed: number) {
    this.#key = new Uint32Array([seed % 2 ** 32, Math.floor(seed / 2 ** 32)]);
  }

  /**
   * The next map of noise. The webui numbers elements by channel, row and column; the result has the channels last.
   * @returns [height, width, channels]
   */
  map(height: number, width: number, channels: number): Float32Array<ArrayBuffer> {
    const plane = height * width;
    const samples = new Float32Array(plane * channels);
    const counter = new Uint32Array(4);
    const block = new Uint32Array(4);
    counter[0] = this.#calls++;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < plane; pixel++) {
        counter[2] = channel * plane + pixel;
        philox4x32(counter, this.#key, block);
        // Half a step away from 0, whose logarithm is infinite.
        const radius = Math.sqrt(-2 * Math.log(block[0]! * STEP + STEP / 2));
        samples[pixel * channels + channel] = radius * Math.sin(block[1]! * ANGLE_STEP + ANGLE_STEP / 2);
      }
    }
    return samples;
  }
}
