// Each state is a glyph, a word and a tone; never a colour alone. Blue is well, orange is not.

const TASKS = {
  scheduled: ["◷", "calm"],
  queued: ["○", "calm"],
  running: ["▸", "busy"],
  succeeded: ["✓", "good"],
  failed: ["✕", "bad"],
  cancelled: ["⊘", "calm"],
  expired: ["◌", "warn"],
  lost: ["?", "bad"],
};

const NODES = {
  online: ["●", "good"],
  draining: ["◐", "busy"],
  unreachable: ["▲", "bad"],
  gone: ["✕", "calm"],
  cordoned: ["‖", "warn"],
};

const VERDICTS = {
  ok: ["●", "good", "OK"],
  degraded: ["▲", "warn", "Degraded"],
  critical: ["■", "bad", "Critical"],
};

const ALERTS = {
  pending: ["◔", "warn"],
  firing: ["▲", "bad"],
  resolved: ["✓", "good"],
  silenced: ["‖", "calm"],
};

// Those that a node can be in; cordoned it is beside them.
export const NODE_STATES = Object.keys(NODES).filter((state) => state !== "cordoned");
export const TASK_STATES = Object.keys(TASKS);

const looked = (table, state) => {
  const [glyph, tone, word] = table[state] ?? ["·", "calm"];
  return { glyph, tone, word: word ?? state };
};

export const taskState = (state) => looked(TASKS, state);
export const nodeState = (state) => looked(NODES, state);
export const verdict = (level) => looked(VERDICTS, level);
export const alertState = (state) => looked(ALERTS, state);

/** Say what happened, for any kind of event. */
export function eventState(kind) {
  const [topic, what] = kind.split(".");
  if (topic === "task") return TASKS[what] ? taskState(what) : { glyph: "·", tone: "calm", word: what };
  if (topic === "node") return nodeState(what);
  if (topic === "alert") return alertState(what);
  return { glyph: "·", tone: "calm", word: what ?? kind };
}
