// Unknown machines, alerts, the mirror, the network.

import { bytes, copyButton, get, h, now, put, span, timeTag } from "./dom.js";
import { machineHash } from "./fleet.js";
import { table } from "./machine.js";
import { listen } from "./store.js";

/** A page that reads a path again: when the fleet changes, if it wants, and every so many seconds. */
function reading(main, title, path, seconds, draw, onchange = false) {
  const heading = h("h1", { tabindex: "-1" }, title);
  const body = h("div");
  const error = h("p", { class: "error", role: "alert" });
  put(main, h("div", { class: "page" }, heading, error, body));
  let [ended, soon, before] = [false, 0, ""];
  const read = async () => {
    soon = 0;
    try {
      const answer = await get(path);
      if (ended) return;
      error.textContent = "";
      const text = JSON.stringify(answer, (key, value) => (key === "age" ? undefined : value));
      if (text !== before) draw(body, answer); // what stays as it is keeps focus and selection
      before = text;
    } catch (problem) {
      if (!ended) error.textContent = problem.message;
    }
  };
  read();
  const timer = setInterval(read, seconds * 1000);
  const unlisten = listen("change", () => { if (onchange && !soon) soon = setTimeout(read, 1000); });
  return {
    title, read, focus: () => heading.focus({ preventScroll: true }),
    end: () => { ended = true; clearInterval(timer); clearTimeout(soon); unlisten(); },
  };
}

export function unknownPage(main) {
  return reading(main, "Unknown machines", "/api/v1/unknown", 10, (body, { machines }) => {
    const alone = machines.filter((one) => !one.profile);
    const served = machines.filter((one) => one.profile);
    put(body,
      h("p", { class: "muted" }, "They asked to be booted and are not in the inventory. Paste the lines below ", h("code", {}, "machines:"),
        ", choose a profile, and pxed reloads by itself."),
      alone.length ? alone.map((one) => stranger(one, "h2")) : h("p", { class: "empty" }, "No machine that is not listed was left alone."),
      served.length ? [h("h2", {}, "Served without being listed"), served.map((one) => stranger(one, "h3"))] : null);
  }, true);
}

function stranger(one, heading) {
  const facts = [["UUID", one.uuid], ["Serial", one.serial], ["Starts as", one.arch], ["Interface", one.interface],
    ["Address", one.address], ["First", timeTag(one.first)], ["Last", timeTag(one.last)], ["Seen", `${one.count} times`],
    ["Profile", one.profile]];
  const label = `Copy the lines of ${one.mac}`;
  return h("article", { class: "card" },
    h(heading, {}, h("a", { href: machineHash(one.mac) }, one.macs.join(", "))),
    h("p", { class: "muted" }, one.reason),
    h("dl", {}, facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("figure", {}, h("figcaption", {}, "For the inventory", copyButton(() => one.stanza, label)),
      h("pre", { tabindex: "0", role: "region", "aria-label": `Lines of ${one.mac}` }, one.stanza)));
}

export function alertsPage(main) {
  const page = reading(main, "Alerts", "/api/v1/alerts?limit=200", 30, (body, { alerts }) => {
    const rows = alerts.map((one) => h("tr", {}, h("td", { class: "n" }, timeTag(one.time)), h("td", {}, h("b", {}, one.what)),
      h("td", {}, one.machine ? h("a", { href: machineHash(one.machine) }, one.machine) : one.mac || ""),
      h("td", { class: "n" }, one.address || ""), h("td", { class: "wide" }, one.text)));
    put(body, rows.length ? table(["Time", "What", "Machine", "Address", "What happened"], rows) : h("p", { class: "empty" }, "Nothing to look at."));
  });
  const unlisten = listen("alert", page.read);
  return { ...page, end: () => { unlisten(); page.end(); } };
}

export function mirrorPage(main) {
  return reading(main, "Mirror", "/api/v1/mirror", 5, (body, { images, releases }) => {
    const rows = images.map((one) => h("tr", {}, h("th", { scope: "row" }, one.name),
      h("td", {}, `${one.channel} ${one.arch} ${one.follows}`), h("td", {}, h("span", { class: "state", "data-state": one.state }, one.state)),
      h("td", { class: "n" }, one.version || ""), h("td", { class: "n" }, one.staged || ""), h("td", { class: "n" }, one.newer || ""),
      h("td", {}, one.published ? `${span(now() - one.published)} ago` : ""), h("td", {}, one.looked ? `${span(now() - one.looked)} ago` : ""),
      h("td", { class: "wide" }, one.progress || one.reason || "")));
    const there = releases.map((one) => h("tr", {}, h("th", { scope: "row" }, one.version), h("td", {}, `${one.channel} ${one.arch}`),
      h("td", {}, timeTag(one.published)), h("td", { class: "n" }, bytes(one.bytes)), h("td", {}, one.images.join(", ")),
      h("td", {}, h("code", {}, one.signed_by.slice(-16)))));
    put(body,
      rows.length ? table(["Image", "Follows", "State", "Boots", "Staged", "Newer", "Verified", "Looked", "Remark"], rows)
        : h("p", { class: "empty" }, "No image of the inventory is a Flatcar release: nothing is mirrored."),
      there.length ? [h("h2", {}, "Releases that are there"), table(["Version", "Of", "Verified", "Size", "Booted by", "Signed by"], there)] : null);
  });
}

export function networkPage(main) {
  return reading(main, "Network", "/api/v1/network", 10, (body, answer) => {
    put(body,
      h("p", { class: "muted" }, `DHCP ${answer.dhcp}, TFTP on port ${answer.tftp_port}, HTTP on port ${answer.http_port}`,
        answer.relays.length ? `, relays ${answer.relays.join(", ")}` : ""),
      answer.interfaces.length ? answer.interfaces.map(wire) : h("p", { class: "empty" }, "No interface is served."));
  });
}

function wire(one) {
  const rows = one.servers.map((server) => {
    const rival = server.is_pxe;
    return h("tr", { class: rival ? "bad" : null }, h("th", { scope: "row" }, server.address),
      h("td", {}, [server.gives_addresses && "gives addresses", rival && "offers network boot"].filter(Boolean).join(", ")), h("td", {}, server.vendor || ""), h("td", {}, [server.file, server.ipxe_file].filter(Boolean).join(", ")),
      h("td", {}, timeTag(server.first)), h("td", {}, timeTag(server.last)), h("td", { class: "n" }, server.count),
      h("td", { class: "wide" }, rival ? "another server for network boot: look whether it should answer here" : ""));
  });
  return h("section", { class: "card" }, h("h2", {}, one.name),
    h("p", { class: "muted" }, `${one.addresses.join(", ") || "no address"} · ${one.networks.join(", ")} · MTU ${one.mtu}`),
    rows.length ? table(["DHCP server", "Does", "Option 60", "File", "First", "Last", "Replies", "Remark"], rows)
      : h("p", { class: "empty" }, "No other DHCP server was seen here yet."));
}
