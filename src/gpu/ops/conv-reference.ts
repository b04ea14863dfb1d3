/** Convolutions in float64, for the ops' references. Maps are [B, H, W, C], kernels [out, kh, kw, in]. */
import type { RefTensor } from "../graph/op.ts";

export interface ConvPlace {
  readonly stride: number;
  readonly pad: { readonly top: number; readonly left: number };
}

/** What a convolution does, tap by tap: positions of a pixel of its output, of its input, and of the kernel's tap. */
type Visit = (outPixel: number, inPixel: number, tap: number) => void;

function eachTap(
  [batch, outH, outW]: readonly number[],
  [height, width]: readonly [number, number],
  [kernelH, kernelW]: readonly [number, number],
  { stride, pad }: ConvPlace,
  visit: Visit,
): void {
  for (let b = 0; b < batch!; b++) {
    for (let oy = 0; oy < outH!; oy++) {
      for (let ox = 0; ox < outW!; ox++) {
        for (let ky = 0; ky < kernelH; ky++) {
          const iy = oy * stride + ky - pad.top;
          if (iy < 0 || iy >= height) continue;
          for (let kx = 0; kx < kernelW; kx++) {
            const ix = ox * stride + kx - pad.left;
            if (ix < 0 || ix >= width) continue;
            visit((b * outH! + oy) * outW! + ox, (b * height + iy) * width + ix, ky * kernelW + kx);
          }
        }
      }
    }
  }
}

/** y += x * w. `y` holds maps of the shape [B, Ho, Wo, out]. */
export function addConvolution(y: Float64Array, shape: readonly number[], x: RefTensor, w: RefTensor, place: ConvPlace): void {
  const [, height, width, channels] = x.shape as [number, number, number, number];
  const [out, kernelH, kernelW] = w.shape as [number, number, number];
  eachTap(shape, [height, width], [kernelH, kernelW], place, (to, from, tap) => {
    for (let o = 0; o < out; o++) {
      let sum = 0;
      const wAt = (o * kernelH * kernelW + tap) * channels;
      for (let c = 0; c < channels; c++) sum += x.data[from * channels + c]! * w.data[wAt + c]!;
      y[to * out + o] = y[to * out + o]! + sum;
    }
  });
}

/** dx += the gradient of x * w towards x. `dx` holds maps of size [height, width]. */
export function addConvolutionDx(
  dx: Float64Array, size: readonly [number, number], dy: RefTensor, w: RefTensor, place: ConvPlace,
): void {
  const [out, kernelH, kernelW, channels] = w.shape as [number, number, number, number];
  eachTap(dy.shape, size, [kernelH, kernelW], place, (from, to, tap) => {
    for (let o = 0; o < out; o++) {
      const wAt = (o * kernelH * kernelW + tap) * channels;
      for (let c = 0; c < channels; c++) dx[to * channels + c] = dx[to * channels + c]! + dy.data[from * out + o]! * w.data[wAt + c]!;
    }
  });
}

/** dw += the gradient of x * w towards w. */
export function addConvolutionDw(dw: Float64Array, kernel: readonly [number, number], x: RefTensor, dy: RefTensor, place: ConvPlace): void {
  const [, height, width, channels] = x.shape as [number, number, number, number];
  const out = dy.shape.at(-1)!;
  eachTap(dy.shape, [height, width], kernel, place, (to, from, tap) => {
    for (let o = 0; o < out; o++) {
      const wAt = (o * kernel[0] * kernel[1] + tap) * channels;
      for (let c = 0; c < channels; c++) dw[wAt + c] = dw[wAt + c]! + dy.data[to * out + o]! * x.data[from * channels + c]!;
    }
  });
}
