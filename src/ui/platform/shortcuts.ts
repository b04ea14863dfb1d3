/** Single-key shortcuts and sequences such as `g h`, out of the way of typing, of the browser's own keys, and of open dialogs. */

const typing = "input:not([type='checkbox']):not([type='radio']):not([type='range']), select, textarea, [contenteditable]";
/** The second key of a sequence must follow within this time. */
const sequenceMs = 1500;

interface Press {
  readonly key: string;
  readonly at: number;
}

/** The latest key outside of text fields and the one before; several parts of the page look at the same event. */
let latest: { readonly event: KeyboardEvent; readonly before: Press | undefined } | undefined;

/** Runs the action of a key, or of a sequence where the key completes one. Keys of sequences are separated by a space. */
export function actOnKey(event: KeyboardEvent, actions: Readonly<Record<string, () => void>>): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.target instanceof Element && event.target.closest(`${typing}, dialog`) !== null) return;
  // A modifier pressed on its own is no key of a sequence.
  if (event.key.length === 1 && latest?.event !== event) {
    latest = { event, before: latest && { key: latest.event.key, at: latest.event.timeStamp } };
  }
  const { before } = latest ?? {};
  const isSequence = before !== undefined && event.timeStamp - before.at < sequenceMs;
  const action = (isSequence ? actions[`${before.key} ${event.key}`] : undefined) ?? actions[event.key];
  if (action === undefined || event.defaultPrevented) return;
  event.preventDefault();
  action();
}
