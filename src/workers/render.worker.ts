/** Entry point of the worker that draws pictures as they were cropped. */
import { expose } from "comlink";
import { renderPicture } from "./render-picture.ts";
import { carryTypedErrors } from "./typed-errors.ts";

carryTypedErrors();
expose({ renderPicture });
