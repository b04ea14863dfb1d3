/** Entry point of the import worker. */
import { expose } from "comlink";
import { ImportSession } from "./import-session.ts";
import { lookAtPicture, sha256 } from "./look-at-picture.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
expose(new ImportSession({ hash: sha256, look: lookAtPicture }));
