"use strict";
const byId = (id) => document.getElementById(id);
const nonce = document.currentScript.nonce;
const specifications = JSON.parse(byId("figures").textContent);
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A string that names a style variable becomes its value, so that pictures follow light and dark.
function coloured(value) {
  if (typeof value === "string") return value.startsWith("--") ? style(value) : value;
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(coloured);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, coloured(inner)]));
}

function layoutOf(own) {
  const title = (axis) => (axis.title ? { title: { standoff: 8, font: { size: 12.5, color: "--muted" }, ...axis.title } } : {});
  const axis = { gridcolor: "--rule", linecolor: "--rule", tickcolor: "--rule", zeroline: false, automargin: true, tickangle: 0 };
  const shared = {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style("--sans"), size: 12.5, color: "--ink" },
    hoverlabel: { bgcolor: "--paper", bordercolor: "--muted", font: { color: "--ink", size: 12 }, align: "left" },
    showlegend: false,
    hovermode: "closest",
    // on a touch screen a drag scrolls the page
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
  };
  return coloured({ ...shared, ...own, xaxis: { ...axis, ...own.xaxis, ...title(own.xaxis) }, yaxis: { ...axis, ...own.yaxis, ...title(own.yaxis) } });
}

// The width of a sheet, less its margins: pictures drawn for the screen would be cut off on paper.
const PAPER_WIDTH = 620;

function draw(place, width) {
  const { data, layout } = specifications[place.dataset.figure];
  const rows = place.dataset.figure === "scores" || place.dataset.figure === "budget";
  const options = { responsive: true, displayModeBar: false };
  const own = { ...layoutOf(layout), ...(rows ? { dragmode: false } : {}), ...(width ? { width } : {}) };
  return Plotly.react(place, coloured(structuredClone(data)), own, options);
}

async function unpackPlotly() {
  const packed = Uint8Array.from(atob(byId("plotly").textContent), (letter) => letter.charCodeAt(0));
  const code = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const script = document.createElement("script");
  script.nonce = nonce;
  script.textContent = code;
  document.head.append(script);
  if (!window.Plotly) throw new Error("Plotly did not start");
}

async function drawAll() {
  const places = [...document.querySelectorAll(".plot")];
  try {
    await unpackPlotly();
    for (const place of places) {
      await draw(place);
      // let the page answer between two pictures
      await new Promise((next) => setTimeout(next));
    }
    const redraw = (width) => places.forEach((place) => draw(place, width));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw());
    addEventListener("beforeprint", () => { document.documentElement.classList.add("paper"); redraw(PAPER_WIDTH); });
    addEventListener("afterprint", () => { document.documentElement.classList.remove("paper"); redraw(); });
    document.documentElement.dataset.drawn = "yes";
  } catch (problem) {
    document.documentElement.classList.add("undrawn");
    byId("fallback").hidden = false;
    document.documentElement.dataset.drawn = "no";
  }
}

function keyOf(row, column) {
  const cell = row.cells[column];
  const text = cell.dataset.key ?? cell.textContent.replace(/[★,\s]/g, (sign) => (sign === " " ? " " : "")).trim();
  const value = Number(text);
  return text === "" || text === "–" ? null : Number.isNaN(value) ? text : value;
}

function sortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => [keyOf(row, column), row]);
      keyed.sort(([a], [b]) => {
        // what has no value comes last, whichever way
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
        return down ? -order : order;
      });
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

function foldable(table) {
  const all = table.tBodies[0].rows.length;
  const shown = Number(table.dataset.shown);
  if (all <= shown) return;
  const button = document.createElement("button");
  const fold = (folded) => {
    table.classList.toggle("folded", folded);
    button.setAttribute("aria-expanded", String(!folded));
    button.textContent = folded ? `Show all ${all} rows` : `Show the first ${shown} rows`;
  };
  button.type = "button";
  button.className = "fold";
  button.addEventListener("click", () => fold(!table.classList.contains("folded")));
  fold(true);
  table.parentElement.after(button);
}

async function copy(button) {
  const source = byId(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // a page opened from a file may not be allowed to write the clipboard
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
  byId("status").textContent = "Copied";
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = label), 1500);
}

document.querySelectorAll("table.sortable").forEach((table) => (sortable(table), foldable(table)));
document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", () => copy(button)));
document.querySelectorAll("details").forEach((part) => {
  let opened = false;
  addEventListener("beforeprint", () => { opened = part.open; part.open = true; });
  addEventListener("afterprint", () => { part.open = opened; });
});
drawAll();
