"use strict";
const EVERY = 3000;
const SILENCE = 60;
const opened = () => [...document.querySelectorAll("details[open]")].map((part) => part.id);
const open = (ids) => ids.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));

// A page that nobody renews any more must not go on saying that the run works.
function age() {
  const foot = document.getElementById("age");
  const silent = Date.now() / 1000 - Number(foot.dataset.written);
  if (silent < SILENCE || document.documentElement.dataset.live === "ended") return;
  const when = new Date(1000 * Number(foot.dataset.written)).toLocaleTimeString();
  foot.innerHTML = "<strong class=\"warn\"></strong> To continue an interrupted run: <code>shoal resume RUN</code>";
  foot.firstChild.textContent = `Nothing was heard of the run since ${when}.`;
}

// Opened as a file, the page can only be loaded again: where the reader was is kept until then.
function reload() {
  sessionStorage.setItem("place", JSON.stringify([scrollY, opened()]));
  location.reload();
}

let tag = "";
async function renew() {
  const answer = await fetch(location.pathname, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
  if (answer.headers.get("X-Shoal-State") === "complete") return location.reload();
  tag = answer.headers.get("ETag") ?? "";
  if (answer.status !== 200) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const parts = opened();
  for (const place of ["main", "footer"]) document.querySelector(place).replaceWith(page.querySelector(place));
  document.documentElement.dataset.live = page.documentElement.dataset.live;
  document.title = page.title;
  open(parts);
}

const asked = () => document.visibilityState === "visible" && getSelection().isCollapsed;
const [place, parts] = JSON.parse(sessionStorage.getItem("place") ?? "[0, []]");
history.scrollRestoration = "manual";
open(parts);
scrollTo({ top: place, behavior: "instant" });
age();
setInterval(() => {
  age();
  if (location.protocol !== "file:") renew().catch(() => {}); // who serves it has ended
  else if (asked() && document.documentElement.dataset.live === "working") reload();
}, EVERY);
