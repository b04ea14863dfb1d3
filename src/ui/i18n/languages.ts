export const languages = ["en", "zh-CN"] as const;
export type Language = (typeof languages)[number];

/** The first of the user's languages that the page speaks; English otherwise. */
export function detectLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const base = tag.toLowerCase().split("-")[0];
    if (base === "zh") return "zh-CN";
    if (base === "en") return "en";
  }
  return "en";
}
