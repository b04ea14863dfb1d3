/**
 * Browsers turn pictures as their EXIF data says, kohya's trainer does not, and the option that once switched it off
 * has lost its meaning. So the EXIF block is hidden from the decoder: the rest of the file stays as it is.
 */

const ascii = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

/** The same picture without EXIF data. PNG, JPEG and WebP; anything else comes back as it was. */
export function withoutOrientation(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (file[0] === 0xff && file[1] === 0xd8) return withoutJpegExif(file);
  if (ascii(file, 0) === "RIFF" && ascii(file, 8) === "WEBP") return withoutWebpExif(file);
  if (file[0] === 0x89 && ascii(file, 0).endsWith("PNG")) return withoutPngExif(file);
  return file;
}

/** APP1 segments become comments, which decoders skip. */
function withoutJpegExif(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  const [app1, comment, startOfScan] = [0xe1, 0xfe, 0xda];
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== startOfScan; ) {
    if (bytes[at + 1] === app1) bytes[at + 1] = comment;
    at += 2 + view.getUint16(at + 2);
  }
  return bytes;
}

/** The chunk gets a name that no decoder knows. */
function withoutWebpExif(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = file.slice();
  const view = new DataView(bytes.buffer);
  for (let at = 12; at + 8 <= bytes.length; ) {
    if (ascii(bytes, at) === "EXIF") bytes.set(new TextEncoder().encode("none"), at);
    const length = view.getUint32(at + 4, true);
    at += 8 + length + (length % 2);
  }
  return bytes;
}

/** The chunk is cut out, because each carries a checksum of its name. */
function withoutPngExif(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  for (let at = 8; at + 12 <= file.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (ascii(file, at + 4) === "eXIf") {
      const bytes = new Uint8Array(file.length - (end - at));
      bytes.set(file.subarray(0, at));
      bytes.set(file.subarray(end), at);
      return bytes;
    }
    at = end;
  }
  return file;
}
