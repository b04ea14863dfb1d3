/** Pictures to PNG files in a worker: one by one, and a grid of them as a labelled sheet. */
import type { DrawSheet, PicturePixels } from "./generate-session.ts";

/** Browsers draw no larger canvas; a larger sheet is drawn smaller. */
const longestSide = 16_384;
const mostPixels = 2 ** 27;
const gap = 4;
const font = (size: number): string => `${size}px system-ui, sans-serif`;

/** Pixels as they are: opaque ones lose nothing on a canvas. */
export async function encodePng({ width, height, rgba }: PicturePixels): Promise<Uint8Array<ArrayBuffer>> {
  const { canvas, context } = canvasOf(width, height);
  context.putImageData(new ImageData(rgba, width, height), 0, 0);
  return pngOf(canvas);
}

/** All cells on white, column labels above, row labels at the left. */
export const drawSheet: DrawSheet = async (plan, cells, texts) => {
  const bitmaps = await Promise.all(
    cells.map(async ({ column, row, png }) => ({ column, row, bitmap: await createImageBitmap(png) })),
  );
  try {
    const { width: cellWidth, height: cellHeight } = plan.cells[0]!.request;
    const columns = plan.columns.labels;
    const rows = plan.rows?.labels ?? [""];
    const textSize = Math.max(12, Math.round(cellWidth / 22));
    const top = 2 * lineHeight(textSize) + linesOf(columns, cellWidth, textSize);
    const left = plan.rows === undefined ? 0 : Math.round(cellWidth / 2);
    const full = { width: left + columns.length * (cellWidth + gap), height: top + rows.length * (cellHeight + gap) };
    const scale = Math.min(
      1, longestSide / full.width, longestSide / full.height, Math.sqrt(mostPixels / (full.width * full.height)),
    );
    const { canvas, context } = canvasOf(Math.floor(full.width * scale), Math.floor(full.height * scale));
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.scale(scale, scale);
    context.fillStyle = "black";
    context.textAlign = "center";
    context.textBaseline = "middle";
    const write = (text: string, x: number, y: number, width: number): void => {
      const lines = wrap(context, text, width);
      for (const [i, line] of lines.entries()) {
        context.fillText(line, x, y + (i - (lines.length - 1) / 2) * lineHeight(textSize), width);
      }
    };
    context.font = `bold ${font(textSize)}`;
    write(texts.columns, left + (full.width - left) / 2, lineHeight(textSize), full.width - left);
    if (texts.rows !== undefined) write(texts.rows, left / 2, lineHeight(textSize), left);
    context.font = font(textSize);
    const middle = (top + 1.5 * lineHeight(textSize)) / 2;
    for (const [i, label] of columns.entries()) write(label, left + (i + 0.5) * (cellWidth + gap), middle, cellWidth);
    for (const [i, label] of rows.entries()) write(label, left / 2, top + (i + 0.5) * (cellHeight + gap), left - 2 * gap);
    for (const { column, row, bitmap } of bitmaps) {
      context.drawImage(bitmap, left + column * (cellWidth + gap), top + row * (cellHeight + gap), cellWidth, cellHeight);
    }
    return await pngOf(canvas);
  } finally {
    for (const { bitmap } of bitmaps) bitmap.close();
  }
};

const lineHeight = (textSize: number): number => Math.round(textSize * 1.3);

/** Height of the labels above the columns. */
function linesOf(labels: readonly string[], width: number, textSize: number): number {
  const { context } = canvasOf(1, 1);
  context.font = font(textSize);
  return Math.max(...labels.map((label) => wrap(context, label, width).length)) * lineHeight(textSize);
}

/** Lines that fit, broken between words; a word that does not fit alone is squeezed when it is drawn. */
function wrap(context: OffscreenCanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const longer = `${lines.at(-1) ?? ""} ${word}`.trim();
    if (lines.length > 0 && context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

function canvasOf(width: number, height: number) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser has no 2D canvas in workers.");
  return { canvas, context };
}

async function pngOf(canvas: OffscreenCanvas): Promise<Uint8Array<ArrayBuffer>> {
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new Uint8Array(await blob.arrayBuffer());
}
