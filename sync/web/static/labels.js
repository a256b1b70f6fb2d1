// Prints the page on demand, and selects all lines of the list; both work without this, by the browser's own means.
"use strict";
(() => {
  const press = document.getElementById("press");
  if (press) {
    press.hidden = false;
    press.addEventListener("click", () => window.print());
    press.focus();
  }
  const all = document.getElementById("all");
  if (all) {
    const boxes = document.querySelectorAll("#labels input[name=label]");
    all.hidden = false;
    all.addEventListener("change", () => boxes.forEach((box) => (box.checked = all.checked)));
    boxes.forEach((box) =>
      box.addEventListener("change", () => (all.checked = [...boxes].every((one) => one.checked))),
    );
  }
})();
