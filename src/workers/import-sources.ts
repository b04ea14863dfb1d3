/** All files of an import as one flat list, archives opened, one archive inside another too. */
import { isHidden, isPicture, stemOf } from "../dataset/paths.ts";
import { InputError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import { openZip, unzipLimits } from "../formats/unzip.ts";
import type { UnzipLimits } from "../formats/unzip.ts";
import type { DatasetFile } from "../storage/database.ts";
import { decodeText } from "../studio/decode-text.ts";
import { headBytes, isDecodableKind, kindOf } from "../studio/picture-probe.ts";
import { freeStem } from "../studio/safe-names.ts";

export interface ImportSource {
  readonly path: string;
  /** As it was spelled, where that would lead out of its archive or was there before. */
  readonly spelled: string | null;
  readonly size: number;
  readonly isPicture: boolean;
  /** The file where there is one; entries of archives are read. */
  readonly file: Blob | null;
  /** @throws InputError `file.unreadable`, `zip.*` */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

export interface ImportSources {
  readonly sources: readonly ImportSource[];
  /** Archives that could not be opened. */
  readonly problems: readonly { readonly path: string; readonly error: InputError }[];
  close(): Promise<void>;
}

/** Archives inside archives: one level, of at most this size. */
const LARGEST_INNER_ARCHIVE = 512 * 1024 ** 2;
/** Files of an archive whose names say nothing are looked into up to this size. */
const LARGEST_UNNAMED = 64 * 1024 ** 2;
/** More than this is no caption and no metadata. */
export const largestText = 64 * 1024 ** 2;

const isText = (path: string): boolean => /\.(txt|caption|json|jsonl|toml)$/i.test(path);
const isArchive = (path: string): boolean => /\.zip$/i.test(path);
/** Names that nobody gives to anything but pictures; what they are is seen when their turn comes. */
const isNamedPicture = (path: string): boolean => isPicture(path) || /\.(gif|avif|jfif|jpe)$/i.test(path);

/** @throws InputError nothing: what is wrong with single files is listed */
export async function listSources(files: readonly DatasetFile[], limits: UnzipLimits = unzipLimits): Promise<ImportSources> {
  const sources: ImportSource[] = [];
  const problems: { path: string; error: InputError }[] = [];
  const closing: (() => Promise<void>)[] = [];
  const taken = new Set<string>();
  for (const { path, file } of files) {
    const kind = isHidden(path) || isText(path) || isNamedPicture(path) ? undefined : kindOf(await headOf(file));
    if (isArchive(path) || kind === "zip") await openArchive(path, file, 0);
    else {
      add(path, null, {
        size: file.size, file,
        isPicture: !isHidden(path) && (isNamedPicture(path) || (kind !== undefined && isDecodableKind(kind))),
        read: () => blobSource(file, path).read(0, file.size),
      });
    }
  }
  return { sources, problems, close: async () => void (await Promise.all(closing.map((close) => close()))) };

  /** Under a path of its own: pasted pictures have all one name, and archives may hold a path twice. */
  function add(path: string, spelled: string | null, source: Omit<ImportSource, "path" | "spelled">): void {
    const stem = stemOf(path);
    const ending = path.slice(stem.length);
    const free = `${freeStem(stem, (candidate) => !taken.has(candidate + ending))}${ending}`;
    taken.add(free);
    sources.push({ path: free, spelled: free === path ? spelled : path, ...source });
  }

  async function openArchive(path: string, file: Blob, level: number): Promise<void> {
    const folder = path.replace(/\.zip$/i, "");
    try {
      const { files: entries, close } = await openZip(file, path, (bytes) => decodeText(bytes)?.text, limits);
      closing.push(close);
      for (const entry of entries) {
        const inner = `${folder}/${entry.path}`;
        if (isArchive(inner) && level === 0 && entry.size <= LARGEST_INNER_ARCHIVE && !isHidden(inner)) {
          await openArchive(inner, new Blob([await entry.read()]), 1);
          continue;
        }
        const isOne = !isHidden(inner) && (isNamedPicture(inner) || (await isUnnamedPicture(inner, entry)));
        add(inner, entry.spelled, { size: entry.size, file: null, isPicture: isOne, read: () => entry.read() });
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.push({ path, error });
    }
  }
}

async function isUnnamedPicture(
  path: string, entry: { readonly size: number; read(): Promise<Uint8Array> },
): Promise<boolean> {
  if (isText(path) || isArchive(path) || entry.size === 0 || entry.size > LARGEST_UNNAMED) return false;
  const bytes = await entry.read().catch(() => new Uint8Array());
  return isDecodableKind(kindOf(bytes.subarray(0, headBytes)));
}

async function headOf(file: Blob): Promise<Uint8Array> {
  // What can't be read now is told when its turn comes.
  return new Uint8Array(await file.slice(0, headBytes).arrayBuffer().catch(() => new ArrayBuffer(0)));
}
