import { crc32 } from "./crc32.ts";

export interface PngImage {
  readonly width: number;
  readonly height: number;
  /** RGBA, straight alpha, rows from the top. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * A PNG file of 8 bits a channel, without the alpha channel where the picture is opaque. A canvas could write one too, but
 * it multiplies colours by alpha first, which loses those of transparent pixels.
 */
export async function encodePng(image: PngImage): Promise<Uint8Array<ArrayBuffer>> {
  const channels = isOpaque(image) ? 3 : 4;
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, image.width);
  header.setUint32(4, image.height);
  header.setUint8(8, 8);
  header.setUint8(9, channels === 3 ? 2 : 6);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", new Uint8Array(header.buffer)),
    chunk("IDAT", await deflate(filtered(image, channels))),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function isOpaque({ data }: PngImage): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 255) return false;
  return true;
}

const PAETH = 4;

/** Rows as differences from what their neighbours to the left and above foretell, which packs photographs well. */
function filtered({ width, height, data }: PngImage, channels: number): Uint8Array<ArrayBuffer> {
  const stride = width * channels;
  const out = new Uint8Array((stride + 1) * height);
  for (let y = 0; y < height; y++) {
    const start = y * (stride + 1);
    out[start] = PAETH;
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 4;
      for (let channel = 0; channel < channels; channel++) {
        const left = x > 0 ? data[at - 4 + channel]! : 0;
        const above = y > 0 ? data[at - width * 4 + channel]! : 0;
        const corner = x > 0 && y > 0 ? data[at - width * 4 - 4 + channel]! : 0;
        out[start + 1 + x * channels + channel] = data[at + channel]! - nearest(left, above, corner);
      }
    }
  }
  return out;
}

/** Whichever is nearest to left + above − corner; the earlier of equal ones. */
function nearest(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/** Length, type, data, and a checksum over type and data. */
function chunk(type: string, data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}
