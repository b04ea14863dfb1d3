/** Getting a file of a model into this browser: from the network, going on where it stopped, or from the user's disk. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { InputError, LorasmithError } from "../errors.ts";
import type { PartFile, PartFolder } from "./part-file.ts";
import { storing } from "./storage-errors.ts";

export interface WantedFile {
  readonly name: string;
  readonly url: string;
  /** Where they are known, what comes must be of this size and hash. */
  readonly bytes?: number | undefined;
  readonly sha256?: string | undefined;
}

export interface FetchedFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** @param total undefined where nobody says */
export type FetchProgress = (done: number, total: number | undefined) => void;

const pieceBytes = 4 * 1024 * 1024;

/**
 * Downloads a file. What is there of it from an earlier time is kept and only the rest asked for, unless the server has
 * another file by now. After a failure or a cancel what came stays, except where it is the wrong file.
 * @throws LorasmithError `download.failed`, `download.interrupted`; InputError `download.size`, `download.hash`;
 *   StorageFullError; the signal's reason
 */
export async function fetchFile(
  folder: PartFolder, wanted: WantedFile, fetching: typeof fetch, onprogress: FetchProgress, signal: AbortSignal,
): Promise<FetchedFile> {
  return storing(wanted.name, async () => {
    const file = await folder.open(wanted.name);
    const note = await folder.open(`${wanted.name}.tag`);
    let isWrong = false;
    try {
      await fill(file, note, wanted, fetching, onprogress, signal);
      const found = { bytes: file.getSize(), sha256: hashOf(file, signal) };
      if (wanted.sha256 !== undefined && wanted.sha256 !== found.sha256) {
        isWrong = true;
        throw otherFile("download.hash", wanted, "its SHA-256 is another one");
      }
      return found;
    } catch (error) {
      isWrong ||= error instanceof LorasmithError && error.code === "download.size";
      throw error;
    } finally {
      if (isWrong) file.truncate(0);
      file.close();
      note.close();
    }
  });
}

/** Copies a file of the user's. @throws StorageFullError; the signal's reason; then nothing of it stays */
export async function copyFile(folder: PartFolder, name: string, source: Blob, onprogress: FetchProgress, signal: AbortSignal): Promise<FetchedFile> {
  return storing(name, async () => {
    const file = await folder.open(name);
    const hash = sha256.create();
    let isWhole = false;
    try {
      file.truncate(0);
      for (let at = 0; at < source.size; at += pieceBytes) {
        signal.throwIfAborted();
        const piece = new Uint8Array(await source.slice(at, at + pieceBytes).arrayBuffer());
        writeAll(file, piece, at);
        hash.update(piece);
        onprogress(Math.min(at + pieceBytes, source.size), source.size);
      }
      file.flush();
      isWhole = true;
      return { bytes: source.size, sha256: bytesToHex(hash.digest()) };
    } finally {
      file.close();
      if (!isWhole) await folder.remove(name);
    }
  });
}

async function fill(
  file: PartFile, note: PartFile, wanted: WantedFile, fetching: typeof fetch, onprogress: FetchProgress, signal: AbortSignal,
): Promise<void> {
  const before = file.getSize();
  if (before > 0 && before === wanted.bytes) return;
  const range = before > 0 ? { headers: { Range: `bytes=${before}-` } } : {};
  let response = await request(wanted, fetching, { ...range, signal });
  const version = readNote(note);
  const isOther = version !== "" && versionOf(response) !== "" && version !== versionOf(response);
  // 416: nothing is left to send, or the file has become shorter.
  const isWhole = response.status === 416 && response.headers.get("Content-Range") === `bytes */${before}` && !isOther;
  if (isWhole) {
    await response.body?.cancel();
    return;
  }
  if (response.status === 416 || (response.status === 206 && isOther)) {
    await response.body?.cancel();
    response = await request(wanted, fetching, { signal });
  }
  if (!response.ok || response.body === null) throw failed(wanted, `the server answered ${response.status}`);
  if (/^text\/html/i.test(response.headers.get("Content-Type") ?? "")) throw failed(wanted, "a page came instead of a file");
  writeNote(note, versionOf(response));
  let at = response.status === 206 ? before : 0;
  if (at === 0) file.truncate(0);
  const rest = Number(response.headers.get("Content-Length") ?? Number.NaN);
  const isPacked = response.headers.has("Content-Encoding");
  const total = wanted.bytes ?? (Number.isFinite(rest) && !isPacked ? at + rest : undefined);
  if (wanted.bytes !== undefined && Number.isFinite(rest) && !isPacked && at + rest !== wanted.bytes) throw wrongSize(wanted, at + rest);
  onprogress(at, total);
  const reader = response.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) break;
      writeAll(file, value, at);
      at += value.length;
      onprogress(at, total);
    }
  } catch (cause) {
    signal.throwIfAborted();
    // What could not be written is told as such.
    if (!(cause instanceof TypeError)) throw cause;
    throw interrupted(wanted, cause);
  } finally {
    file.flush();
    reader.releaseLock();
  }
  if (total !== undefined && at < total) throw interrupted(wanted);
  if (wanted.bytes !== undefined && at !== wanted.bytes) throw wrongSize(wanted, at);
}

async function request(wanted: WantedFile, fetching: typeof fetch, options: RequestInit): Promise<Response> {
  try {
    // No cookies, no address of this page; the browser's own cache would keep a second copy.
    return await fetching(wanted.url, { ...options, credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" });
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw failed(wanted, "the server can't be reached", cause);
  }
}

/** Which version of the file it is, by the server's word. */
function versionOf(response: Response): string {
  return response.headers.get("X-Linked-Etag") ?? response.headers.get("ETag") ?? "";
}

function readNote(note: PartFile): string {
  const bytes = new Uint8Array(note.getSize());
  note.read(bytes, { at: 0 });
  return new TextDecoder().decode(bytes);
}

function writeNote(note: PartFile, text: string): void {
  note.truncate(0);
  note.write(new TextEncoder().encode(text), { at: 0 });
  note.flush();
}

/** Full storage shows as a short write in some browsers. */
function writeAll(file: PartFile, bytes: Uint8Array, at: number): void {
  const written = file.write(bytes, { at });
  if (written < bytes.length) throw new DOMException("Not all bytes could be written.", "QuotaExceededError");
}

function hashOf(file: PartFile, signal: AbortSignal): string {
  const hash = sha256.create();
  const piece = new Uint8Array(pieceBytes);
  for (let at = 0, size = file.getSize(); at < size; at += pieceBytes) {
    signal.throwIfAborted();
    hash.update(piece.subarray(0, file.read(piece, { at })));
  }
  return bytesToHex(hash.digest());
}

function failed({ name, url }: WantedFile, reason: string, cause?: unknown): LorasmithError {
  const host = new URL(url).host;
  const message = `${name} could not be downloaded from ${host}: ${reason}. Try again later, or download it yourself and choose the file.`;
  return new LorasmithError("download.failed", message, { name, host, reason }, cause === undefined ? {} : { cause });
}

function interrupted({ name }: WantedFile, cause?: unknown): LorasmithError {
  const message = `The connection ended in the middle of ${name}. What came is kept: download again to go on.`;
  return new LorasmithError("download.interrupted", message, { name }, cause === undefined ? {} : { cause });
}

function wrongSize(wanted: WantedFile, found: number): InputError {
  return otherFile("download.size", wanted, `it has ${found} bytes instead of ${wanted.bytes}`);
}

function otherFile(code: string, { name }: WantedFile, reason: string): InputError {
  return new InputError(code, `${name} is not the file that was expected: ${reason}. Download it again, or choose your own copy.`, { name, reason });
}
