// Where the page is: the part of the address behind `#`, so that each view, filter and page can be sent to somebody.

import { Store } from "./store.js";

function read() {
  const [path, query = ""] = location.hash.replace(/^#/, "").split("?");
  const steps = path.split("/").filter(Boolean).map(decode);
  return { view: steps[0] ?? "overview", id: steps[1] ?? "", query: Object.fromEntries(new URLSearchParams(query)) };
}

function decode(step) {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

export const route = new Store(read());

// How far down each address was when it was left, and what was shown before this.
const PLACES_MAX = 50;
const places = new Map();
let previous = null;

addEventListener("hashchange", ({ oldURL, newURL }) => {
  places.set(oldURL, scrollY);
  if (places.size > PLACES_MAX) places.delete(places.keys().next().value);
  const [before, now] = [route.value, read()];
  previous = before;
  route.set(now);
  // Who goes back finds the place where they were; what is new begins at its top.
  const isReturn = Boolean(history.state?.isSeen);
  history.replaceState({ isSeen: true }, "");
  const isOther = before.view !== now.view || before.id !== now.id || before.query.cursor !== now.query.cursor;
  if (isReturn || isOther) requestAnimationFrame(() => scrollTo(0, isReturn ? (places.get(newURL) ?? 0) : 0));
});
history.scrollRestoration = "manual";
history.replaceState({ isSeen: true }, "");

/** Leave a detail for its list: the one that one came from with its filter and place, or the whole. */
export function goBack() {
  const { view } = route.value;
  if (previous?.view === view && !previous.id) history.back();
  else go(link(view));
}

/** Give the address of a view. */
export function link(view, id = "", query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const text = new URLSearchParams(kept).toString();
  return `#/${view}${id ? `/${encodeURIComponent(id)}` : ""}${text ? `?${text}` : ""}`;
}

export function go(address) {
  location.hash = address;
}

/** Change some parameters of the view; `replace`: without a step in the history. */
export function setQuery(changes, { replace = false } = {}) {
  const { view, id, query } = route.value;
  const address = link(view, id, { ...query, ...changes });
  if (!replace) return go(address);
  history.replaceState({ isSeen: true }, "", address);
  route.set(read());
  return undefined;
}
