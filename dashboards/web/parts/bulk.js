// Many tasks or nodes at once: how many there are first, then a question. Tasks go in pieces that the hub takes in one
// commit, nodes one by one, since each is told by itself.

import { get, post, withQuery } from "../lib/api.js";
import { live } from "../lib/live.js";
import { count, counted } from "../lib/words.js";
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

// A page of nodes, as large as the hub gives one.
const NODES_PER_PAGE = 1_000;

// Nodes that are told at once, names that a question lists, and refusals that an answer tells of.
const TOLD_AT_ONCE = 6;
const NAMES_MAX = 6;
const REFUSALS_MAX = 3;

const NODE_WORDS = {
  cordon: { title: "Cordon", done: "cordoned", text: "They get nothing new; what they run goes on.", suits: ({ cordoned, state }) => !cordoned && state !== "gone" },
  uncordon: { title: "Uncordon", done: "uncordoned", text: "They get work again.", suits: ({ cordoned, state }) => cordoned || state === "draining" },
  drain: { title: "Drain", done: "told to drain", text: "They finish what they run, take nothing new, and leave.", suits: ({ state }) => state === "online", isGrave: true },
};

/** Cordon, uncordon or drain all nodes that a filter selects and that it would change; gives whether anything was done. */
export async function bulkNodes(action, filter) {
  const { title, done, text, suits, isGrave } = NODE_WORDS[action];
  const found = await attempt(() => nodesOf(filter));
  if (found === undefined) return false;
  const ids = found.filter(suits).map(({ id }) => id);
  if (!ids.length) {
    say(`No node here can be ${done}.`, "calm");
    return false;
  }
  const many = counted(ids.length, "node");
  const names = `${ids.slice(0, NAMES_MAX).join(", ")}${ids.length > NAMES_MAX ? ` and ${count(ids.length - NAMES_MAX)} more` : ""}`;
  const online = found.filter((node) => suits(node) && node.state === "online" && !node.cordoned).length;
  const isLast = action !== "uncordon" && online > 0 && online >= (live.value.stats?.nodes.online ?? Infinity);
  const warning = isLast ? " These are all nodes that are online: nothing new will run." : "";
  const isSure = await confirm({ title: `${title} ${many}?`, text: `${names}. ${text}${warning}`, action: `${title} ${many}`, isGrave: isGrave || isLast });
  if (!isSure) return false;
  await tellEach(ids, action, done);
  return true;
}

async function nodesOf(filter) {
  const found = [];
  let cursor = null;
  do {
    const page = await get(withQuery("/v1/nodes", { filter, limit: NODES_PER_PAGE, cursor }));
    found.push(...page.nodes);
    cursor = page.cursor;
  } while (cursor);
  return found;
}

/** Tell each, a few at once, and say how many took it and what the others said. */
async function tellEach(ids, action, done) {
  const waiting = [...ids];
  const refusals = [];
  let told = 0;
  let unsay = () => {};
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        await post(`/v1/nodes/${encodeURIComponent(id)}/${action}`);
        told += 1;
      } catch (error) {
        refusals.push(`${id}: ${error.message}`);
        // Whom the hub does not answer, or does not let, need not try the others.
        if (error.code === "away" || error.status === 401 || error.status === 403) waiting.length = 0;
      }
      unsay();
      unsay = waiting.length ? sayHowFar(`${count(told)} of ${counted(ids.length, "node")} so far…`) : () => {};
    }
  };
  await Promise.all(Array.from({ length: TOLD_AT_ONCE }, work));
  unsay();
  if (told === ids.length) return say(`${counted(told, "node")} ${done}.`);
  return say(`${count(told)} of ${counted(ids.length, "node")} ${done}. ${refusals.slice(0, REFUSALS_MAX).join("; ")}${refusals.length > REFUSALS_MAX ? "; …" : ""}`, "bad");
}
