// Dark or light: as the system says, until somebody says otherwise on this browser.

import { Store } from "./store.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

const current = () => root.dataset.theme ?? (system.matches ? "dark" : "light");

export const theme = new Store(current());

system.addEventListener("change", () => theme.set(current()));

export function toggleTheme() {
  root.dataset.theme = current() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("moorline-theme", root.dataset.theme);
  } catch {
    // It holds for as long as the page is open.
  }
  theme.set(current());
}

const probe = document.createElement("i");
probe.hidden = true;
root.append(probe);

/** Give a colour of the style sheet as a canvas takes it. */
export function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
