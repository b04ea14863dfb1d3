/** The page with a fake engine behind it: `/tests/ui-harness/?gpu=none|small|software`. Development only. */
import { mount } from "svelte";
import App from "../../src/ui/App.svelte";
import "../../src/ui/app.css";
import { App as AppState } from "../../src/ui/state/app.svelte.ts";
import { Preferences } from "../../src/ui/state/preferences.svelte.ts";
import { connectTrainWorker } from "../../src/workers/train-client.ts";

const url = new URL("./fake-train.worker.ts", import.meta.url);
const worker = new Worker(url, { type: "module", name: location.search.slice(1) });
const preferences = new Preferences();
await preferences.load();
mount(App, { target: document.querySelector("#app")!, props: { app: new AppState(connectTrainWorker(worker), preferences) } });
