const PICTURES = /\.(png|jpe?g|webp|bmp)$/i;
const OTHER_PICTURES = /\.(gif|avif|jxl|tiff?|heic|heif|svg|jfif|ico|psd)$/i;
const REGULARIZATION = /^reg(ulari[sz]ation)?([ _.-]|$)/i;

/** More than this is no number of repeats but a year's worth of digits: a date, an id. */
const MAX_REPEATS = 10_000;

/** The endings that kohya's trainer reads, in any case as on Windows. */
export const isPicture = (path: string): boolean => PICTURES.test(path);
export const isOtherPicture = (path: string): boolean => OTHER_PICTURES.test(path);
/** Whether a folder is named `reg…`, or lies below one that is. */
export const isForRegularization = (path: string): boolean => path.split("/").some((part) => REGULARIZATION.test(part));

/** What operating systems and archivers leave behind. */
export function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX")
    || /^(thumbs\.db|desktop\.ini)$/i.test(baseName(path));
}

/** Path of the folder that holds `path`; "" if there is none. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path without its ending. */
export function stemOf(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) : path;
}

/**
 * Reads a folder's name as kohya does: `10_sls 1girl` is 10 repeats of "sls 1girl"; everything behind the first `_`
 * belongs to the class tokens.
 * @returns `undefined` if the name does not begin with a usable number of repeats
 */
export function parseFolderName(name: string): { repeats: number; classTokens: string } | undefined {
  const match = /^(\d+)_(.*)$/su.exec(name);
  if (match === null) return undefined;
  const repeats = Number(match[1]);
  return repeats >= 1 && repeats <= MAX_REPEATS ? { repeats, classTokens: match[2] ?? "" } : undefined;
}
