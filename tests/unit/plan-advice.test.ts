import { expect, it } from "vitest";
import { parseConfig } from "../../src/config/config.ts";
import { noiseAdvice } from "../../src/config/advice.ts";

it.each([
  [{}, []],
  [{ zero_terminal_snr: true }, ["noise.zeroTerminal"]],
  [{ zero_terminal_snr: true, v_parameterization: true }, []],
  [{ noise_offset: 0.1, multires_noise_iterations: 6 }, ["noise.twice"]],
  [{ min_snr_gamma: 5, debiased_estimation_loss: true }, ["noise.weighsTwice"]],
])("advises on noise and loss: %j", (settings, codes) => {
  expect(noiseAdvice(parseConfig(settings).config).map(({ code }) => code)).toEqual(codes);
});
