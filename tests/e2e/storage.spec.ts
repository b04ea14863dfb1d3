/** What earlier versions of the page have stored must open in this one. */
import { expect, test } from "playwright/test";

test("a database of the first version keeps its data and gains the stores for pictures and saved files", async ({ page }) => {
  await page.route("**/empty", (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
  await page.goto("/empty");
  await page.evaluate(async () => {
    await new Promise<void>((resolve) => {
      const opening = indexedDB.open("lorasmith", 1);
      opening.addEventListener("upgradeneeded", () => {
        const db = opening.result;
        db.createObjectStore("runs", { keyPath: "id" });
        db.createObjectStore("runPoints", { keyPath: ["runId", "index"] });
        db.createObjectStore("checkpoints", { keyPath: ["runId", "step"] });
        db.createObjectStore("results", { keyPath: "runId" });
        db.createObjectStore("settings").put("kept", "of version 1");
        db.createObjectStore("datasets", { keyPath: "id" });
        db.createObjectStore("datasetFiles", { keyPath: ["datasetId", "path"] });
        db.createObjectStore("logs", { autoIncrement: true }).createIndex("runId", "runId");
      });
      opening.addEventListener("success", () => {
        opening.result.close();
        resolve();
      });
    });
  });
  await page.goto("/");
  const look = () =>
    page.evaluate(async () => {
      const [known] = await indexedDB.databases();
      if ((known?.version ?? 1) < 2) return undefined;
      const db = await new Promise<IDBDatabase>((resolve) => {
        const opening = indexedDB.open("lorasmith");
        opening.addEventListener("success", () => resolve(opening.result));
      });
      const kept = await new Promise((resolve) => {
        const reading = db.transaction("settings").objectStore("settings").get("of version 1");
        reading.addEventListener("success", () => resolve(reading.result));
      });
      const stores = [...db.objectStoreNames];
      db.close();
      return { kept, stores };
    });
  await expect.poll(look).toMatchObject({ kept: "kept" });
  expect((await look())?.stores).toEqual(expect.arrayContaining(["pictureFiles", "pictures", "provenance", "saves", "settings"]));
});
