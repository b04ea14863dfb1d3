/** Starts the page: the worker, the stored preferences, the app. */
import { mount } from "svelte";
import { registerSW } from "virtual:pwa-register";
import App from "./ui/App.svelte";
import "./ui/app.css";
import { App as AppState } from "./ui/state/app.svelte.ts";
import { Preferences } from "./ui/state/preferences.svelte.ts";
import { startGenerateWorker } from "./workers/generate-client.ts";
import { startTrainWorker } from "./workers/train-client.ts";

const preferences = new Preferences();
await preferences.load();
const app = new AppState(startTrainWorker(), preferences, startGenerateWorker);
mount(App, { target: document.querySelector("#app")!, props: { app } });

// An update is offered, never forced: a reload in mid-run costs the steps since the last checkpoint.
const applyUpdate = registerSW({ onNeedRefresh: () => app.offerNewVersion(() => void applyUpdate(true)) });
