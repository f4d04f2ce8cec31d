"use strict";
// Without this script the page is complete: it only sorts tables, filters and enlarges images, and unfolds.

function valueOf(row, column) {
  const cell = row.cells[column];
  const shown = cell.querySelector(".value") ?? cell;
  const text = (cell.dataset.value ?? shown.textContent).trim().replace("−", "-");
  if (text === "–") return "";
  const number = Number(text.replace(/ %$/, ""));
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

function makeFiltered(gallery) {
  const form = gallery.querySelector(".filters");
  const shots = [...gallery.querySelectorAll("li")];
  const told = form.querySelector("output");
  const filter = () => {
    const wanted = [...form.querySelectorAll("select")].filter((select) => select.value);
    let count = 0;
    shots.forEach((shot) => {
      shot.hidden = wanted.some((select) => shot.dataset[select.name] !== select.value);
      count += Number(!shot.hidden);
    });
    told.textContent = count === shots.length ? `${count} images` : `${count} of ${shots.length} images`;
  };
  form.hidden = false;
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  // A browser that goes back in its history restores what was chosen.
  filter();
}

document.querySelectorAll(".gallery").forEach(makeFiltered);

const zoom = document.querySelector("dialog.zoom");
zoom.querySelector(".zoom-image").append(document.createElement("img"));
let enlarged = null;

// The images that the arrows step through: those of a gallery, or the other figures of the same card.
function companions(button) {
  const home = button.closest(".gallery, .inside, article, section");
  return [...home.querySelectorAll("button.enlarge")].filter((other) =>
    other.checkVisibility() && other.closest(".gallery") === button.closest(".gallery"));
}

function enlarge(button) {
  const image = button.querySelector("img");
  const others = companions(button);
  const [shown, caption] = [zoom.querySelector("img"), button.closest("figure").querySelector("figcaption")];
  enlarged = button;
  shown.src = image.src;
  shown.alt = image.alt;
  zoom.classList.toggle("shot", Boolean(image.dataset.told));
  zoom.querySelector("#zoom-words").textContent = image.dataset.told ?? caption.firstChild.textContent.trim();
  zoom.querySelector(".place").textContent = `${others.indexOf(button) + 1} of ${others.length}`;
  zoom.querySelectorAll("[data-step]").forEach((other) => { other.disabled = others.length < 2; });
  if (!zoom.open) zoom.showModal();
}

function step(by) {
  const others = companions(enlarged);
  enlarge(others[(others.indexOf(enlarged) + by + others.length) % others.length]);
}

document.querySelectorAll("figure > img").forEach((image) => {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "enlarge";
  button.setAttribute("aria-haspopup", "dialog");
  image.replaceWith(button);
  button.append(image);
  button.addEventListener("click", () => enlarge(button));
});
zoom.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(by);
});
zoom.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.step) step(Number(button.dataset.step));
  else if (button || event.target === zoom) zoom.close();
});
// Who stepped on finds the focus on the image that was last looked at.
zoom.addEventListener("close", () => enlarged.focus());

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
