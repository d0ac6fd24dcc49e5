// Many tasks at once: how many there are first, then a question, then in pieces that the hub takes in one commit.

import { post } from "../lib/api.js";
import { counted } from "../lib/words.js";
import { attempt, confirm, say, sayHowFar } from "./dialog.js";

const PIECE = 1_000;

const WORDS = {
  retry: { title: "Retry", done: "queued again", text: "They are queued again and run as new attempts." },
  cancel: { title: "Cancel", done: "cancelled", text: "What runs is stopped; what waits never starts.", isGrave: true },
};

/** Retry or cancel all tasks that a filter selects; gives whether anything was done. */
export async function bulk(action, filter) {
  const { title, done, text, isGrave } = WORDS[action];
  // The hub takes no empty filter: who means everything says so.
  const terms = filter || "age>=0";
  const found = await attempt(() => inPieces({ action, filter: terms, count_only: true }, "matched"));
  if (found === undefined) return false;
  if (!found) {
    say(`No task here can be ${action === "retry" ? "retried" : "cancelled"}.`, "calm");
    return false;
  }
  const many = counted(found, "task");
  const where = filter ? ` that match ${filter}` : "";
  const isSure = await confirm({ title: `${title} ${many}?`, text: `${many}${where}. ${text}`, action: `${title} ${many}`, isGrave });
  if (!isSure) return false;
  const request = { action, filter: terms, count_only: false, limit: PIECE };
  return Boolean(await attempt(() => inPieces(request, "changed"), (n) => `${counted(n, "task")} ${done}.`));
}

/** Ask until the hub has looked at all, and add up what it says. What is submitted meanwhile is left alone. */
async function inPieces(request, what) {
  let sum = 0;
  let cursor = null;
  let unsay = () => {};
  try {
    do {
      const said = await post("/v1/tasks/bulk", { ...request, ...(cursor && { cursor }) });
      sum += said[what];
      cursor = said.cursor;
      unsay();
      if (cursor) unsay = sayHowFar(`${counted(sum, "task")} so far…`);
    } while (cursor);
  } finally {
    unsay();
  }
  return sum;
}
