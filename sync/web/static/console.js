// Pauses the refresh while nobody looks, says what is new, and never lets an old page look calm.
"use strict";
(() => {
  const board = document.getElementById("board");
  const old = document.getElementById("old");
  const news = document.getElementById("news");
  const limit = Math.max(15, 4 * Number(board.dataset.refresh)) * 1000;
  const countNeeds = () => Number(document.getElementById("needs")?.dataset.count ?? 0);
  let refreshedAt = Date.now();
  let needs = countNeeds();

  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden) event.preventDefault();
  });

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx.response.status !== 200) return;
    refreshedAt = Date.now();
    const more = countNeeds() - needs;
    if (more > 0) news.textContent = news.dataset.more.replace("{n}", more);
    needs = countNeeds();
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) htmx.trigger(board, "refresh");
  });

  setInterval(() => {
    old.hidden = document.hidden || Date.now() - refreshedAt < limit;
    document.body.classList.toggle("is-old", !old.hidden);
  }, 1000);
})();
