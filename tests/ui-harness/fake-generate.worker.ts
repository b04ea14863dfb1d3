import { expose } from "comlink";
import { carryTypedErrors } from "../../src/workers/typed-errors.ts";
import { FakeGenerator } from "./fake-generator.ts";

carryTypedErrors();
expose(new FakeGenerator());
