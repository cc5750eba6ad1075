// Light, dark, or as the system has it; what was chosen is kept on this machine.
"use strict";

(() => {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const current = () => document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
  const named = () => button.setAttribute("aria-label", `Switch to the ${current() === "dark" ? "light" : "dark"} theme`);
  button.addEventListener("click", () => {
    const wanted = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = wanted;
    try { localStorage.setItem("heatmark-theme", wanted); } catch { /* kept for this page alone */ }
    named();
  });
  system.addEventListener("change", named);
  named();
})();
