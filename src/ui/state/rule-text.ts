/** What a field accepts, in the page's language. The engine's own English rule is used where no text fits better. */
import type { ConfigError } from "../../config/errors.ts";
import { parameter } from "../../config/parameters.ts";
import type { ParameterKey } from "../../config/parameters.ts";
import type { I18n } from "../i18n/i18n.svelte.ts";

export function ruleText(i18n: I18n, key: ParameterKey, error: ConfigError): string {
  const { kind, min, max, multipleOf } = parameter(key);
  const { t, language } = i18n;
  if (error.code === "config.type" || error.code === "config.range") {
    if (kind === "size") return t("rule.size", { min: min ?? 1, max: max ?? 1 });
    if (kind === "warmup") return t("rule.warmup");
    const value = Number(error.value);
    if (error.code === "config.type" && Number.isNaN(value)) return t("rule.number");
    if (error.code === "config.type") return t("rule.whole");
    if (multipleOf !== undefined && value >= (min ?? value) && value <= (max ?? value)) {
      return t("rule.multipleOf", { step: multipleOf });
    }
    if (min !== undefined && max !== undefined) return t("rule.between", { min, max });
    if (min !== undefined) return t("rule.atLeast", { min });
    if (max !== undefined) return t("rule.atMost", { max });
  }
  const text = i18n.coded("rule", `${error.code}.${error.param}`, error.data, "");
  if (text !== "") return text;
  const rule = `${error.rule[0]?.toUpperCase() ?? ""}${error.rule.slice(1)}`;
  return language === "en" ? `${rule}.` : rule;
}
