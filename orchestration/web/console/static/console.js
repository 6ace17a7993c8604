"use strict";

// lists that act at once; without scripts their button does
for (const each of document.querySelectorAll("[data-submit]"))
  each.addEventListener("change", () => each.form.requestSubmit());

// a form is sent once: a second click would start a second job; shown again from the browser's memory, it can be sent
const sent = new Set();
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  sent.has(event.target) ? event.preventDefault() : sent.add(event.target);
}, true);
addEventListener("pageshow", () => sent.clear());

// ticked records: those of other pages are kept until the decision is sent
const form = document.querySelector("form#decide, form#undo, form#ignore");
if (form) {
  const boxes = [...form.querySelectorAll("input[name=record]")];
  const all = form.querySelector("#tick-all");
  const shown = form.querySelector("#ticked");
  const key = `ticked ${form.dataset.ticks || location.pathname}`;
  const kept = new Set(JSON.parse(sessionStorage.getItem(key) || "[]"));
  const here = new Set(boxes.map((each) => each.value));
  const update = () => {
    for (const each of boxes) kept.delete(each.value);
    for (const each of boxes) if (each.checked) kept.add(each.value);
    sessionStorage.setItem(key, JSON.stringify([...kept]));
    const others = form.querySelectorAll("fieldset input:checked").length;
    const texts = [kept.size ? `${kept.size} record${kept.size === 1 ? "" : "s"}` : "", others ? `${others} more` : ""];
    if (shown) shown.textContent = texts.some(Boolean) ? ` (${texts.filter(Boolean).join(", ")})` : shown.dataset.none || "";
    if (all) {
      all.checked = boxes.length > 0 && boxes.every((each) => each.checked);
      all.indeterminate = !all.checked && boxes.some((each) => each.checked);
    }
  };
  const restore = () => { for (const each of boxes) each.checked = kept.has(each.value); update(); };
  all?.addEventListener("change", () => { for (const each of boxes) each.checked = all.checked; update(); });
  form.addEventListener("change", update);
  form.addEventListener("submit", () => {
    for (const each of form.querySelectorAll("input[type=hidden][name=record]")) each.remove();
    for (const value of kept) {
      if (here.has(value)) continue;
      const made = Object.assign(document.createElement("input"), { type: "hidden", name: "record", value });
      form.append(made);
    }
    sessionStorage.setItem("decided", key);
  });
  addEventListener("pageshow", restore);  // also after the browser put its own ticks back
  restore();
}
// a decision that was refused keeps its ticks, one that was taken does not
const decided = sessionStorage.getItem("decided");
if (decided && document.querySelector(".job")) for (const each of [decided, "decided"]) sessionStorage.removeItem(each);

// the progress of a job, until it ends
const progress = document.querySelector("[data-follow]");
async function follow() {
  try {
    const answer = await fetch(progress.dataset.follow, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html").querySelector(".job");
      if (fresh && fresh.outerHTML !== progress.firstElementChild?.outerHTML) progress.replaceChildren(fresh);
      if (fresh?.dataset.status === "ended") return;
    }
  } catch { /* the server restarts: try again */ }
  setTimeout(follow, 1000);
}
if (progress) setTimeout(follow, 700);

// parts that take longer than their page; without scripts they are a link
for (const each of document.querySelectorAll("[data-load]"))
  fetch(each.dataset.load).then(async (answer) => {
    const fresh = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("section");
    if (fresh) each.replaceChildren(fresh);
  }).catch(() => {});

// search while someone types; values only become text nodes
const find = document.querySelector("#find");
const found = document.querySelector("#found");
let asked = 0, timer = 0;
function show(records, text) {
  const rows = records.slice(0, 8).map((each) => {
    const link = document.createElement("a");
    const base = new URL(find.dataset.record, location);
    link.href = `${base.pathname}/${encodeURIComponent(each.source)}/${encodeURIComponent(each.id)}${base.search}`;
    const name = document.createElement("bdi");
    name.textContent = (each.name || each.number || each.id).slice(0, 80);
    const ids = document.createElement("span");
    ids.className = "ids";
    ids.textContent = `  ${each.source} ${each.id}`;
    link.append(name, ids);
    return link;
  });
  if (!rows.length) {
    const none = document.createElement("p");
    none.className = "soft";
    none.textContent = `nothing matches ${text.slice(0, 40)}`;
    rows.push(none);
  }
  found.replaceChildren(...rows);
}
find?.addEventListener("input", () => {
  clearTimeout(timer);
  const text = find.value.trim(), number = ++asked;
  if (text.length < 2) return found.replaceChildren();
  timer = setTimeout(async () => {
    const address = new URL(find.dataset.search, location);
    address.searchParams.set("q", text);
    const answer = await fetch(address);
    if (answer.ok && number === asked) show(await answer.json(), text);
  }, 180);
});
find?.form.addEventListener("keydown", (event) => {
  const links = [...found.querySelectorAll("a")];
  const place = links.indexOf(document.activeElement);
  if (event.key === "Escape") { found.replaceChildren(); find.focus(); }
  if (event.key === "ArrowDown" && links.length) { event.preventDefault(); links[Math.min(place + 1, links.length - 1)].focus(); }
  if (event.key === "ArrowUp" && place >= 0) { event.preventDefault(); place ? links[place - 1].focus() : find.focus(); }
});
document.addEventListener("click", (event) => { if (found && !event.target.closest(".find")) found.replaceChildren(); });
