/** Zip files of entries as they are: pictures are compressed already. Written piece by piece, of any size. */
import { ZipWriter } from "@zip.js/zip.js/lib/zip-core-writer.js";

export interface ZipEntry {
  /** With "/" between folders. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Asked for when its turn comes. */
  readonly open: () => ReadableStream<Uint8Array>;
}

/**
 * Writes entries into one zip file, one after the other, stored; the same entries give the same bytes. Of the contents
 * at most one entry is in memory: its checksum stands before it, where every unpacker looks for it.
 * @param to is closed at the end, and aborted where an entry cannot be read or the file not be written
 */
export async function writeZip(
  entries: Iterable<ZipEntry> | AsyncIterable<ZipEntry>, to: WritableStream<Uint8Array<ArrayBuffer>>,
): Promise<void> {
  const writer = new ZipWriter(to, {
    level: 0,
    dataDescriptor: false,
    useUnicodeFileNames: true,
    // The format has no "unknown": its first day.
    lastModDate: new Date(1980, 0, 1),
    extendedTimestamp: false,
    // Its workers are scripts in blobs, which the page's policy forbids.
    useWebWorkers: false,
  });
  try {
    for await (const { path, size, open } of entries) await writer.add(path, open(), { uncompressedSize: size });
    await writer.close();
  } catch (error) {
    await to.abort(error).catch(() => undefined);
    throw error;
  }
}

/** What is written to a stream, as a blob: browsers keep large ones on disk. */
export async function blobFrom(write: (to: WritableStream<Uint8Array<ArrayBuffer>>) => Promise<void>, type: string): Promise<Blob> {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const [blob] = await Promise.all([new Response(readable).blob(), write(writable)]);
  return new Blob([blob], { type });
}
