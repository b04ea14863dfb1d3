/** What the program tells while it works. All of it goes to stderr; stdout is for results. */

/** A line of information. */
export function say(text: string): void {
  clearLive();
  process.stderr.write(`${text}\n`);
}

export function warn(text: string): void {
  say(`warning: ${text}`);
}

let isLive = false;

/** Replaces the line that is being updated; only on a terminal. */
export function live(text: string): void {
  isLive = true;
  process.stderr.write(`\r${text.slice(0, (process.stderr.columns ?? 80) - 1)}\u001b[K`);
}

/** Removes the line that is being updated. */
export function clearLive(): void {
  if (isLive) process.stderr.write("\r\u001b[K");
  isLive = false;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Seconds as h:mm:ss or m:ss. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
