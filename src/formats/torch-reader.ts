/** The bytes end before what should be read; more of the file may help. */
export class EndOfBytes extends Error {}

/** Longest integer in bytes: PyTorch's mark at the start of old files has ten. */
const maxIntegerBytes = 64;
/** Longest name of a module or of what is in it. */
const maxLine = 1000;

/** Reads the values in a pickle one after the other; every method throws EndOfBytes where they end. */
export class ByteReader {
  position: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = position;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  /** Not exact beyond 2^53, where there is nothing to be read anyway. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** A whole number in two's complement, as a bigint where a number would not be exact. */
  integer(length: number): number | bigint {
    const bytes = this.bytes(length);
    if (length > maxIntegerBytes) return Number.NaN;
    let value = 0n;
    for (const [i, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * i);
    value = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Bytes that are no UTF-8 become replacement characters: in old files they occur in notes, not in names. */
  text(length: number): string {
    return this.#decoder.decode(this.bytes(length));
  }

  /** Up to the next line break; what is longer than a name can be counts as the end. */
  line(): string {
    const end = this.#bytes.subarray(0, this.position + maxLine).indexOf(0x0a, this.position);
    if (end < 0) throw new EndOfBytes();
    const text = this.text(end - this.position);
    this.position++;
    return text;
  }

  #take(length: number): number {
    const start = this.position;
    if (length > this.#bytes.length - start) throw new EndOfBytes();
    this.position += length;
    return start;
  }
}
