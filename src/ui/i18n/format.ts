/** Numbers as people read them, per language. Bytes are binary units, because GPU limits are. */

export class Formatter {
  readonly #locale: string;
  readonly #plain: Intl.NumberFormat;

  constructor(locale: string) {
    this.#locale = locale;
    this.#plain = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
  }

  number(value: number): string {
    return this.#plain.format(value);
  }

  percent(share: number): string {
    return new Intl.NumberFormat(this.#locale, { style: "percent", maximumFractionDigits: share < 0.1 ? 1 : 0 }).format(share);
  }

  /** Three significant digits, for losses and norms; a learning rate comes as 1e-4. */
  measure(value: number): string {
    if (!Number.isFinite(value)) return "–";
    if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(2).replace(/\.?0+e/, "e");
    return new Intl.NumberFormat(this.#locale, { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }).format(value);
  }

  /** A learning rate: 1e-4, and 0 where there is none. */
  rate(value: number): string {
    return value === 0 ? "0" : this.measure(value);
  }

  /** A mark on an axis: as short as it can be. */
  mark(value: number): string {
    if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(0);
    return new Intl.NumberFormat(this.#locale, { maximumSignificantDigits: 3 }).format(value);
  }

  /** 1.2 B, 860 M; Chinese counts in 亿 and 万. */
  compact(value: number): string {
    return new Intl.NumberFormat(this.#locale, { notation: "compact", maximumSignificantDigits: 3 }).format(value);
  }

  /** Whole MiB up to 10 GiB, so that parts can be compared and added; KiB below one. */
  mebibytes(bytes: number): string {
    const mebi = bytes / 2 ** 20;
    if (mebi >= 10 || bytes === 0) return `${this.number(Math.round(mebi))}\u00a0MiB`;
    if (mebi >= 0.1) return `${new Intl.NumberFormat(this.#locale, { maximumFractionDigits: 1 }).format(mebi)}\u00a0MiB`;
    return `${this.number(Math.ceil(bytes / 1024))}\u00a0KiB`;
  }

  /** The unit that gives a short number. */
  bytes(bytes: number): string {
    const gibi = bytes / 2 ** 30;
    return gibi >= 1 ? `${this.number(gibi)}\u00a0GiB` : this.mebibytes(bytes);
  }

  flops(count: number): string {
    const units = ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"];
    const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
    return `${new Intl.NumberFormat(this.#locale, { maximumSignificantDigits: 3 }).format(count / 1000 ** power)}\u00a0${units[power]}`;
  }

  /** The two largest units that matter: 1h 4m, 6m 26s, 1.3s. */
  duration(ms: number): string {
    if (ms > 0 && ms < 100) return this.#unit(ms, "millisecond", ms < 10 ? 1 : 0);
    const seconds = ms / 1000;
    if (seconds < 10) return this.#unit(seconds, "second", seconds < 1 ? 2 : 1);
    const whole = Math.round(seconds);
    if (whole < 60) return this.#unit(whole, "second");
    const [large, small, size] = whole < 3600 ? (["minute", "second", 60] as const) : (["hour", "minute", 3600] as const);
    const rest = Math.floor((whole % size) / (size / 60));
    const first = this.#unit(Math.floor(whole / size), large);
    return rest === 0 ? first : `${first} ${this.#unit(rest, small)}`;
  }

  date(ms: number): string {
    return new Intl.DateTimeFormat(this.#locale, { dateStyle: "medium", timeStyle: "short" }).format(ms);
  }

  #unit(value: number, unit: "millisecond" | "second" | "minute" | "hour", digits = 0): string {
    const format = { style: "unit", unit, unitDisplay: "narrow", maximumFractionDigits: digits } as const;
    return new Intl.NumberFormat(this.#locale, format).format(value);
  }
}
