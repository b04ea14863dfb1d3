/**
 * Reads pickles as data. A pickle is a program for a small stack machine that may name any function and have it called;
 * this machine knows the instructions that files of weights use, makes containers and descriptions of tensors, and
 * calls nothing.
 */
import { callGlobal, storageOf } from "./torch-globals.ts";
import type { PyDict, PyValue } from "./torch-values.ts";
import { ForeignObject, PyGlobal, torchError, TorchStorage } from "./torch-values.ts";
import { ByteReader } from "./torch-reader.ts";

/** Far above what any model needs: a checkpoint's own is below a megabyte. */
export const maxPickleBytes = 64 * 2 ** 20;
const maxValues = 1_000_000;
const maxWork = 5_000_000;

export interface Unpickled {
  readonly value: PyValue;
  /** Position behind the pickle. */
  readonly end: number;
  /** All storages that it refers to. */
  readonly storages: ReadonlyMap<string, TorchStorage>;
  /** What Python would have called besides the functions known here. */
  readonly foreign: ReadonlySet<string>;
}

/**
 * Reads one pickle from `start`.
 * @throws EndOfBytes when `bytes` end before it does
 * @throws InputError `torch.corrupt`, `torch.unsupported`, `torch.unsafe`, `torch.limit`
 */
export function unpickle(file: string, bytes: Uint8Array, start: number): Unpickled {
  return new Unpickler(file, new ByteReader(bytes, start)).run();
}

class Unpickler {
  readonly #file: string;
  readonly #input: ByteReader;
  readonly #stack: PyValue[] = [];
  /** Heights of the stack. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PyValue>();
  readonly #storages = new Map<string, TorchStorage>();
  readonly #foreign = new Set<string>();
  /** Instructions, and items that they went through. */
  #work = 0;

  constructor(file: string, input: ByteReader) {
    this.#file = file;
    this.#input = input;
  }

  run(): Unpickled {
    for (;;) {
      const opcode = this.#input.u8();
      if (opcode === STOP) {
        const value = this.#pop();
        return { value, end: this.#input.position, storages: this.#storages, foreign: this.#foreign };
      }
      const literal = this.#literal(opcode);
      if (literal !== undefined) this.#push(literal);
      else this.#act(opcode);
      this.#work++;
      if (this.#stack.length + this.#marks.length + this.#memo.size > maxValues || this.#work > maxWork) {
        throw torchError(this.#file, "limit", "holds more objects than a model can have");
      }
    }
  }

  /** The value of an instruction that needs nothing but the bytes behind it. */
  #literal(opcode: number): PyValue | undefined {
    const input = this.#input;
    switch (opcode) {
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4b: // BININT1
        return input.u8();
      case 0x4d: // BININT2
        return input.u16();
      case 0x4a: // BININT
        return input.i32();
      case 0x8a: // LONG1
        return input.integer(input.u8());
      case 0x47: // BINFLOAT
        return input.f64();
      case 0x8c: // SHORT_BINUNICODE
        return input.text(input.u8());
      case 0x58: // BINUNICODE
        return input.text(input.u32());
      case 0x8d: // BINUNICODE8
        return input.text(input.u64());
      case 0x55: // SHORT_BINSTRING
        return input.text(input.u8());
      case 0x54: // BINSTRING
        return input.text(input.u32());
      case 0x43: // SHORT_BINBYTES
        return input.bytes(input.u8());
      case 0x42: // BINBYTES
        return input.bytes(input.u32());
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return input.bytes(input.u64());
      case 0x29: // EMPTY_TUPLE
      case 0x5d: // EMPTY_LIST
        return [];
      case 0x7d: // EMPTY_DICT
        return new Map();
      case 0x8f: // EMPTY_SET
        return new ForeignObject("builtins.set");
      case 0x63: // GLOBAL
        return globalOf(input.line(), input.line());
      default:
        return undefined;
    }
  }

  #act(opcode: number): void {
    const input = this.#input;
    switch (opcode) {
      case 0x80: // PROTO
        input.u8();
        return;
      case 0x95: // FRAME
        input.u64();
        return;
      case 0x28: // MARK
        this.#marks.push(this.#stack.length);
        return;
      case 0x30: // POP
        this.#pop();
        return;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        this.#push(this.#popMany(opcode - 0x84));
        return;
      case 0x74: // TUPLE
      case 0x6c: // LIST
        this.#push(this.#popMark());
        return;
      case 0x64: // DICT
        this.#push(this.#fill(new Map(), this.#popMark()));
        return;
      case 0x91: // FROZENSET
        this.#popMark();
        this.#push(new ForeignObject("builtins.frozenset"));
        return;
      case 0x61: // APPEND
        this.#append(this.#popMany(1));
        return;
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        this.#append(this.#popMark());
        return;
      case 0x73: // SETITEM
        this.#setItems(this.#popMany(2));
        return;
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        return;
      case 0x71: // BINPUT
        this.#memo.set(input.u8(), this.#top());
        return;
      case 0x72: // LONG_BINPUT
        this.#memo.set(input.u32(), this.#top());
        return;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 0x68: // BINGET
        this.#recall(input.u8());
        return;
      case 0x6a: // LONG_BINGET
        this.#recall(input.u32());
        return;
      case 0x93: { // STACK_GLOBAL
        const [module, name] = this.#popMany(2);
        if (typeof module !== "string" || typeof name !== "string") throw this.#corrupt();
        this.#push(globalOf(module, name));
        return;
      }
      case 0x52: // REDUCE
      case 0x81: // NEWOBJ
        this.#call(this.#popMany(2));
        return;
      case 0x92: // NEWOBJ_EX: class, arguments, named arguments
        this.#call(this.#popMany(3));
        return;
      case 0x62: // BUILD
        this.#build(this.#pop());
        return;
      case 0x51: // BINPERSID
        this.#push(this.#storage(this.#pop()));
        return;
      default: {
        const hex = `0x${opcode.toString(16).padStart(2, "0")}`;
        throw torchError(this.#file, "corrupt", `has the instruction ${hex}, which no file of weights needs`, { opcode });
      }
    }
  }

  #push(value: PyValue): void {
    this.#stack.push(value);
  }

  #pop(): PyValue {
    return this.#popMany(1)[0]!;
  }

  /** The topmost values above the last mark, in the order in which they were pushed. */
  #popMany(count: number): PyValue[] {
    const from = this.#stack.length - count;
    if (from < (this.#marks.at(-1) ?? 0)) throw this.#corrupt();
    return this.#stack.splice(from);
  }

  #popMark(): PyValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#corrupt();
    return this.#stack.splice(mark);
  }

  #top(): PyValue {
    const value = this.#stack.at(-1);
    if (value === undefined || this.#stack.length === (this.#marks.at(-1) ?? 0)) throw this.#corrupt();
    return value;
  }

  #recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#corrupt();
    this.#push(value);
  }

  #append(items: readonly PyValue[]): void {
    const target = this.#top();
    // What a foreign object collects is of no interest.
    if (target instanceof ForeignObject) return;
    if (!Array.isArray(target)) throw this.#corrupt();
    for (const item of items) target.push(item);
  }

  #setItems(items: readonly PyValue[]): void {
    const target = this.#top();
    if (target instanceof ForeignObject) return;
    if (!(target instanceof Map)) throw this.#corrupt();
    this.#fill(target, items);
  }

  #fill(target: PyDict, items: readonly PyValue[]): PyDict {
    if (items.length % 2 !== 0) throw this.#corrupt();
    for (let i = 0; i < items.length; i += 2) target.set(items[i]!, items[i + 1]!);
    return target;
  }

  #call([callee, args, named]: readonly PyValue[]): void {
    if (!Array.isArray(args)) throw this.#corrupt();
    for (const arg of args) if (Array.isArray(arg)) this.#work += arg.length;
    if (callee instanceof PyGlobal && !(named instanceof Map && named.size > 0)) {
      const made = callGlobal(this.#file, callee, args);
      if (made instanceof ForeignObject) this.#foreign.add(made.path);
      this.#push(made);
      return;
    }
    if (!(callee instanceof PyGlobal || callee instanceof ForeignObject)) throw this.#corrupt();
    this.#foreign.add(callee.path);
    this.#push(new ForeignObject(callee.path));
  }

  /** State counts for foreign objects alone; an OrderedDict's holds notes about versions. */
  #build(state: PyValue): void {
    const target = this.#top();
    if (target instanceof ForeignObject) target.state = state;
  }

  #storage(id: PyValue): TorchStorage {
    const storage = storageOf(this.#file, id);
    const known = this.#storages.get(storage.key);
    if (known === undefined) {
      this.#storages.set(storage.key, storage);
      return storage;
    }
    if (known.dtype !== storage.dtype || known.byteLength !== storage.byteLength) throw this.#corrupt();
    return known;
  }

  #corrupt(): Error {
    return torchError(this.#file, "corrupt", `has a description of its tensors that breaks off at byte ${this.#input.position}`);
  }
}

const STOP = 0x2e;

/** Python 2 had another name for the built-in functions. */
function globalOf(module: string, name: string): PyGlobal {
  return new PyGlobal(`${module === "__builtin__" ? "builtins" : module}.${name}`);
}
