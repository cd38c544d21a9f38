// Which page is shown, the keys that work everywhere, the theme, and whether the fleet is followed.

import { $, h, put } from "./dom.js";
import { badge, fleetPage } from "./fleet.js";
import { machinePage } from "./machine.js";
import { alertsPage, mirrorPage, networkPage, unknownPage } from "./pages.js";
import { fleet, follow, listen } from "./store.js";

const PAGES = { "": fleetPage, unknown: unknownPage, alerts: alertsPage, mirror: mirrorPage, network: networkPage };
const LINK = { live: "live", connecting: "connecting", lost: "connection lost, trying again", paused: "paused" };
const THEMES = ["auto", "dark", "light"];

const main = $("main");
let page = null;

function show() {
  const [, name = "", rest = ""] = location.hash.split("/");
  const first = page === null;
  if (page) page.end();
  put(main);
  main.scrollTop = 0;
  if (name === "machine" && rest) page = machinePage(main, decoded(rest));
  else if (PAGES[name]) page = PAGES[name](main);
  else page = missing();
  document.title = `${page.title} · pxed`;
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.dataset.page === (name || "fleet");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!first) (page.focus || (() => main.focus({ preventScroll: true })))();
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function missing() {
  put(main, h("h1", {}, "There is no such page"), h("p", {}, h("a", { href: "#/" }, "To the fleet")));
  return { title: "No such page", end: () => {} };
}

function key(event) {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || $("order").open) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    if (!page.focusSearch) { location.hash = "#/"; show(); }
    page.focusSearch();
  } else if (event.key === "Escape") {
    if (typing) event.target.blur();
    if (location.hash.length > 2) location.hash = "#/";
    else if (page.focus) page.focus();
  }
}

function theme() {
  const button = $("theme");
  let chosen = document.documentElement.dataset.theme || "auto";
  const label = () => { button.textContent = `Theme: ${chosen}`; };
  button.addEventListener("click", () => {
    chosen = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
    if (chosen === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
    try { localStorage.setItem("pxed-theme", chosen); } catch { /* storage may be off: it is so for this page */ }
    label();
  });
  label();
}

function linkState() {
  const say = (state) => {
    $("link").dataset.state = state;
    $("link").textContent = LINK[state];
  };
  listen("state", say);
  say(fleet.state);
}

function alertCount() {
  const count = $("alert-count");
  let unread = 0;
  const say = () => { count.hidden = !unread; count.textContent = String(unread); };
  listen("alert", () => { unread = location.hash === "#/alerts" ? 0 : unread + 1; say(); });
  window.addEventListener("hashchange", () => { if (location.hash === "#/alerts") { unread = 0; say(); } });
}

theme();
linkState();
badge();
alertCount();
document.addEventListener("keydown", key);
window.addEventListener("hashchange", show);
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
const painted = listen("change", () => {
  painted();
  requestAnimationFrame(() => performance.mark("pxed-rows")); // the frame with the first rows is out
});
show();
follow();
