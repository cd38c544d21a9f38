// One machine: why it is stuck, its boot as a waterfall, its history, what it would get, orders, what happened.

import { bytes, clock, copyButton, exact, get, h, now, put, span, timeTag } from "./dom.js";
import { askOrder, ORDERS } from "./orders.js";
import { SPEAKERS, stateOf } from "./rows.js";
import { fleet, listen } from "./store.js";
import { legend, stageTable, waterfall } from "./waterfall.js";

const AGAIN = 1000; // ms between two readings while it changes
const ARCHES = [["", "as it said last"], ["0", "BIOS"], ["7", "x64 UEFI"], ["11", "ARM64 UEFI"], ["27", "RISC-V 64 UEFI"]];

export function machinePage(main, name) {
  const view = new MachineView(name);
  put(main, view.element);
  view.start();
  return { title: name, focus: () => view.title.focus({ preventScroll: true }), end: () => view.end() };
}

class MachineView {
  constructor(name) {
    this.name = name;
    this.path = `/api/v1/machines/${encodeURIComponent(name)}`;
    this.machine = null;
    this.boots = [];
    this.chosen = ""; // the id of a boot of the past; "": the newest
    this.ends = [];
    this.opened = new Set();
    this.title = h("h1", { tabindex: "-1" }, name);
    this.parts = Object.fromEntries(["facts", "orders", "verdict", "boot", "history", "preview", "attempts", "alerts", "events"]
      .map((part) => [part, h("section", { class: part })]));
    const { facts, orders, verdict, boot, history, preview, attempts, alerts, events } = this.parts;
    this.element = h("div", { class: "machine" },
      h("div", { class: "head-line" }, h("a", { class: "back", href: "#/", "aria-label": "Back to the fleet" }, "‹ Fleet"), this.title, orders),
      facts, verdict, boot, h("div", { class: "columns" }, h("div", {}, preview, events), h("div", {}, history, attempts, alerts)));
    this.figure = h("div", { class: "figure" });
  }

  start() {
    this.#orders();
    this.#preview();
    this.read();
    this.ends.push(listen("change", (names) => {
      if (names !== null && !names.has(this.name)) return;
      if (this.machine) this.#facts();
      this.readSoon();
    }));
    const tick = setInterval(() => this.#tick(), 1000);
    const observer = new ResizeObserver(() => this.#draw());
    observer.observe(this.figure);
    this.ends.push(() => clearInterval(tick), () => observer.disconnect(), () => clearTimeout(this.timer));
  }

  end() {
    this.ended = true;
    for (const end of this.ends) end();
  }

  readSoon() {
    if (!this.timer) this.timer = setTimeout(() => { this.timer = 0; this.read(); }, AGAIN);
  }

  async read() {
    try {
      const [machine, { boots }] = await Promise.all([get(this.path), get(`${this.path}/boots?limit=50`)]);
      if (this.ended) return;
      this.machine = machine;
      this.boots = boots;
      this.show();
    } catch (error) {
      if (!this.ended && !this.machine) put(this.parts.facts, h("p", { class: "error", role: "alert" }, error.message));
    }
  }

  show() {
    this.#facts();
    this.#verdict();
    this.#boot();
    this.#history();
    this.#attempts();
    this.#alerts();
    this.#events();
  }

  get boot() {
    return this.boots.find((boot) => boot.id === this.chosen) || this.machine?.timeline || this.boots[0] || null;
  }

  #facts() {
    const { machine } = this;
    const row = fleet.rows.get(this.name);
    const boot = machine.timeline;
    const facts = [
      ["State", row ? h("span", { class: "state", "data-state": stateOf(row) }, stateOf(row)) : null],
      ["Profile", machine.profile], ["MAC", machine.macs.join(", ")], ["Serial", machine.serial], ["UUID", machine.uuid],
      ["Address", boot?.addresses.at(-1)], ["Interface", boot?.interface], ["Starts as", boot?.arch],
      ["Installation", installation(machine.install)], ["Next boot", machine.next ? `${machine.next.profile}, once` : null],
      ["Listed", machine.listed ? null : "no"],
    ];
    put(this.parts.facts, machine.summary ? h("p", { class: "summary" }, machine.summary) : null,
      h("dl", {}, facts.filter(([, value]) => value).map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)))));
  }

  #verdict() {
    const finding = this.chosen ? this.boot?.verdict : this.machine.verdict;
    const box = this.parts.verdict;
    box.hidden = !finding;
    if (!finding) return put(box);
    box.dataset.severity = finding.severity;
    const says = { stuck: "Stuck", warning: "Warning", info: "Note" };
    put(box,
      h("p", { class: "kind" }, `${says[finding.severity] || finding.severity} at ${finding.stage} for `, h("span", { class: "since" }, span(now() - finding.since))),
      h("h2", {}, finding.cause),
      h("div", {}, h("h3", {}, "Evidence"), h("ul", {}, finding.evidence.map((one) => h("li", {}, one)))),
      h("div", {}, h("h3", {}, "Remedy"), h("p", { class: "remedy" }, finding.remedy)));
    this.since = finding.since;
    return undefined;
  }

  #boot() {
    const { boot } = this;
    const part = this.parts.boot;
    if (!boot) return put(part, h("h2", {}, "Boot"), h("p", { class: "empty" }, "No boot of this machine was seen yet."));
    if (part.dataset.boot !== boot.id) {
      part.dataset.boot = boot.id;
      this.heading = h("h2", {});
      this.facts = h("p", { class: "muted" });
      this.legend = h("div");
      this.table = h("div");
      this.notes = h("div");
      put(part, this.heading, this.facts, this.legend, this.figure,
        h("details", {}, h("summary", {}, "The same as a table"), this.table), this.notes);
    }
    put(this.heading, this.chosen ? "Boot of " : "Boot, began ", timeTag(boot.began), " ", h("span", { class: "outcome" }, outcome(boot)));
    const facts = [boot.firmware, boot.loader, boot.image && `image ${boot.image} ${boot.version || ""}`, boot.way,
      boot.bytes ? `${bytes(boot.bytes)} sent` : "", boot.retransmits ? `${boot.retransmits} sent again` : "",
      boot.digest && `kernel ${boot.digest.slice(0, 12)}`];
    this.facts.textContent = facts.filter(Boolean).join(" · ");
    put(this.legend, legend(boot));
    const box = this.table.querySelector(".scroll");
    const [left, focused] = [box?.scrollLeft || 0, box !== null && box === document.activeElement];
    put(this.table, stageTable(boot));
    this.table.firstChild.scrollLeft = left;
    if (focused) this.table.firstChild.focus();
    put(this.notes, boot.notes.length ? [h("h3", {}, "Notes"), h("ul", { class: "log" }, boot.notes.map((note) =>
      h("li", {}, timeTag(note.time), " ", note.text)))] : null);
    this.#draw();
    return undefined;
  }

  #draw() {
    const { boot } = this;
    const width = Math.floor(this.figure.clientWidth);
    if (boot && width > 40) put(this.figure, waterfall(boot, width));
  }

  #tick() {
    const { boot } = this;
    if (boot && !boot.outcome && !boot.ended) this.#draw();
    const since = this.parts.verdict.querySelector(".since");
    if (since) since.textContent = span(now() - this.since);
  }

  #history() {
    if (this.boots.length < 2) return put(this.parts.history);
    const newest = this.boots[0].id;
    const items = this.boots.map((boot) => {
      const here = boot.id === (this.chosen || newest);
      const button = h("button", { type: "button", "aria-pressed": String(here), "data-id": boot.id },
        h("span", {}, clock(boot.began)), h("span", { class: "outcome" }, outcome(boot)),
        h("span", { class: "muted" }, boot.verdict ? boot.verdict.cause : `${boot.stage}, ${exact(boot.last - boot.began)}`));
      button.addEventListener("click", () => {
        this.chosen = boot.id === newest ? "" : boot.id;
        this.show();
        this.parts.history.querySelector(`[data-id="${CSS.escape(boot.id)}"]`)?.focus();
      });
      return h("li", {}, button);
    });
    return this.#keep(this.parts.history, "[data-id]", () => put(this.parts.history, h("h2", {}, "Boots"), h("ul", { class: "boots" }, items)));
  }

  /** Redraw a list without taking the focus from what is in it. */
  #keep(part, selector, draw) {
    const before = part.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    draw();
    if (before) [...part.querySelectorAll(selector)].find((one) => one.dataset.id === before)?.focus();
  }

  #attempts() {
    const rows = this.machine.attempts.map((one) => h("tr", {}, h("th", { scope: "row" }, one.number), h("td", {}, timeTag(one.began)),
      h("td", {}, one.outcome || "under way"), h("td", {}, one.version || ""), h("td", { class: "wide" }, one.reason || "")));
    put(this.parts.attempts, rows.length ? [h("h2", {}, "Attempts to install"), table(["No.", "Began", "Outcome", "Version", "Why"], rows)] : null);
  }

  #alerts() {
    const items = this.machine.alerts.map((one) => h("li", {}, timeTag(one.time), " ", h("b", {}, one.what), " ", one.text));
    put(this.parts.alerts, items.length ? [h("h2", {}, "Alerts"), h("ul", { class: "log" }, items)] : null);
  }

  #events() {
    const last = this.machine.events.at(-1)?.time;
    if (this.parts.events.dataset.last === String(last)) return;
    this.parts.events.dataset.last = String(last);
    const items = this.machine.events.slice(-100).reverse().map((one) => h("li", { class: one.level },
      timeTag(one.time), h("span", { class: "kind" }, one.kind), h("span", {}, one.text)));
    put(this.parts.events, h("h2", {}, "Events, newest first"), items.length ? h("ul", { class: "log events-log" }, items)
      : h("p", { class: "empty" }, "Nothing was heard of it since pxed started."));
  }

  #orders() {
    const buttons = ORDERS.map((order) => h("button", { type: "button", class: "small", onclick: () => askOrder(order, this.name, () => this.read()) }, order.label));
    put(this.parts.orders, h("div", { class: "buttons", role: "group", "aria-label": "Orders" }, buttons));
  }

  #preview() {
    const select = h("select", { id: "arch" }, ARCHES.map(([value, label]) => h("option", { value }, label)));
    const body = h("div");
    const button = h("button", { type: "button", class: "small" }, "Show");
    const load = async () => {
      try {
        const shown = await get(`${this.path}/preview${select.value ? `?arch=${select.value}` : ""}`);
        put(body, shown.problem ? h("p", { class: "error" }, shown.problem) : null,
          h("p", { class: "muted" }, [shown.profile ? `profile ${shown.profile}` : "no profile", shown.arch].join(" · ")),
          shown.cmdline ? code("Command line", shown.cmdline) : null, code("iPXE script", shown.script));
        button.textContent = "Read again";
      } catch (error) {
        put(body, h("p", { class: "error", role: "alert" }, error.message));
      }
    };
    button.addEventListener("click", load);
    select.addEventListener("change", load);
    put(this.parts.preview, h("h2", {}, "What it would get now"),
      h("p", { class: "buttons" }, h("label", { for: "arch" }, "Firmware "), select, button), body);
    load();
  }
}

function code(label, text) {
  return h("figure", {}, h("figcaption", {}, label, copyButton(() => text, `Copy: ${label}`)),
    h("pre", { tabindex: "0", role: "region", "aria-label": label }, text));
}

const ROLES = { THEAD: "rowgroup", TBODY: "rowgroup", TR: "row", TD: "cell" };

/** A table; where it is narrow its rows are stacked, which by style alone would take its meaning from it. */
export function table(heads, rows) {
  const element = h("table", { class: "stack", role: "table" },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col", role: "columnheader" }, head)))), h("tbody", {}, rows));
  for (const part of element.querySelectorAll("thead, tbody, tr, td")) part.setAttribute("role", ROLES[part.tagName]);
  for (const line of rows) [...line.cells].forEach((cell, at) => { cell.dataset.label = heads[at]; });
  for (const cell of element.querySelectorAll("tbody th")) cell.setAttribute("role", "rowheader");
  return h("div", { class: "scroll" }, element);
}

function installation(install) {
  if (!install) return null;
  const attempt = install.attempt ? `, attempt ${install.attempt}${install.attempts ? ` of ${install.attempts}` : ""}` : "";
  return `${install.state}${attempt}${install.held ? ", held" : ""}${install.reason ? `: ${install.reason}` : ""}`;
}

function outcome(boot) {
  return boot.outcome || (boot.ended ? "ended" : "under way");
}
