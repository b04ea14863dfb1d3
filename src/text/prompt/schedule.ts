import { parseSchedule, type ScheduleNode } from "./schedule-parser.ts";

export interface ScheduledText {
  /** The text holds up to this step. */
  readonly until: number;
  readonly text: string;
}

/**
 * The texts of a prompt with `[before:after:when]` and `[a|b]`, in order of steps; the last one is until `steps`.
 * A `when` with a decimal point is a share of the steps, any other a number of steps.
 * @param steps evaluations of the model: the webui counts two a step for samplers that take two
 */
export function expandSchedule(text: string, steps: number): ScheduledText[] {
  const nodes = parseSchedule(text);
  if (nodes === undefined) return [{ until: steps, text }];
  return switchingSteps(nodes, steps).map((until) => ({ until, text: textAtStep(nodes, until, steps) }));
}

/**
 * The text in force at an evaluation of the model. Counted from 0 against limits counted from 1, as the webui does:
 * with `until` 3, the first four evaluations get the text.
 */
export function scheduledText(schedule: readonly ScheduledText[], evaluation: number): string {
  return (schedule.find(({ until }) => evaluation <= until) ?? schedule[0])!.text;
}

function switchingSteps(nodes: readonly ScheduleNode[], steps: number): number[] {
  const found = new Set([steps]);
  const pending = [...nodes];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (typeof node === "string") continue;
    if ("turns" in node) {
      for (let step = 1; step <= steps; step++) found.add(step);
      for (const turn of node.turns) for (const inner of turn) pending.push(inner);
    } else {
      const step = switchStep(node.when, steps);
      if (step >= 1) found.add(step);
      for (const inner of node.before) pending.push(inner);
      for (const inner of node.after) pending.push(inner);
    }
  }
  return [...found].sort((a, b) => a - b);
}

function switchStep(when: string, steps: number): number {
  return Math.min(steps, Math.trunc(when.includes(".") ? Number(when) * steps : Number(when)));
}

/** @param step from 1 */
function textAtStep(nodes: readonly ScheduleNode[], step: number, steps: number): string {
  let text = "";
  const pending = nodes.toReversed();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (typeof node === "string") {
      text += node;
      continue;
    }
    const chosen = "turns" in node
      ? node.turns[(step - 1) % node.turns.length]!
      : step <= switchStep(node.when, steps) ? node.before : node.after;
    for (let i = chosen.length - 1; i >= 0; i--) pending.push(chosen[i]!);
  }
  return text;
}
