"use strict";
// Without this script the page is complete: it only sorts tables and opens what is folded.

function valueOf(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? number : text;
}

function compare(a, b) {
  // What is unknown comes last, whichever way the table is sorted.
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

function sortBy(table, column, direction) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const isUnknown = (row) => valueOf(row, column) === "";
  rows.sort((a, b) =>
    isUnknown(a) !== isUnknown(b)
      ? Number(isUnknown(a)) - Number(isUnknown(b))
      : direction * compare(valueOf(a, column), valueOf(b, column)));
  body.append(...rows);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", direction);
      sortBy(table, column, direction === "ascending" ? 1 : -1);
    });
  });
}

document.querySelectorAll("table.sortable").forEach(makeSortable);

const tools = document.querySelector(".tools");
if (tools) {
  tools.hidden = false;
  tools.addEventListener("click", (event) => {
    const open = event.target.dataset.open;
    if (open) document.querySelectorAll("details.run").forEach((run) => { run.open = open === "true"; });
  });
}

// A link to a folded training unfolds it.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", openTarget);
openTarget();

// On paper nothing can be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((element) => { element.open = true; });
});
addEventListener("afterprint", () => {
  folded.forEach((element) => { element.open = false; });
});
