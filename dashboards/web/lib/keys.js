// The keyboard: views by number, rows by j and k, and what a view adds.

import { go, link } from "./route.js";
import { Store } from "./store.js";

export const VIEWS = ["overview", "nodes", "tasks", "errors", "events", "alerts"];

export const isHelpOpen = new Store(false);

const own = new Map();

/** Let a view have a key while it is shown; gives what ends it. */
export function onKey(key, does) {
  own.set(key, does);
  return () => own.get(key) === does && own.delete(key);
}

export function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isTyping = event.target.closest?.("input, textarea, select");
    if (event.key === "Escape") leave(isTyping, event);
    else if (!isTyping && !document.querySelector("dialog[open]") && press(event)) event.preventDefault();
  });
}

function leave(field) {
  if (document.querySelector("dialog[open]")) return;
  if (field) field.blur();
  else if (document.activeElement?.matches("[data-row]")) document.activeElement.blur();
  else document.querySelector("[data-back]")?.click();
}

function press({ key, target }) {
  if (own.has(key)) return own.get(key)() !== false;
  if (/^[1-9]$/.test(key)) return visit(Number(key));
  switch (key) {
    case "/":
      return focus(document.querySelector("[data-filter]"));
    case "j":
    case "ArrowDown":
      return step(1);
    case "k":
    case "ArrowUp":
      return step(-1);
    case "Enter":
      return target.matches("[data-row]") && open(target);
    case "?":
      isHelpOpen.set(true);
      return true;
    default:
      return false;
  }
}

function visit(number) {
  const view = [...VIEWS, "audit"][number - 1];
  if (view) go(link(view));
  return Boolean(view);
}

function focus(element) {
  element?.focus();
  element?.select?.();
  return Boolean(element);
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return false;
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by));
  // Behind the last row an arrow scrolls on.
  if (next === at) return false;
  rows[next].focus();
  return true;
}

function open(row) {
  row.querySelector("a")?.click();
  return true;
}
