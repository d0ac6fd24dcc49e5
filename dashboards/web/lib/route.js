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

addEventListener("hashchange", () => route.set(read()));

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
  history.replaceState(null, "", address);
  route.set(read());
  return undefined;
}
