/** What a file's reader or writer has to say about a setting, in the page's language. */
import type { ConfigWarning } from "../../config/errors.ts";
import type { I18n } from "../i18n/i18n.svelte.ts";

const codes = [
  "notSupported", "replaced", "promptFile", "epochsInsteadOfSteps", "guiNumber", "strayWords", "notInGui", "notInToml", "keptAsWritten",
  "unknown", "local",
] as const;

export function noteText({ t }: I18n, { code, param, message }: ConfigWarning): string {
  const known = codes.find((name) => `config.${name}` === code);
  return known === undefined ? message : t(`configNote.${known}`, { key: param });
}
