/** Single-key shortcuts and sequences such as `g h`, out of the way of typing, of the browser's own keys, and of open dialogs. */

const typing = "input:not([type='checkbox']):not([type='radio']):not([type='range']), select, textarea, [contenteditable]";
/** The second key of a sequence must follow within this time. */
const sequenceMs = 1500;

let first: { readonly key: string; readonly at: number } | undefined;

/** Runs the action of a key, or of a sequence where the key completes one. Keys of sequences are separated by a space. */
export function actOnKey(event: KeyboardEvent, actions: Readonly<Record<string, () => void>>): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.defaultPrevented) return;
  if (event.target instanceof Element && event.target.closest(`${typing}, dialog`) !== null) return;
  const before = first !== undefined && event.timeStamp - first.at < sequenceMs ? `${first.key} ${event.key}` : "";
  const begins = Object.keys(actions).some((keys) => keys.startsWith(`${event.key} `));
  const action = actions[before] ?? actions[event.key];
  // A modifier pressed on its own is no key of a sequence.
  if (event.key.length === 1) first = actions[before] === undefined && begins ? { key: event.key, at: event.timeStamp } : undefined;
  if (action === undefined) return;
  event.preventDefault();
  action();
}
