/** What a run's log says of its samples. Each is a code with its English line; the page has its own words for it. */
import { serializeError } from "../errors.ts";
import type { LogEntry } from "./events.ts";
import type { PlannedSample, SamplePlan } from "./sample-plan.ts";

/** What will not be as the prompts ask for, known before the run. */
export function sampleNotes({ errors, refused, ignored, samples, smallerSize }: SamplePlan): LogEntry[] {
  const of = (line: number): string => `Line ${line} of sample_prompts`;
  return [
    ...errors.map(({ message }) => entry("warn", "samples.badLine", message, { reason: message })),
    ...refused.map(({ prompt: { line }, error: { message: reason } }) =>
      entry("warn", "samples.refused", `${of(line)} makes no samples: ${reason}`, { line, reason }),
    ),
    ...ignored.map(({ line, flag }) => entry("info", "samples.ignored", `${of(line)}: ${flag} has no effect here`, { line, flag })),
    ...samples
      .filter(({ plan }) => plan.script.loras.length > 0)
      .map(({ prompt: { line } }) =>
        entry("warn", "samples.lora", `${of(line)}: samples show the LoRA in training alone, so <lora:…> has no effect`, { line }),
      ),
    ...(smallerSize === undefined || samples.length === 0 ? [] : [smaller(smallerSize)]),
  ];
}

function smaller([width, height]: readonly [number, number]): LogEntry {
  const text = `Samples without --w and --h are ${width}x${height}, because no larger pictures are trained`;
  return entry("info", "samples.smaller", text, { width, height });
}

/** @param sample undefined where all samples of the step are meant */
export function sampleFailure(step: number, sample: PlannedSample | undefined, error: unknown): LogEntry {
  const reason = serializeError(error).message;
  if (sample === undefined) {
    return entry("warn", "samples.failed", `No samples of step ${step}: ${reason} Training goes on.`, { step, reason });
  }
  const { line } = sample.prompt;
  const text = `No sample of line ${line} at step ${step}: ${reason} Training goes on.`;
  return entry("warn", "samples.failedLine", text, { step, line, reason });
}

function entry(level: LogEntry["level"], code: string, text: string, data: NonNullable<LogEntry["data"]>): LogEntry {
  return { level, code, text, data };
}
