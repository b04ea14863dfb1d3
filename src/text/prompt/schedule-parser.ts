/** Part of a prompt: text, a choice by step, or texts in turn. */
export type ScheduleNode = string | ScheduleSwitch | ScheduleTurn;

/** `[before:after:when]`. */
export interface ScheduleSwitch {
  readonly before: readonly ScheduleNode[];
  readonly after: readonly ScheduleNode[];
  /** As typed: a number. */
  readonly when: string;
}

/** `[a|b|c]`. */
export interface ScheduleTurn {
  readonly turns: readonly (readonly ScheduleNode[])[];
}

interface OpenBracket {
  readonly bracket: "(" | "[";
  readonly sections: ScheduleNode[][];
  separator: ":" | "|" | undefined;
}

const tokenPattern = /[^\\[\]():|]+|\\[^\n]|[[\]():|]/g;
const numberPattern = /^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*$/i;

/**
 * Reads the scheduling of a prompt, in one pass without recursion. Brackets that belong to no schedule are text, as are
 * those that nothing closes. (With unbalanced brackets the webui takes a balanced `[a:b:3]` beside them for a schedule
 * or for text by the chance of its hash seed; here it is a schedule.)
 * @returns undefined where the webui's grammar has no reading at all (a `|` outside of `[…|…]`, a backslash at the end
 * of a line): the prompt is then used as typed
 */
export function parseSchedule(text: string): ScheduleNode[] | undefined {
  const tokens = text.match(tokenPattern) ?? [];
  if (tokens.reduce((sum, token) => sum + token.length, 0) !== text.length) return undefined;
  const root: ScheduleNode[] = [];
  const open: OpenBracket[] = [];
  const write = (node: ScheduleNode): void => append(open.at(-1)?.sections.at(-1) ?? root, node);
  for (const token of tokens) {
    const top = open.at(-1);
    switch (token) {
      case "(":
      case "[":
        open.push({ bracket: token, sections: [[]], separator: undefined });
        break;
      case ":":
      case "|":
        if (top !== undefined && takesSeparator(top, token)) {
          top.separator = token;
          top.sections.push([]);
        } else if (token === ":" && spill(open, root)) write(token);
        else return undefined;
        break;
      case ")":
      case "]": {
        const closed = closeBracket(top, token);
        if (closed !== undefined) {
          open.pop();
          closed.forEach(write);
        } else if (spill(open, root)) write(token);
        else return undefined;
        break;
      }
      default:
        write(token);
    }
  }
  return spill(open, root) ? root : undefined;
}

function takesSeparator(top: OpenBracket, separator: ":" | "|"): boolean {
  if (separator === "|") return top.bracket === "[" && top.separator !== ":";
  return top.separator !== "|" && top.sections.length < (top.bracket === "[" ? 3 : 2);
}

/** What a bracket amounts to when `token` closes it; undefined if it can't. */
function closeBracket(top: OpenBracket | undefined, token: ")" | "]"): ScheduleNode[] | undefined {
  if (top === undefined || (top.bracket === "(") !== (token === ")")) return undefined;
  if (top.bracket === "(" || top.separator === undefined) return [...asText(top), token];
  if (top.separator === "|") return [{ turns: top.sections }];
  const last = top.sections.at(-1)!;
  const when = last.every((node) => typeof node === "string") ? numberPattern.exec(last.join("")) : null;
  if (when === null) return undefined;
  const [before, after] = top.sections.length === 3 ? top.sections : [[], top.sections[0]];
  return [{ before: before!, after: after!, when: when[1]! }];
}

/** Makes everything open into text of the whole prompt; false if a `|` is in it, which can't be text. */
function spill(open: OpenBracket[], root: ScheduleNode[]): boolean {
  if (open.some(({ separator }) => separator === "|")) return false;
  for (const bracket of open) for (const node of asText(bracket)) append(root, node);
  open.length = 0;
  return true;
}

/** An opening bracket and what followed it. */
function asText({ bracket, sections }: OpenBracket): ScheduleNode[] {
  return [bracket, ...sections.flatMap((section, i) => (i === 0 ? section : [":", ...section]))];
}

/** Joins text with text, so that brackets in brackets don't make ever longer lists. */
function append(nodes: ScheduleNode[], node: ScheduleNode): void {
  const last = nodes.at(-1);
  if (typeof last === "string" && typeof node === "string") nodes[nodes.length - 1] = last + node;
  else nodes.push(node);
}
