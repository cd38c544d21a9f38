// Orders: what an operator wants of a machine. They need the API's token, which stays in this tab.

import { $, announce, h, put } from "./dom.js";
import { fleet } from "./store.js";

const KEY = "pxed-token";
let token = "";
try { token = sessionStorage.getItem(KEY) || ""; } catch { /* storage may be off: it is asked for again */ }

export const ORDERS = [
  { name: "install", label: "Install", verb: "Install", does: "Installs the machine at its next boot, once, with its own profile." },
  { name: "install", label: "Install with…", verb: "Install", does: "Installs the machine at its next boot, once, with the profile that you choose.", choose: "install" },
  { name: "next", label: "Next boot…", verb: "Order", does: "Boots another profile at its next boot, once.", choose: "boot", none: "take it back" },
  { name: "local", label: "Boot its disk", verb: "Boot its disk", does: "Lets the machine boot its disk from now on." },
  { name: "reset", label: "Reset", verb: "Reset", does: "Forgets its installation and its orders: what the inventory says counts again." },
];

/** Ask for what the order needs, give it, and call `done` when it was taken. */
export function askOrder(order, machine, done) {
  const dialog = $("order");
  const profiles = fleet.profiles.filter(([, boot]) => (order.choose === "install") === (boot === "install"));
  const select = order.choose ? h("select", { id: "order-profile" },
    order.none ? h("option", { value: "" }, order.none) : null, profiles.map(([name]) => h("option", { value: name }, name))) : null;
  const secret = h("input", { id: "order-token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  secret.value = token;
  const keep = h("input", { id: "order-keep", type: "checkbox" });
  keep.checked = token !== "";
  const error = h("p", { class: "error", role: "alert" });
  if (select && !select.options.length) error.textContent = "No profile of the inventory can be chosen here.";
  const go = h("button", { type: "submit", class: "primary" }, order.verb);
  const form = h("form", { method: "dialog" },
    h("h2", { id: "order-title" }, `${order.label.replace("…", "")}: ${machine}`), h("p", {}, order.does),
    select ? h("p", { class: "field" }, h("label", { for: "order-profile" }, "Profile"), select) : null,
    h("p", { class: "field" }, h("label", { for: "order-token" }, "Token of the API"), secret),
    h("p", { class: "check" }, keep, h("label", { for: "order-keep" }, "Keep it in this tab until it is closed")),
    error, h("p", { class: "buttons" }, go, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    const problem = await give(order, machine, secret.value.trim(), select ? select.value : null);
    go.disabled = false;
    if (problem) { error.textContent = problem; return; }
    remember(secret.value.trim(), keep.checked);
    dialog.close();
    announce(`${order.label.replace("…", "")} was ordered for ${machine}`);
    done();
  });
  put(dialog, form);
  dialog.showModal();
  (token ? select || go : secret).focus();
}

/** The server's sentence when it refuses; "" when it obeys. */
async function give(order, machine, secret, profile) {
  try {
    const answer = await fetch(`/api/v1/machines/${encodeURIComponent(machine)}/${order.name}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${secret}`, "Content-Type": "application/json" },
      body: JSON.stringify(profile === null ? {} : { profile }),
    });
    if (answer.ok) return "";
    if (answer.status === 401) remember("", false);
    return (await answer.text()).trim() || `The server answered ${answer.status}.`;
  } catch {
    return "The server does not answer, or the token has characters that no header can have.";
  }
}

function remember(secret, keep) {
  token = keep ? secret : "";
  try {
    if (keep) sessionStorage.setItem(KEY, secret);
    else sessionStorage.removeItem(KEY);
  } catch { /* storage may be off */ }
}
