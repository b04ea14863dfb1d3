/** Entry point of the tagging worker. */
import { expose } from "comlink";
import { decodeShownPicture } from "./decode-picture.ts";
import { hasTaggingGpu, loadRuntime, takeTaggingGpu } from "./tag-runtime.ts";
import { TagSession } from "./tag-session.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
expose(new TagSession({ hasGpu: hasTaggingGpu, takeGpu: takeTaggingGpu, loadRuntime, decode: decodeShownPicture }));
