// Not a module: it runs before the first paint, so that a chosen theme does not flash.
(() => {
  let chosen = "auto";
  try { chosen = localStorage.getItem("pxed-theme") || "auto"; } catch { /* storage may be off */ }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
