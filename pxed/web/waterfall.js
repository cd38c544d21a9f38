// One boot over time: its stages as bars, below them how fast bytes went. SVG for the eye, a table for everybody.

import { bytes, clock, exact, h, now, s } from "./dom.js";
import { SPEAKERS } from "./rows.js";

const LINE = 24; // px of one bar's line
const CHART = 84; // px of the throughput
const AXIS = 20;
const RIGHT = 14;

/** The figure of a boot as it fits into `width` px. */
export function waterfall(boot, width) {
  const narrow = width < 560;
  const left = narrow ? 92 : 148;
  const began = boot.began;
  const end = Math.max(boot.ended || 0, boot.last, ...boot.spans.map((span) => span.ended || span.began));
  const open = !boot.outcome && !boot.ended;
  const length = Math.max(0.5, (open ? Math.max(end, Math.min(now(), end + 120)) : end) - began);
  const x = (time) => left + ((time - began) / length) * (width - left - RIGHT);
  const chart = boot.samples.length > 1;
  const bottom = AXIS + boot.spans.length * LINE + 4;
  const height = bottom + (chart ? CHART + 10 : 0);
  const svg = s("svg", {
    class: "waterfall", viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": `${boot.spans.length} stages in ${exact(length)}; the table below has the same`,
  });
  svg.append(...axis(length, x, began, height));
  boot.spans.forEach((span, at) => svg.append(bar(span, at, { x, left, width, narrow, until: began + length })));
  if (chart) svg.append(...throughput(boot, x, bottom + 10, left, width));
  return svg;
}

function axis(length, x, began, height) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];
  const step = steps.find((one) => length / one <= 7) || length / 5;
  const parts = [];
  for (let at = 0; at <= length + 1e-6; at += step) {
    const place = x(began + at);
    const label = step < 1 ? `${at.toFixed(1)} s` : step < 60 ? `${Math.round(at)} s` : exact(at);
    parts.push(s("line", { class: "tick", x1: place, x2: place, y1: AXIS - 4, y2: height }),
      s("text", { class: "axis", x: place, y: 11, "text-anchor": at ? "middle" : "start" }, label));
  }
  return parts;
}

function bar(span, at, { x, left, width, narrow, until }) {
  const y = AXIS + at * LINE;
  const ended = span.ended || until;
  const from = x(span.began);
  const size = Math.max(3, x(ended) - from);
  const group = s("g", { class: `bar ${span.speaker}${span.ok ? "" : " bad"}${span.ended ? "" : " open"}` });
  group.append(s("title", {}, words(span)));
  group.append(s("text", { class: "stage", x: 0, y: y + 15 }, span.stage));
  if (!narrow) group.append(s("text", { class: "who", x: left - 10, y: y + 15, "text-anchor": "end" }, SPEAKERS[span.speaker] || ""));
  group.append(s("rect", { class: "line", x: left, y: y + 4, width: width - left - RIGHT, height: LINE - 8 }));
  group.append(s("rect", { class: "body", x: from, y: y + 4, width: size, height: LINE - 8, rx: 2 }));
  if (span.due && !span.ended) {
    const share = Math.min(1, span.bytes / span.due);
    group.append(s("rect", { class: "part", x: from, y: y + 4, width: size * share, height: LINE - 8, rx: 2 }));
  }
  for (let mark = 0; mark < Math.min(span.retransmits, 8); mark += 1) {
    const place = from + (size * (mark + 1)) / (Math.min(span.retransmits, 8) + 1);
    group.append(s("path", { class: "again", d: `M${place - 4} ${y + 1}h8l-4 7z` }));
  }
  const label = short(span, until);
  const room = label.length * 6.2 + 12;
  const right = from + size + room < width - RIGHT;
  if (right) group.append(s("text", { class: "value", x: from + size + 6, y: y + 15 }, label));
  else if (from - room > left) group.append(s("text", { class: "value", x: from - 6, y: y + 15, "text-anchor": "end" }, label));
  else if (size > room) group.append(s("text", { class: "value inside", x: from + 6, y: y + 15 }, label));
  return group;
}

function short(span, until) {
  const took = (span.ended || until) - span.began;
  const parts = took > 0 ? [exact(took)] : [];
  if (span.bytes) parts.push(bytes(span.bytes));
  if (span.count > 1) parts.push(`×${span.count}`);
  if (span.retransmits) parts.push(`${span.retransmits} again`);
  if (!span.ok) parts.push("failed");
  return parts.join(", ");
}

function words(span) {
  return [span.stage, SPEAKERS[span.speaker], span.file, span.text, clock(span.began)].filter(Boolean).join(" · ");
}

/** Bytes a second between two samples, each stretch in the colour of its transport. */
function throughput(boot, x, top, left, width) {
  const rates = [];
  for (let at = 1; at < boot.samples.length; at += 1) {
    const [[t0, b0], [t1, b1]] = [boot.samples[at - 1], boot.samples[at]];
    if (t1 > t0) rates.push({ t0, t1, rate: Math.max(0, b1 - b0) / (t1 - t0), by: transportAt(boot, (t0 + t1) / 2) });
  }
  const most = Math.max(1, ...rates.map((one) => one.rate));
  const y = (rate) => top + CHART - 16 - (rate / most) * (CHART - 30);
  const parts = [
    s("line", { class: "tick", x1: left, x2: width - RIGHT, y1: y(0), y2: y(0) }),
    s("text", { class: "stage", x: 0, y: y(0) }, "bytes"),
    s("text", { class: "axis", x: 0, y: y(0) - 18 }, `to ${bytes(most)}/s`),
  ];
  rates.forEach((one, at) => {
    const next = rates[at + 1];
    const joint = next && next.t0 === one.t1 ? `V${y(next.rate)}` : `V${y(0)}`;
    const rise = at && rates[at - 1].t1 === one.t0 ? y(one.rate) : y(0);
    parts.push(s("path", { class: `rate ${one.by}`, d: `M${x(one.t0)} ${rise}V${y(one.rate)}H${x(one.t1)}${joint}` }));
  });
  return parts;
}

function transportAt(boot, time) {
  const span = boot.spans.findLast((one) => one.began <= time && (one.transport === "tftp" || one.transport === "http"));
  return span ? span.transport : "http";
}

/** The same as a table. */
export function stageTable(boot) {
  const heads = ["Stage", "Client", "Began", "Took", "File", "By", "Bytes", "Seen", "Again", "What happened"];
  const rows = boot.spans.map((span) => h("tr", { class: span.ok ? null : "bad" },
    h("th", { scope: "row" }, span.stage), h("td", {}, SPEAKERS[span.speaker] || ""),
    h("td", { class: "n" }, `+${(span.began - boot.began).toFixed(2)} s`),
    h("td", { class: "n" }, span.ended ? exact(span.ended - span.began) : "under way"),
    h("td", {}, span.file || ""), h("td", {}, span.transport || ""),
    h("td", { class: "n" }, span.bytes ? `${bytes(span.bytes)}${span.due && span.bytes < span.due ? ` of ${bytes(span.due)}` : ""}` : ""),
    h("td", { class: "n" }, span.count > 1 ? `×${span.count}` : ""), h("td", { class: "n" }, span.retransmits || ""),
    h("td", { class: "wide" }, span.text || (span.ok ? "" : "failed"))));
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Stages of the boot" },
    h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)));
}

export function legend(boot) {
  const there = new Set(boot.spans.map((span) => span.speaker));
  const items = Object.entries(SPEAKERS).filter(([speaker]) => there.has(speaker));
  const again = boot.spans.some((span) => span.retransmits);
  return h("p", { class: "legend" }, items.map(([speaker, name]) => h("span", { class: `key ${speaker}` }, name)),
    again ? h("span", { class: "key again" }, "sent again") : null);
}
