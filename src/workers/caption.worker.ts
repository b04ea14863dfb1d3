/** Entry point of the worker that runs people's patterns: some never end, and only a worker can be stopped. */
import { expose } from "comlink";
import { captionRewrite } from "../studio/caption-operations.ts";
import type { CaptionWorkerApi } from "./caption-protocol.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
const api: CaptionWorkerApi = {
  rewrite: (operation, captions) => captions.map(captionRewrite(operation, [])),
};
expose(api);
