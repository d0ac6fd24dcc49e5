// Questions before something is done, and short words after it.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";
import { Store, useStore } from "../lib/store.js";

const question = new Store(null);
const words = new Store([]);

// Long enough to be read twice.
const WORDS_MS = 6_000;
const WORDS_MAX = 3;

/**
 * Ask; gives whether to go on. `text` says what will happen, `action` is the word on the button; Enter presses it unless
 * it `isGrave`.
 */
export function confirm({ title, text, action, isGrave = false }) {
  return new Promise((resolve) => question.set({ title, text, action, isGrave, resolve }));
}

/** Say what was done, or what went wrong: that stays until somebody takes it away. */
export function say(text, tone = "good") {
  const word = { text, tone, isKept: tone === "bad" };
  words.set([...words.value, word].slice(-WORDS_MAX));
  if (!word.isKept) setTimeout(() => unsay(word), WORDS_MS);
}

const unsay = (word) => words.set(words.value.filter((other) => other !== word));

/** Say how far something is that takes long; gives what takes the words back. */
export function sayHowFar(text) {
  const word = { text, tone: "busy" };
  words.set([...words.value, word]);
  return () => unsay(word);
}

/** Do something that the hub may refuse, and say so if it does. Gives what it gave, or undefined. */
export async function attempt(does, done) {
  try {
    const said = await does();
    if (done) say(typeof done === "function" ? done(said) : done);
    return said;
  } catch (error) {
    say(error.remedy ? `${error.message}: ${error.remedy}` : error.message, "bad");
    return undefined;
  }
}

/** A modal dialog with what stands in it; `onClose` is called however it is left. */
export function Dialog({ title, onClose, children }) {
  const box = useRef();
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  return html`<dialog ref=${box} aria-label=${title} onClose=${onClose} onClick=${(event) => event.target === box.current && box.current.close()}>
    <div class="dialog">${children}</div>
  </dialog>`;
}

export function Questions() {
  const asked = useStore(question);
  if (!asked) return null;
  const answer = (isYes) => {
    asked.resolve(isYes);
    question.set(null);
  };
  return html`<${Dialog} title=${asked.title} onClose=${() => answer(false)}>
    <h2>${asked.title}</h2>
    <p>${asked.text}</p>
    <p class="buttons">
      <button autofocus=${asked.isGrave} onClick=${() => answer(false)}>Leave it</button>
      <button class=${asked.isGrave ? "grave" : "main"} autofocus=${!asked.isGrave} onClick=${() => answer(true)}>${asked.action}</button>
    </p>
  <//>`;
}

export function Words() {
  const said = useStore(words);
  return html`<div class="words" role="status">${said.map((word) => html`<p class=${word.tone}>${word.text}${word.isKept && html` <button class="plain" aria-label="Dismiss" onClick=${() => unsay(word)}>✕</button>`}</p>`)}</div>`;
}
