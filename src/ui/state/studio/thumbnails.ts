/** Small pictures as addresses for `<img>`, read when first shown; as many are kept as several screens show. */
import { thumbnailOf } from "../../../storage/set-store.ts";

const kept = 800;

interface Entry {
  users: number;
  readonly url: Promise<string | undefined>;
}

/** In the order of their last use. */
const entries = new Map<string, Entry>();

/**
 * The address of a picture's thumbnail; undefined where there is none. Call `release` when it is not shown any more.
 * @param hash SHA-256 of the original
 */
export function thumbnailUrl(hash: string): { readonly url: Promise<string | undefined>; readonly release: () => void } {
  const entry = entries.get(hash) ?? { users: 0, url: read(hash) };
  entry.users += 1;
  entries.delete(hash);
  entries.set(hash, entry);
  let isReleased = false;
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    entry.users -= 1;
    trim();
  };
  return { url: entry.url, release };
}

async function read(hash: string): Promise<string | undefined> {
  const blob = await thumbnailOf(hash).catch(() => undefined);
  return blob && URL.createObjectURL(blob);
}

function trim(): void {
  for (const [hash, entry] of entries) {
    if (entries.size <= kept) return;
    if (entry.users > 0) continue;
    entries.delete(hash);
    void entry.url.then((url) => {
      if (url !== undefined) URL.revokeObjectURL(url);
    });
  }
}
