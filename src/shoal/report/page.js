"use strict";
const byId = (id) => document.getElementById(id);
const nonce = document.currentScript.nonce;
const specifications = JSON.parse(byId("figures").textContent);
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A string that names a style variable becomes its value, so that pictures follow light and dark.
function coloured(value) {
  if (typeof value === "string") return value.startsWith("--") ? style(value) : value;
  if (Array.isArray(value)) return value.every((each) => typeof each === "number") ? value : value.map(coloured);
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

// The width of a sheet, less its margins, and of half of it: pictures drawn for the screen would be cut off on paper.
const PAPER_WIDTH = 660;
const HALF_OF_PAPER = 320;

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
    for (const [at, place] of places.entries()) {
      await draw(place);
      // the first screen stands, and everything on the page answers
      if (at === 1) performance.mark("interactive");
      // let the page answer between two pictures
      await new Promise((next) => setTimeout(next));
    }
    const redraw = () => places.forEach((place) => draw(place));
    const onPaper = () => places.forEach((place) => draw(place, place.closest(".slices") ? HALF_OF_PAPER : PAPER_WIDTH));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    addEventListener("beforeprint", () => { document.documentElement.classList.add("paper"); onPaper(); });
    addEventListener("afterprint", () => { document.documentElement.classList.remove("paper"); redraw(); });
    document.documentElement.dataset.drawn = "yes";
    performance.mark("drawn");
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
      fold(table);
    });
  });
}

// Hides the rows beyond those that a folded table shows. Rows that a filter has left out do not count.
function fold(table) {
  const left = [...table.tBodies[0].rows].filter((row) => !row.classList.contains("out"));
  const shown = Number(table.dataset.shown);
  const folded = table.classList.contains("folded");
  left.forEach((row, place) => row.classList.toggle("beyond", folded && place >= shown));
  const button = table.foldButton;
  if (!button) return;
  button.hidden = left.length <= shown;
  button.setAttribute("aria-expanded", String(!folded));
  button.textContent = folded ? `Show all ${left.length} rows` : `Show the first ${shown} rows`;
}

function foldable(table) {
  if (table.tBodies[0].rows.length <= Number(table.dataset.shown)) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "fold";
  button.addEventListener("click", () => (table.classList.toggle("folded"), fold(table)));
  table.foldButton = button;
  table.classList.add("folded");
  fold(table);
  table.parentElement.after(button);
}

// The trials of the search as lines: the boxes below the picture say which part of each axis a trial has to pass through, and
// dragging along an axis fills in its box.
function filterable(form) {
  const place = document.querySelector('.plot[data-figure="parallel"]');
  const whole = specifications.parallel;
  const boxes = [...form.elements].filter((element) => element.matches("select"));
  const block = boxes.length + 1;
  const lines = whole.data.flatMap((trace) => trace.meta.trials.map((trial, at) => ({
    trial,
    places: trace.y.slice(at * block, at * block + boxes.length),
    words: trace.meta.words[at],
    hover: trace.meta.hovers[at],
    trace,
  })));
  const intervals = () => boxes.map((box) => box.value && box.value.split(",").map(Number));
  const inside = (y, [low, high]) => y >= low - 1e-6 && y <= high + 1e-6;

  function drawn(look, some) {
    const x = some.flatMap(() => [...boxes.keys(), null]);
    const y = some.flatMap((line) => [...line.places, null]);
    return { ...look, meta: undefined, x, y, text: some.flatMap((line) => Array(block).fill(line.hover)) };
  }

  function filter() {
    const wanted = intervals();
    const isLeft = (line) => wanted.every((interval, axis) => !interval || inside(line.places[axis], interval));
    const left = new Set(lines.filter(isLeft));
    const out = drawn({ ...whole.data[0], hoverinfo: "skip", opacity: 0.13 }, lines.filter((line) => !left.has(line)));
    const data = whole.data.map((trace) => drawn(trace, [...left].filter((line) => line.trace === trace)));
    const bands = wanted.flatMap((interval, axis) => interval ? [{
      type: "rect", x0: axis - 0.05, x1: axis + 0.05, y0: interval[0] - 0.012, y1: interval[1] + 0.012,
      fillcolor: "--accent", opacity: 0.35, line: { width: 0 },
    }] : []);
    specifications.parallel = { data: [out, ...data], layout: { ...whole.layout, shapes: [...whole.layout.shapes, ...bands] } };
    const numbers = new Set([...left].map((line) => String(line.trial)));
    for (const row of byId("trials").tBodies[0].rows) row.classList.toggle("out", !numbers.has(row.dataset.trial));
    fold(byId("trials"));
    byId("left").textContent = `${left.size} of ${lines.length} trials shown`;
    if (document.documentElement.dataset.drawn === "yes") draw(place);
  }

  function brush(axis, low, high) {
    const box = boxes[axis];
    box.querySelector("[data-brushed]")?.remove();
    const passing = lines.filter((line) => inside(line.places[axis], [low, high])).sort((a, b) => a.places[axis] - b.places[axis]);
    const ends = passing.length ? [passing[0].words[axis], passing.at(-1).words[axis]] : ["none"];
    const option = new Option([...new Set(ends)].join(" to "), `${low},${high}`, false, true);
    option.dataset.brushed = "";
    box.append(option);
    filter();
  }

  // where the pointer is, in axes and in places on them
  function pointed(event) {
    const { xaxis, yaxis } = place._fullLayout;
    const box = place.getBoundingClientRect();
    const across = (event.clientX - box.left - xaxis._offset) / xaxis._length;
    const down = (event.clientY - box.top - yaxis._offset) / yaxis._length;
    const y = yaxis.range[1] - down * (yaxis.range[1] - yaxis.range[0]);
    return [xaxis.range[0] + across * (xaxis.range[1] - xaxis.range[0]), Math.min(Math.max(y, 0), 1)];
  }

  let begun = null;
  place.addEventListener("pointerdown", (event) => {
    // on a touch screen a drag scrolls the page
    if (event.pointerType === "touch" || event.button !== 0 || !place._fullLayout) return;
    const [x, y] = pointed(event);
    const axis = Math.round(x);
    if (Math.abs(x - axis) > 0.3 || axis < 0 || axis >= boxes.length) return;
    begun = { axis, y };
    place.setPointerCapture(event.pointerId);
  });
  place.addEventListener("pointermove", (event) => {
    if (!begun) return;
    const [, y] = pointed(event);
    if (Math.abs(y - begun.y) > 0.02) brush(begun.axis, Math.min(y, begun.y), Math.max(y, begun.y));
  });
  place.addEventListener("pointerup", (event) => {
    if (begun && Math.abs(pointed(event)[1] - begun.y) <= 0.02) (boxes[begun.axis].value = ""), filter();
    begun = null;
  });
  place.addEventListener("pointercancel", () => (begun = null));
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  filter();
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
if (byId("filters")) filterable(byId("filters"));
document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", () => copy(button)));
document.querySelectorAll("details").forEach((part) => {
  let opened = false;
  addEventListener("beforeprint", () => { opened = part.open; part.open = true; });
  addEventListener("afterprint", () => { part.open = opened; });
});
drawAll();
