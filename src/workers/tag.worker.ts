/** Entry point of the tagging worker. */
import { expose } from "comlink";
import { decodePicture } from "./decode-picture.ts";
import { loadRuntime, taggingProviders } from "./tag-runtime.ts";
import { TagSession } from "./tag-session.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
expose(new TagSession({ providers: taggingProviders, loadRuntime, decode: decodePicture }));
