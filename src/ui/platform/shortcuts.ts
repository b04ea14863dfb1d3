/** Single-key shortcuts, out of the way of typing, of the browser's own keys, and of open dialogs. */

const typing = "input:not([type='checkbox']):not([type='radio']):not([type='range']), select, textarea, [contenteditable]";

export function actOnKey(event: KeyboardEvent, actions: Readonly<Record<string, () => void>>): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
  if (event.target instanceof Element && event.target.closest(`${typing}, dialog`) !== null) return;
  const action = actions[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
}
