/** Version of this program, as its package has it. */
import { version } from "../package.json";

export { version };

/** How written files name the program that made them. */
export const implementation = `lorasmith/${version}`;
