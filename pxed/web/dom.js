// Elements, and words for times and sizes. Text from outside goes in as text only: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

/** An element: h("p", {class: "x", onclick: f}, "text", child, ...). null, undefined and false are left out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Put these children in the place of all that an element has. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

let skew = 0; // seconds that the server's clock is ahead of ours

export function setClock(serverTime) {
  skew = serverTime - Date.now() / 1000;
}

export const now = () => Date.now() / 1000 + skew;

/** "4 s", "3 min", "5 h", "2 d" */
export function span(seconds) {
  const t = Math.max(0, seconds);
  if (t < 100) return `${Math.floor(t)} s`;
  if (t < 6000) return `${Math.floor(t / 60)} min`;
  if (t < 172800) return `${Math.floor(t / 3600)} h`;
  return `${Math.floor(t / 86400)} d`;
}

/** "0.20 s", "12.3 s", "4:05 min" */
export function exact(seconds) {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** "640 kB", in powers of 1000 */
export function bytes(count) {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) { value /= 1000; unit += 1; }
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** The time of day, with the day where it is not today's. */
export function clock(time) {
  if (!time) return "";
  const date = new Date(time * 1000);
  const two = (n) => String(n).padStart(2, "0");
  const hour = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const today = date.toDateString() === new Date(now() * 1000).toDateString();
  return today ? hour : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${hour}`;
}

export function timeTag(time) {
  return time ? h("time", { datetime: new Date(time * 1000).toISOString() }, clock(time)) : "";
}

/** Say something to screen readers, and show it where `say` is visible. */
export function announce(text) {
  $("say").textContent = text;
}

/** Copy a text. navigator.clipboard exists on https and localhost only: elsewhere by a selection. */
export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch { /* not allowed: try the other way */ }
  }
  const area = h("textarea", { class: "sr", readonly: true, "aria-hidden": "true", tabindex: "-1" });
  area.value = text;
  document.body.append(area);
  const before = document.activeElement;
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  return done;
}

/** A button that copies what `text` gives when it is pressed. */
export function copyButton(text, label) {
  const button = h("button", { type: "button", class: "small", "aria-label": label }, "Copy");
  button.addEventListener("click", async () => {
    const done = await copy(text());
    button.textContent = done ? "Copied" : "Select and copy by hand";
    announce(done ? "Copied" : "It could not be copied");
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  return button;
}

/** JSON of the API. Throws an Error whose message is the server's sentence. */
export async function get(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (!answer.ok) {
    const error = new Error((await answer.text()).trim() || `the server answered ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return answer.json();
}
