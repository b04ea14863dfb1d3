/** Which screen is shown. It is the address's hash, so links, reloads and the back button work; anything unknown is home. */

export const screens = ["home", "dataset", "train", "test"] as const;
export type Screen = (typeof screens)[number];

/** The screen that a hash such as `#/test` names. */
export function screenOf(hash: string): Screen {
  const [name] = hash.replace(/^#\/?/, "").split(/[/?]/);
  return screens.find((screen) => screen === name) ?? "home";
}

/** The address of a screen, for links. */
export function hrefOf(screen: Screen): string {
  return screen === "home" ? "#/" : `#/${screen}`;
}

export class Route {
  #screen: Screen = $state(screenOf(location.hash));

  get screen(): Screen {
    return this.#screen;
  }

  /** Shows a screen and makes it an entry in the browser's history. */
  go(screen: Screen): void {
    if (screen === this.#screen) return;
    location.hash = hrefOf(screen);
    // The event comes later; what is shown must not wait for it.
    this.#screen = screen;
  }

  /** Takes a link's text out of the address and shows a screen instead; a reload does not open the link again. */
  replaceWith(screen: Screen): void {
    history.replaceState(history.state, "", hrefOf(screen));
    this.#screen = screen;
  }

  /** Call on every `hashchange`. */
  follow(): void {
    this.#screen = screenOf(location.hash);
  }
}
