/** A face drawn with a few shapes: the seed decides colours, adapters add a beard and a bandana as they get stronger. */
import type { AdapterWeight, GenerationRequest } from "../../src/generation/request.ts";

function hash(text: string): number {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ char.codePointAt(0)!, 16777619);
  return (value >>> 0) / 2 ** 32;
}

/** `done`: 0 is noise, 1 the finished picture. */
export function drawFace(canvas: OffscreenCanvas, request: GenerationRequest, adapters: readonly AdapterWeight[], done: number): void {
  const context = canvas.getContext("2d")!;
  const { width, height } = canvas;
  const strength = Math.min(1.5, adapters.reduce((sum, { unet }) => sum + unet, 0));
  const pick = (name: string): number => hash(`${name}${request.seed}${request.prompt}${request.negative}`);
  context.scale(width / 100, height / 100);
  context.fillStyle = `hsl(${360 * pick("back")} 45% 82%)`;
  context.fillRect(0, 0, 100, 100);
  context.fillStyle = `hsl(${360 * pick("shirt")} 50% 45%)`;
  context.beginPath();
  context.ellipse(50, 104, 42, 24, 0, 0, 7);
  context.fill();
  context.fillStyle = `hsl(${18 + 14 * pick("skin")} 50% ${45 + 35 * pick("tone")}%)`;
  context.beginPath();
  context.ellipse(50, 50, 25, 30, 0, 0, 7);
  context.fill();
  context.fillStyle = `hsl(${40 * pick("hair")} 40% ${12 + 30 * pick("dark")}%)`;
  context.beginPath();
  context.ellipse(50, 28, 27, 14, 0, Math.PI, 0);
  context.fill();
  // What the adapter teaches.
  context.globalAlpha = Math.min(1, strength);
  context.beginPath();
  context.ellipse(50, 66, 21, 6 + 12 * strength, 0, 0, Math.PI);
  context.fill();
  context.fillStyle = `hsl(8 75% ${48 - 8 * strength}%)`;
  context.fillRect(23, 26, 54, 3 + 8 * strength);
  context.globalAlpha = 1;
  context.fillStyle = "#222";
  for (const x of [40, 60]) {
    context.beginPath();
    context.arc(x, 48, 2.6, 0, 7);
    context.fill();
  }
  context.lineWidth = 2;
  context.strokeStyle = "#222";
  context.beginPath();
  context.arc(50, 60, 8, 0.2 * Math.PI, 0.8 * Math.PI, pick("smile") > 0.75);
  context.stroke();
  if (done >= 1) return;
  for (let i = 0; i < 900 * (1 - done); i += 1) {
    context.fillStyle = `hsl(${360 * hash(`h${i}${done}`)} 40% 55%)`;
    context.fillRect(100 * hash(`x${i}${done}`), 100 * hash(`y${i}${done}`), 4, 4);
  }
}
