/** Entry point of the worker that gets models into this browser. */
import { expose } from "comlink";
import { storedFolder } from "../storage/part-file.ts";
import { recordTagger } from "../storage/tagger-store.ts";
import { ModelStoreSession } from "./model-store-session.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
expose(new ModelStoreSession({ folder: storedFolder, fetch: (...request) => fetch(...request), record: recordTagger }));
