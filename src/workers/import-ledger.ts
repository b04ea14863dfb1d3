/** What is decided about each picture of an import: its name, whether it is there already, and what is worth saying. */
import { invariant } from "../errors.ts";
import type { IncomingPicture } from "../storage/set-store.ts";
import type { FoundCaption, ImportNote, ImportNoteCode } from "../studio/import-report.ts";
import type { PlannedPicture } from "../studio/import-plan.ts";
import { LikenessIndex } from "../studio/likeness.ts";
import { isTrainedKind } from "../studio/picture-probe.ts";
import type { StudioPicture } from "../studio/picture.ts";
import { caseKey, claimName } from "../studio/safe-names.ts";
import { isCropOf } from "../studio/crop-cover.ts";
import { cropOf, originOf } from "../studio/sidecar.ts";
import { nameOf } from "./import-picture.ts";
import type { ReadPicture } from "./import-picture.ts";
import type { ImportRequest } from "./import-protocol.ts";

/** A picture of the set, as far as another one is compared with it. */
interface Seen {
  readonly id: string;
  readonly name: string;
  readonly isReg: boolean;
  hasCaption: boolean;
}

export class ImportLedger {
  readonly notes: ImportNote[] = [];
  readonly captions: FoundCaption[] = [];
  readonly #isReg: (subset: string) => boolean;
  readonly #resolution: number;
  readonly #names = new Map<string, Set<string>>();
  readonly #before = new Map<string, Seen[]>();
  readonly #during = new Map<string, Seen[]>();
  readonly #index = new LikenessIndex<Seen & { readonly original: string }>();
  /** Ids of the file `lorasmith.json` → ids here. */
  readonly #ids = new Map<string, string>();
  readonly #idStart = Date.now().toString(36).padStart(9, "0");
  #idCount = 0;

  /** @param isReg of all subsets that pictures may go to */
  constructor(request: Pick<ImportRequest, "known" | "resolution">, isReg: (subset: string) => boolean) {
    this.#isReg = isReg;
    this.#resolution = request.resolution;
    for (const { id, subset, name, original, likeness, hasCaption } of request.known) {
      const seen = { id, name, isReg: isReg(subset), hasCaption, original };
      this.#namesOf(subset).add(caseKey(name));
      append(this.#before, original, seen);
      this.#index.add(likeness, seen);
    }
  }

  /** Ids for pictures of a set that is taken in whole, so that they can refer to each other. */
  reserve(oldIds: Iterable<string>): void {
    for (const id of oldIds) this.#ids.set(id, this.#newId());
  }

  /** Whether a file was in the set before, so that nobody needs to look at it. */
  isKnown(hash: string): boolean {
    return this.#before.has(hash);
  }

  note(code: ImportNoteCode, path: string, data: ImportNote["data"] = {}, picture: { id: string; original: string } | null = null): void {
    this.notes.push({ code, path, pictureId: picture?.id ?? null, original: picture?.original ?? null, data });
  }

  /** The picture as it goes into the set; undefined where it is there already. */
  admit(planned: PlannedPicture, subset: string, read: ReadPicture): IncomingPicture | undefined {
    const { path, kept } = planned;
    const { hash, facts, kind } = read;
    const isReg = this.#isReg(subset);
    const caption = this.#captionOf(planned, read);
    // A set that is taken in whole may show one file several times, each with a crop of its own.
    const there = this.#before.get(hash) ?? (kept === null ? this.#during.get(hash) : undefined);
    if (there !== undefined) {
      this.#alreadyThere(path, hash, caption, there, isReg);
      return undefined;
    }
    const { look } = read;
    invariant(look !== null, "a file that was not known before is looked at");
    const wanted = kept === null ? nameOf(path, kind) : { name: kept.name, isWrong: false };
    const name = claimName(wanted.name, this.#namesOf(subset));
    const crop = kept === null ? null : cropOf(kept.crop);
    const fits = crop === null || isCropOf(crop, [look.width, look.height]);
    const id = (kept === null ? undefined : this.#ids.get(kept.id)) ?? this.#newId();
    const picture: StudioPicture = {
      id, subset, name, original: hash, bytes: read.bytes, width: look.width, height: look.height, caption,
      crop: fits ? crop : null,
      isMirrored: kept?.isMirrored ?? false,
      group: kept?.group ?? null,
      likeness: look.likeness,
      origin: kept === null ? read.origin : originOf(kept.origin, this.#ids),
    };
    const own = { id, original: hash };
    const say = (code: ImportNoteCode, data: ImportNote["data"] = {}): void => this.note(code, path, data, own);
    if (name !== (kept?.name ?? baseOf(path))) say("renamed", { name });
    if (!fits) say("cropLost");
    if (wanted.isWrong) say("wrongEnding", { kind: kind.toUpperCase() });
    if (facts.isAnimated) say("animated");
    if (facts.isCmyk) say("cmyk");
    if (facts.isDeep) say("deep");
    if (!isTrainedKind(kind)) say("converted", { kind: kind.toUpperCase() });
    const shorter = Math.min(look.width, look.height);
    if (shorter < this.#resolution / 2) say("tooSmall", { width: look.width, height: look.height, resolution: this.#resolution });
    const [near] = kept === null ? this.#index.near(look.likeness) : [];
    if (near !== undefined) {
      const data = { other: near.item.name, otherOriginal: near.item.original, distance: near.distance };
      say(near.item.isReg === isReg ? "nearDuplicate" : "nearOtherKind", data);
    }
    const seen = { id, name, isReg, hasCaption: caption !== null, original: hash };
    append(this.#during, hash, seen);
    this.#index.add(look.likeness, seen);
    return { picture, file: read.file, thumbnail: look.thumbnail };
  }

  #alreadyThere(path: string, original: string, caption: string | null, there: readonly Seen[], isReg: boolean): void {
    const [first] = there;
    if (first === undefined) return;
    this.note(first.isReg === isReg ? "duplicate" : "inOtherKind", path, { other: first.name }, { id: first.id, original });
    // The caption that came with it is news where the picture has none.
    if (caption === null || first.hasCaption) return;
    first.hasCaption = true;
    this.captions.push({ pictureId: first.id, caption });
  }

  #captionOf({ path, captionPath, caption, kept }: PlannedPicture, { caption: decoded }: ReadPicture): string | null {
    const at = captionPath ?? path;
    if (decoded === null) this.note("unreadableCaption", at);
    else if (decoded !== undefined) {
      if (decoded.encoding !== "utf-8") this.note("reencodedCaption", at, { encoding: decoded.encoding });
      // What a file can't hold (a mark at its beginning, half a character) the set's own file does.
      const own = kept?.caption ?? null;
      return own !== null && throughFile(own) === decoded.text ? own : decoded.text;
    }
    return caption ?? kept?.caption ?? null;
  }

  #namesOf(subset: string): Set<string> {
    const names = this.#names.get(subset) ?? new Set<string>();
    this.#names.set(subset, names);
    return names;
  }

  /** Rises with each picture: sets are in the order of their ids. */
  #newId(): string {
    this.#idCount++;
    return `${this.#idStart}-${this.#idCount.toString(36).padStart(5, "0")}-${crypto.randomUUID().slice(0, 8)}`;
  }
}

const throughFile = (text: string): string => new TextDecoder().decode(new TextEncoder().encode(text));
const baseOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
