/** Entry point of a cropping worker. */
import { expose } from "comlink";
import { originalOf } from "../storage/set-store.ts";
import { CropSession } from "./crop-session.ts";
import { decodeShown } from "./decode-shown.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
expose(new CropSession({ originalOf, decode: decodeShown }));
