import { baseName, parentOf, stemOf } from "./paths.ts";

/** sd-scripts adds a missing dot; the GUI's empty field means `.caption`. */
export function normalizeExtension(extension: string): string {
  if (extension === "") return ".caption";
  return extension.startsWith(".") ? extension : `.${extension}`;
}

/**
 * The caption file of a picture: same name with the configured ending, or, for `name_cx_cy_w_h` as kohya's face
 * detection writes it, that of `name`. Then the two usual endings, so that a wrong setting does not lose captions.
 * @param files all paths there are
 */
export function findCaption(picture: string, extension: string, files: ReadonlySet<string>): string | null {
  const stem = stemOf(picture);
  const parts = baseName(stem).split("_");
  const dir = parentOf(picture);
  const face = parts.length < 5 ? [] : [`${dir === "" ? "" : `${dir}/`}${parts.slice(0, -4).join("_")}${extension}`];
  const candidates = [`${stem}${extension}`, ...face, `${stem}.txt`, `${stem}.caption`];
  return candidates.find((path) => files.has(path)) ?? null;
}
