/** The samples of the run on the screen: those that are there, and those that are being made. */
import type { SampleRecord } from "../../storage/database.ts";
import type { SamplingEvent } from "../../workers/train-protocol.ts";
import { addSample, followSampling } from "./sample-wall.ts";
import type { SamplingNow } from "./sample-wall.ts";

export class RunSamples {
  #pictures: readonly SampleRecord[] = $state.raw([]);
  #now: SamplingNow | undefined = $state.raw();
  #isAsked = $state(false);

  /** By step, then by prompt. */
  get pictures() {
    return this.#pictures;
  }
  get now() {
    return this.#now;
  }
  /** Of the samples being made, for a text. */
  get progress() {
    const { step = 0, prompts = [], index = undefined } = this.#now ?? {};
    const done = prompts.filter((prompt) => this.#pictures.some((picture) => picture.step === step && picture.index === prompt.index && prompt.index !== index));
    return { step, done: done.length, total: prompts.length };
  }
  /** Asked for by hand, and not begun yet. */
  get isAsked() {
    return this.#isAsked;
  }

  ask(): void {
    this.#isAsked = true;
  }

  follow(event: SamplingEvent): void {
    this.#isAsked = false;
    this.#now = followSampling(this.#now, event);
  }

  add(sample: SampleRecord): void {
    this.#pictures = addSample(this.#pictures, sample);
    // The picture stands in its place before the next one's first step is told.
    if (this.#now?.index === sample.index) this.#now = { ...this.#now, index: undefined };
  }

  /** What was being made will not come. */
  interrupt(): void {
    this.#now = undefined;
    this.#isAsked = false;
  }

  show(pictures: readonly SampleRecord[]): void {
    this.interrupt();
    this.#pictures = pictures;
  }
}
