import { createContext } from "svelte";
import type { App } from "./state/app.svelte.ts";

/** The App of this page, for every component below the root. */
export const [getApp, setApp] = createContext<App>();
