/** Samples of a run on disk, named as sd-scripts names them, with the webui's parameters inside. */
import { join } from "node:path";
import sharp from "sharp";
import { writePngText } from "../formats/png-text.ts";
import type { SamplePicture } from "../training/events.ts";
import { makeFolder, writeWhole } from "./write-file.ts";

export interface SampleFiles {
  /** The folder `sample` in it takes the pictures. */
  readonly out: string;
  /** output_name */
  readonly name: string;
}

/** @returns where the picture is. @throws InputError `file.cannotWrite` */
export async function writeSample({ out, name }: SampleFiles, picture: SamplePicture, now = new Date()): Promise<string> {
  const { width, height, rgba, infotext } = picture;
  const png = await sharp(rgba, { raw: { width, height, channels: 4 } }).removeAlpha().png().toBuffer();
  const folder = join(out, "sample");
  await makeFolder(folder);
  const path = join(folder, sampleFileName(name, picture, now));
  await writeWhole(path, writePngText(Uint8Array.from(png), "parameters", infotext));
  return path;
}

/** `smith_e000002_00_20260801120000_42.png`: an epoch's number or a step's, the prompt, local time, the prompt's own seed. */
export function sampleFileName(name: string, picture: Pick<SamplePicture, "step" | "epoch" | "index" | "seed" | "hasOwnSeed">, now: Date): string {
  const { step, epoch, index, seed, hasOwnSeed } = picture;
  const digits = (value: number, count: number): string => String(value).padStart(count, "0");
  const moment = epoch === undefined ? digits(step, 6) : `e${digits(epoch, 6)}`;
  const day = [now.getFullYear(), digits(now.getMonth() + 1, 2), digits(now.getDate(), 2)];
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map((part) => digits(part, 2));
  const stamp = [...day, ...time].join("");
  return `${[name, moment, digits(index, 2), stamp, ...(hasOwnSeed ? [seed] : [])].join("_")}.png`;
}
