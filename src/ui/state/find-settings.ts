/** Finding settings by kohya's names, those of its GUI, and what the page says about them in any language. */
import { GUI_NAMES } from "../../config/kohya-gui.ts";
import { parameter } from "../../config/parameters.ts";
import type { ParameterKey } from "../../config/parameters.ts";

/** Those of `keys` in which every word of the query occurs; what is only in the long explanations where nothing else fits. */
export function findSettings(query: string, keys: readonly ParameterKey[]): ParameterKey[] {
  const words = plain(query).split(" ").filter((word) => word !== "");
  const having = (texts: (key: ParameterKey) => readonly string[]): ParameterKey[] =>
    keys.filter((key) => {
      const text = plain(texts(key).join(" "));
      return words.every((word) => text.includes(word));
    });
  const found = having((key) => [key, GUI_NAMES[key] ?? "", ...named(key)]);
  return found.length > 0 ? found : having((key) => Object.values(parameter(key).more));
}

function named(key: ParameterKey): readonly string[] {
  const { label, hint, choices = [] } = parameter(key);
  return [...Object.values(label), ...Object.values(hint), ...choices];
}

/** `network_dim`, `--network-dim` and "Network dim" are the same. */
function plain(text: string): string {
  return text.toLowerCase().replaceAll(/[_\-\s]+/g, " ");
}
