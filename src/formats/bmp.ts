/** Uncompressed BMP pictures of 24 or 32 bits, for Node, whose picture library reads none. Browsers decode them. */

export interface BmpImage {
  readonly width: number;
  readonly height: number;
  /** RGBA, rows from the top; alpha is 255 throughout. */
  readonly data: Uint8Array<ArrayBuffer>;
}

const UNCOMPRESSED = 0;
const BIT_FIELDS = 3;

/**
 * Decodes a BMP file.
 * @returns a short English reason if it can't be decoded
 */
export function decodeBmp(bytes: Uint8Array): BmpImage | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 54 || view.getUint16(0) !== 0x424d) return "it is no BMP file";
  const pixelOffset = view.getUint32(10, true);
  if (view.getUint32(14, true) < 40) return "it is an OS/2 BMP; save it again as PNG";
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const order = channelOrder(view, bits, compression);
  if (order === undefined) return "only uncompressed BMP files of 24 or 32 bits are read; save it again as PNG";

  const height = Math.abs(signedHeight);
  const pixelBytes = bits / 8;
  // Rows are padded to four bytes and begin at the bottom, unless the height is negative.
  const rowBytes = Math.ceil((width * pixelBytes) / 4) * 4;
  if (width < 1 || height < 1) return "its header gives no size";
  if (pixelOffset + rowBytes * height > bytes.byteLength) return "it is cut short";
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) {
    const row = pixelOffset + (signedHeight < 0 ? y : height - 1 - y) * rowBytes;
    for (let x = 0; x < width; x++) {
      const source = row + x * pixelBytes;
      const target = (y * width + x) * 4;
      for (let channel = 0; channel < 3; channel++) data[target + channel] = bytes[source + order[channel]!]!;
      data[target + 3] = 255;
    }
  }
  return { width, height, data };
}

/** Byte of a pixel that holds red, green and blue. */
function channelOrder(view: DataView, bits: number, compression: number): readonly number[] | undefined {
  if (compression === UNCOMPRESSED && (bits === 24 || bits === 32)) return [2, 1, 0];
  if (compression !== BIT_FIELDS || bits !== 32 || view.byteLength < 66) return undefined;
  const order = [54, 58, 62].map((offset) => [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(view.getUint32(offset, true)));
  return order.includes(-1) ? undefined : order;
}
