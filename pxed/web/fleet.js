// The fleet: counters that filter, a search, and a grid of which only the rows that are seen exist.

import { $, bytes, h, now, put, span } from "./dom.js";
import { GROUPS, SPEAKERS, stateOf } from "./rows.js";
import { fleet, listen } from "./store.js";

const OVERSCAN = 6; // rows above and below
const COLUMNS = [
  ["name", "Machine", "name"], ["stage", "Stage", "stage"], ["progress", "Download", null], ["since", "Since", "since"],
  ["profile", "Profile", "profile"], ["install", "Installation", "install"], ["verdict", "Verdict", "verdict"],
];
const WORDS = { idle: "never seen", unknown: "not listed" };

// Kept while other pages are shown, so that "back" comes back to the same place.
const kept = { group: "all", search: "", order: "", descending: false, active: null, top: 0 };

export function fleetPage(main) {
  const grid = new Grid();
  const counters = h("div", { class: "counters", role: "group", "aria-label": "Show only" });
  const search = h("input", {
    id: "search", type: "search", placeholder: "Name, MAC, serial, profile, verdict", "aria-label": "Search machines",
    "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false",
  });
  search.value = kept.search;
  search.addEventListener("input", () => { kept.search = search.value; grid.body.scrollTop = 0; update(); });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); grid.enter(); }
    if (event.key === "Escape" && search.value) {
      event.stopPropagation();
      search.value = kept.search = "";
      update();
    }
  });
  const count = h("span", { class: "count", role: "status" });
  const buttons = Object.fromEntries(GROUPS.map((group) => {
    const number = h("b", {}, "0");
    const button = h("button", { type: "button", class: "counter", "data-group": group }, number, h("span", {}, group));
    button.addEventListener("click", () => { kept.group = group; grid.body.scrollTop = 0; update(); });
    counters.append(button);
    return [group, { button, number }];
  }));

  function update() {
    const { rows } = fleet;
    for (const group of GROUPS) {
      const { button, number } = buttons[group];
      const text = String(rows.counts[group]);
      if (number.textContent !== text) number.textContent = text;
      button.setAttribute("aria-pressed", String(kept.group === group));
      button.classList.toggle("zero", rows.counts[group] === 0);
    }
    grid.show(rows, rows.find(kept.group, kept.search, kept.order, kept.descending));
    const shown = `${grid.view.length} of ${rows.list.length}`;
    if (count.textContent !== shown) count.textContent = shown;
  }
  grid.onorder = update;

  put(main, h("h1", { class: "sr" }, "Fleet"), h("div", { class: "tools" }, counters, h("div", { class: "find" }, search, count)),
    grid.element);
  main.classList.add("fills");
  grid.measure();
  update();
  grid.body.scrollTop = kept.top;
  grid.render();
  const ends = [listen("change", update), grid.watch()];
  return {
    title: "Fleet",
    focusSearch: () => { search.focus(); search.select(); },
    focus: () => grid.body.focus({ preventScroll: true }),
    end: () => { kept.top = grid.body.scrollTop; main.classList.remove("fills"); for (const end of ends) end(); },
  };
}

class Grid {
  constructor() {
    this.view = new Int32Array(0);
    this.rows = fleet.rows;
    this.pool = [];
    this.height = 34;
    this.onorder = () => {};
    this.spacer = h("div", { class: "spacer", role: "presentation" });
    this.body = h("div", {
      class: "rows", role: "grid", tabindex: "0", "aria-label": "Machines",
      "aria-describedby": "grid-help", "aria-colcount": COLUMNS.length,
    });
    this.nothing = h("p", { class: "empty", hidden: true });
    this.head = this.#head();
    this.body.append(this.head, this.spacer);
    this.element = h("div", { class: "grid" }, this.body, this.nothing,
      h("p", { id: "grid-help", class: "sr" }, "Arrow keys choose a machine, Enter opens it, slash goes to the search."));
    this.body.addEventListener("scroll", () => this.render(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("click", (event) => this.#click(event));
    this.body.addEventListener("focus", () => { if (this.#position() < 0) this.#choose(this.#top()); else this.render(); });
  }

  /** Takes the height of a row from the style sheet, which has another one on narrow screens. */
  measure() {
    this.height = parseFloat(getComputedStyle(this.body).getPropertyValue("--row")) || 34;
  }

  watch() {
    const observer = new ResizeObserver(() => { this.measure(); this.show(this.rows, this.view); });
    observer.observe(this.body);
    const timer = setInterval(() => this.render(), 1000);
    return () => { observer.disconnect(); clearInterval(timer); };
  }

  show(rows, view) {
    this.rows = rows;
    this.view = view;
    this.spacer.style.height = `${view.length * this.height}px`;
    this.body.setAttribute("aria-rowcount", String(view.length + 1));
    this.nothing.hidden = view.length > 0;
    if (!view.length) {
      this.nothing.textContent = !fleet.loaded ? "Loading the fleet."
        : rows.list.length ? "No machine fits." : "No machine is listed, and none was heard of yet.";
    }
    this.render();
  }

  render() {
    const first = Math.max(0, this.#top() - OVERSCAN);
    const seen = Math.ceil(this.body.clientHeight / this.height) + 2 * OVERSCAN;
    while (this.pool.length < seen) this.#more();
    const active = this.#position();
    let described = "";
    for (let slot = 0; slot < this.pool.length; slot += 1) {
      const at = first + ((slot - (first % this.pool.length) + this.pool.length) % this.pool.length);
      const line = this.pool[slot];
      if (at >= this.view.length || at >= first + seen) { line.hide(); continue; }
      line.draw(this.rows.list[this.view[at]], at, this.height, at === active);
      if (at === active) described = line.element.id;
    }
    if (described) this.body.setAttribute("aria-activedescendant", described);
    else this.body.removeAttribute("aria-activedescendant");
  }

  enter() {
    this.#choose(0);
    this.body.focus({ preventScroll: true });
  }

  #more() {
    const line = new Line(this.pool.length);
    this.pool.push(line);
    this.spacer.append(line.element);
  }

  #head() {
    const cells = COLUMNS.map(([css, label, key], at) => {
      if (!key) return h("div", { class: css, role: "columnheader", "aria-colindex": at + 1 }, label);
      const button = h("button", { type: "button" }, label);
      const cell = h("div", { class: css, role: "columnheader", "aria-colindex": at + 1, "data-key": key }, button);
      button.addEventListener("click", () => this.#order(key));
      return cell;
    });
    const head = h("div", { class: "head", role: "row", "aria-rowindex": "1" }, cells);
    return h("div", { role: "rowgroup" }, head);
  }

  #order(key) {
    if (kept.order !== key) { kept.order = key; kept.descending = key === "since"; }
    else if (kept.descending === (key === "since")) kept.descending = !kept.descending;
    else kept.order = "";
    for (const cell of this.head.querySelectorAll("[data-key]")) {
      if (cell.dataset.key === kept.order) cell.setAttribute("aria-sort", kept.descending ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    }
    this.onorder();
  }

  #top() {
    return Math.floor(this.body.scrollTop / this.height);
  }

  #position() {
    if (kept.active === null) return -1;
    const at = this.rows.index.get(kept.active);
    return at === undefined ? -1 : this.view.indexOf(at);
  }

  #choose(position) {
    if (!this.view.length) return;
    const at = Math.min(Math.max(0, position), this.view.length - 1);
    kept.active = this.rows.list[this.view[at]].name;
    const head = this.head.offsetHeight;
    const [top, bottom] = [at * this.height, (at + 1) * this.height];
    if (top < this.body.scrollTop) this.body.scrollTop = top;
    else if (bottom > this.body.scrollTop + this.body.clientHeight - head) {
      this.body.scrollTop = bottom - this.body.clientHeight + head;
    }
    this.render();
  }

  #key(event) {
    if (event.target !== this.body || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.body.clientHeight / this.height) - 2);
    const at = this.#position();
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity, j: at + 1, k: at - 1 };
    if (event.key in to) this.#choose(to[event.key]);
    else if (event.key === "Enter" && at >= 0) location.hash = machineHash(kept.active);
    else return;
    event.preventDefault();
  }

  #click(event) {
    const line = this.pool.find((one) => one.element.contains(event.target));
    if (!line || event.target.closest("a") || !line.row) return;
    kept.active = line.row.name;
    location.hash = machineHash(line.row.name);
  }
}

/** One row's elements, used again for other machines. */
class Line {
  constructor(slot) {
    this.row = null;
    this.said = {};
    this.cells = Object.fromEntries(COLUMNS.map(([css], at) => {
      return [css, h("div", { class: css, role: "gridcell", "aria-colindex": at + 1 })];
    }));
    this.link = h("a", { tabindex: "-1" });
    this.state = h("span", { class: "state" });
    this.cells.name.append(this.state, this.link);
    this.bar = h("span", { class: "fill" });
    this.percent = h("span", { class: "percent" });
    this.cells.progress.append(h("span", { class: "track", "aria-hidden": "true" }, this.bar), this.percent);
    this.element = h("div", { class: "row", role: "row", id: `row-${slot}`, hidden: true }, Object.values(this.cells));
  }

  hide() {
    if (this.row !== null) { this.row = null; this.element.hidden = true; }
  }

  draw(row, at, height, active) {
    const { element, cells } = this;
    if (this.row === null) element.hidden = false;
    this.row = row;
    const state = stateOf(row);
    this.#once("top", at * height, (top) => { element.style.transform = `translateY(${top}px)`; });
    this.#once("index", at + 2, (index) => element.setAttribute("aria-rowindex", index));
    this.#once("active", active, (on) => { element.classList.toggle("active", on); element.setAttribute("aria-selected", on); });
    this.#once("state", state, (name) => { element.dataset.state = name; });
    this.#once("severity", row.severity || "", (severity) => { element.dataset.severity = severity; });
    this.#once("name", row.name, (name) => { this.link.textContent = name; this.link.href = machineHash(name); });
    this.#once("word", WORDS[state] || state, (word) => { this.state.textContent = word; });
    this.#text("stage", row.stage ? `${row.stage}${row.speaker ? ` · ${SPEAKERS[row.speaker] || row.speaker}` : ""}` : "");
    this.#text("since", row.since ? span(now() - row.since) : "");
    this.#text("profile", row.profile || "");
    this.#text("install", row.install ? `${row.install}${row.held ? ", held" : ""}` : row.next ? `next: ${row.next}` : "");
    this.#text("verdict", row.verdict || "");
    this.#once("due", row.due ? `${row.sent} ${row.due}` : "", () => this.#progress(row));
    this.#once("title", row.verdict || "", (text) => { cells.verdict.title = text; });
  }

  #progress(row) {
    this.cells.progress.classList.toggle("none", !row.due);
    const share = row.due ? Math.min(1, row.sent / row.due) : 0;
    this.bar.style.transform = `scaleX(${share})`;
    this.percent.textContent = row.due ? `${Math.floor(share * 100)}% of ${bytes(row.due)}` : "";
  }

  #text(key, value) {
    this.#once(`text-${key}`, value, (text) => { this.cells[key].textContent = text; });
  }

  #once(key, value, change) {
    if (this.said[key] !== value) { this.said[key] = value; change(value); }
  }
}

export const machineHash = (name) => `#/machine/${encodeURIComponent(name)}`;

/** The number of machines that are not listed, in the bar. */
export function badge() {
  listen("change", () => {
    const count = fleet.rows.counts.unknown;
    $("unknown-count").hidden = !count;
    $("unknown-count").textContent = String(count);
  });
}
