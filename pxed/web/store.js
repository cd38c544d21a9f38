// The fleet as one array of rows, kept up to date by /api/v1/fleet/events. Pages hear of changes once a frame.

import { get, setClock } from "./dom.js";
import { Rows } from "./rows.js";

const SILENCE = 40000; // ms without even a heartbeat (each 15 s): the connection is dead
const MOST_DELAY = 10000; // ms between two tries
const UNSEEN = 20000; // ms that a hidden tab goes on

export const fleet = {
  rows: new Rows([]),
  profiles: [],
  state: "connecting", // live | connecting | lost | paused
  loaded: false,
};

const listeners = { change: new Set(), alert: new Set(), state: new Set() };
let changed = new Set(); // names since the last frame
let frame = 0;

/** Hear of "change" (a Set of names; null for all), "alert" (one), "state". Returns what ends it. */
export function listen(what, listener) {
  listeners[what].add(listener);
  return () => listeners[what].delete(listener);
}

function tell(what, ...values) {
  for (const listener of [...listeners[what]]) listener(...values);
}

function setState(state) {
  if (fleet.state === state) return;
  fleet.state = state;
  tell("state", state);
}

function note(names) {
  if (names === null) changed = null;
  else if (changed !== null) for (const name of names) changed.add(name);
  if (!frame) frame = requestAnimationFrame(flush);
}

function flush() {
  frame = 0;
  const names = changed;
  changed = new Set();
  tell("change", names);
}

let version = null; // of what we have; null: nothing yet
let broken = new AbortController(); // ends the stream that is open

/** Follow the fleet for ever. */
export async function follow() {
  let delay = 500;
  for (;;) {
    await seen();
    try {
      if (version === null) version = await load();
      await stream(() => { delay = 500; });
    } catch { /* the server is away, or restarts; or we ended it */ }
    if (document.hidden) { setState("paused"); continue; }
    setState("lost");
    await pause(delay * (0.75 + Math.random() / 2));
    delay = Math.min(MOST_DELAY, delay * 2);
  }
}

/** Try again at once when the network or the tab comes back. */
let wake = () => {};
function pause(ms) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    wake = () => { clearTimeout(timer); done(); };
  });
}

/** When the tab is seen. */
function seen() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) => { wake = done; });
}

// A browser has six connections for a host: tabs that nobody looks at, and pages kept for "back", hold none.
let unseen = 0;
document.addEventListener("visibilitychange", () => {
  clearTimeout(unseen);
  if (document.hidden) unseen = setTimeout(() => broken.abort(), UNSEEN);
  else wake();
});
window.addEventListener("pagehide", () => broken.abort());
window.addEventListener("pageshow", () => wake());
window.addEventListener("online", () => wake());

async function load() {
  const answer = await get("/api/v1/fleet");
  setClock(answer.time);
  fleet.rows = new Rows(answer.columns, answer.rows);
  fleet.profiles = answer.profiles || [];
  fleet.loaded = true;
  note(null);
  return answer.version;
}

/** Read changes until the stream ends; throws when it breaks. A reset means reading all anew, at once. */
async function stream(opened) {
  for (;;) {
    broken = new AbortController();
    let watch = setTimeout(() => broken.abort(), SILENCE);
    try {
      const answer = await fetch(`/api/v1/fleet/events?after=${version}`, {
        headers: { Accept: "text/event-stream" }, signal: broken.signal,
      });
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      setState("live");
      opened();
      let anew = false;
      for await (const message of messages(answer.body)) {
        clearTimeout(watch);
        watch = setTimeout(() => broken.abort(), SILENCE);
        if (message.event === "rows") version = apply(JSON.parse(message.data));
        else if (message.event === "alert") tell("alert", JSON.parse(message.data));
        else if (message.event === "reset") { anew = true; break; }
      }
      if (!anew) throw new Error("the stream ended");
      broken.abort();
      version = await load();
    } finally {
      clearTimeout(watch);
    }
  }
}

function apply(data) {
  for (const row of data.rows) fleet.rows.set(row);
  fleet.rows.remove(data.gone);
  note([...data.rows.map((row) => row[0]), ...data.gone]);
  return data.version;
}

/** Server-sent events (HTML Living Standard 9.2.6), comments among them, so that a heartbeat shows. */
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const message = { event: "message", data: "" };
      for (const line of block.split("\n")) {
        const cut = line.indexOf(": ");
        if (cut > 0) message[line.slice(0, cut)] = line.slice(cut + 2);
      }
      yield message;
    }
  }
}
