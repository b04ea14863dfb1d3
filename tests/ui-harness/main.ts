/** The page with fake engines behind it: `/tests/ui-harness/?gpu=none|small|software`. Development only. */
import { mount } from "svelte";
import App from "../../src/ui/App.svelte";
import "../../src/ui/app.css";
import { App as AppState } from "../../src/ui/state/app.svelte.ts";
import { Preferences } from "../../src/ui/state/preferences.svelte.ts";
import { connectGenerateWorker } from "../../src/workers/generate-client.ts";
import { connectTrainWorker } from "../../src/workers/train-client.ts";

const trainUrl = new URL("./fake-train.worker.ts", import.meta.url);
const trainWorker = new Worker(trainUrl, { type: "module", name: location.search.slice(1) });
const startGenerator = () =>
  connectGenerateWorker(new Worker(new URL("./fake-generate.worker.ts", import.meta.url), { type: "module" }));
const preferences = new Preferences();
await preferences.load();
const app = new AppState(connectTrainWorker(trainWorker), preferences, startGenerator);
mount(App, { target: document.querySelector("#app")!, props: { app } });
