import { expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { codedEn } from "../../src/ui/i18n/coded-en.ts";
import { rateAdvice } from "../../src/config/advice.ts";

it.each([
  [{ optimizer_type: "AdamW", learning_rate: 1e-4 }, []],
  [{ optimizer_type: "Lion", learning_rate: 1e-3 }, ["rate.lion"]],
  [{ optimizer_type: "Lion8bit", learning_rate: 1e-3 }, ["rate.lion"]],
  [{ optimizer_type: "SGDNesterov", learning_rate: 1e-4 }, ["rate.sgd"]],
  [{ optimizer_type: "SGDNesterov8bit", learning_rate: 0.05 }, []],
  [{ optimizer_type: "Prodigy", learning_rate: 1 }, []],
  [{ optimizer_type: "Prodigy", learning_rate: 0.1 }, ["rate.adaptive"]],
  [{ optimizer_type: "DAdaptation", learning_rate: 1e-4 }, ["rate.adaptive"]],
  [{ optimizer_type: "Adafactor", learning_rate: 1e-4 }, ["rate.adafactor"]],
  [{ optimizer_type: "Adafactor", optimizer_args: ["relative_step=False"] }, ["rate.adafactorClip", "rate.adafactorScheduler"]],
  [
    { optimizer_type: "Adafactor", optimizer_args: ["relative_step=False"], max_grad_norm: 0, lr_scheduler: "constant_with_warmup" },
    [],
  ],
])("says of %j before a run what sd-scripts would log: %j", (values, codes) => {
  const advice = rateAdvice(parseConfig(values).config).map(({ code }) => code);
  expect(advice).toEqual(codes);
  for (const code of advice) expect(Object.keys(codedEn.advice)).toContain(code);
});
