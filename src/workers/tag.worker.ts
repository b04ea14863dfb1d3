/** Entry point of the tagging worker. */
import { expose } from "comlink";
import { decodePicture } from "./decode-picture.ts";
import { decodeShown } from "./decode-shown.ts";
import { hasTaggingGpu, loadRuntime, takeTaggingGpu } from "./tag-runtime.ts";
import { TagSession, type TagServices } from "./tag-session.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
const decode: TagServices["decode"] = (file, name, shown) =>
  shown === undefined ? decodePicture(file, name) : decodeShown(new Blob([file]), { name, ...shown });
expose(new TagSession({ hasGpu: hasTaggingGpu, takeGpu: takeTaggingGpu, loadRuntime, decode }));
