// A value that changes, and everybody who looks at it.

import { useEffect, useState } from "../vendor/preact-htm.js";

export class Store {
  constructor(value) {
    this.value = value;
    this.watchers = new Set();
  }

  set(value) {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const watcher of [...this.watchers]) watcher(value);
  }

  /** Change some members of an object. */
  patch(members) {
    this.set({ ...this.value, ...members });
  }

  /** Be told of each change; gives what ends it. */
  watch(watcher) {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }
}

/** Draw again when what `pick` gives of a store changes. */
export function useStore(store, pick = (value) => value) {
  const [, redraw] = useState(0);
  const picked = pick(store.value);
  useEffect(() => {
    let last = pick(store.value);
    if (!Object.is(last, picked)) redraw((n) => n + 1);
    return store.watch((value) => {
      const next = pick(value);
      if (Object.is(next, last)) return;
      last = next;
      redraw((n) => n + 1);
    });
  }, [store]);
  return picked;
}
