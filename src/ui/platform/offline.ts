/** Resolves when everything that the page is made of is kept in this browser, so that it opens without a network. */
export async function offlineReady(): Promise<void> {
  const { serviceWorker } = navigator;
  // Without one (an insecure address, a private window) it never happens.
  if (serviceWorker === undefined) return new Promise(() => undefined);
  await serviceWorker.ready;
}
