/** Samplers and their schedules by name: as requests and the command line hold them, and as the webui calls them. */

export const samplerNames = [
  "ddim", "euler", "euler_a", "heun", "dpmpp_2m", "dpmpp_sde", "dpmpp_2m_sde", "lcm",
] as const;
export type SamplerName = (typeof samplerNames)[number];

/** How the noise levels of a run are spaced. */
export const scheduleNames = ["uniform", "karras", "exponential", "sgm_uniform", "simple", "ddim"] as const;
export type ScheduleName = (typeof scheduleNames)[number];
/** `automatic` is what the webui takes for the sampler: see `automaticSchedules`. */
export type ScheduleChoice = ScheduleName | "automatic";

/** As the webui writes them in a picture's `parameters`; in the order in which they are offered. */
export const samplerLabels: Readonly<Record<SamplerName, string>> = {
  euler_a: "Euler a",
  euler: "Euler",
  dpmpp_2m: "DPM++ 2M",
  dpmpp_sde: "DPM++ SDE",
  dpmpp_2m_sde: "DPM++ 2M SDE",
  heun: "Heun",
  ddim: "DDIM",
  lcm: "LCM",
};

/** As the webui writes them in a picture's `parameters`; in the order in which they are offered. */
export const scheduleLabels: Readonly<Record<ScheduleChoice, string>> = {
  automatic: "Automatic",
  uniform: "Uniform",
  karras: "Karras",
  exponential: "Exponential",
  sgm_uniform: "SGM Uniform",
  simple: "Simple",
  ddim: "DDIM",
};

/** The schedule that the webui takes on *Automatic*; "own" where the sampler knows no other than its own. */
export const automaticSchedules = {
  euler_a: "uniform",
  euler: "uniform",
  dpmpp_2m: "karras",
  dpmpp_sde: "karras",
  dpmpp_2m_sde: "exponential",
  heun: "uniform",
  ddim: "own",
  lcm: "own",
} as const satisfies Readonly<Record<SamplerName, ScheduleName | "own">>;
