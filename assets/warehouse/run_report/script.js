"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);

// values only become text nodes, so that a hostile name cannot run as a script
function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

for (const bar of document.querySelectorAll(".bar"))
  for (const part of bar.children) part.style.flexGrow = part.dataset.share;

function options(select, title, values) {
  select.append(new Option(title, ""));
  for (const value of [...new Set(values)].sort()) select.append(new Option(value, value));
}

// --- changes
const STEP = 100;
let shown = STEP;
options(at("change-workflow"), "all workflows", data.changes.map((each) => each.workflow));
options(at("change-action"), "all outcomes", data.changes.map((each) => each.outcome));
for (const each of data.changes)
  each.text = [each.id, each.name, each.outcome, each.answer, each.reason, ...each.fields.flat()].join("\n").toLowerCase();

// carried out, or only planned; what the day's quota stopped is no failure
const isDone = (each) => !each.outcome.startsWith(`${each.action} `) || each.outcome.endsWith(" planned");
const colour = (each) => isDone(each) ? each.action : each.outcome.endsWith(" deferred") ? "deferred" : "failed";

function change(each) {
  const item = make("div", undefined, "item");
  item.append(make("b", each.outcome, colour(each)), `${each.source} ${each.id} ${each.name || ""} `, make("span", `${each.workflow} · planned because: ${each.reason}`, "sub"));
  if (each.answer) item.append(make("div", each.answer, `why ${colour(each)}`));
  const diff = make("div", undefined, "diff");
  for (const [field, before, after] of each.fields) {
    const value = make("span");
    if (before === null && after === null) value.append(make("span", "hidden", "sub"));
    if (before !== null) value.append(make("del", before));
    if (before !== null && after !== null) value.append(" → ");
    if (after !== null) value.append(make("ins", after));
    diff.append(make("span", field), value);
  }
  item.append(diff);
  return item;
}

function showChanges() {
  const text = at("find-change").value.toLowerCase();
  const workflow = at("change-workflow").value, action = at("change-action").value;
  const found = data.changes.filter((each) => (!workflow || each.workflow === workflow) && (!action || each.outcome === action) && each.text.includes(text));
  at("change-list").replaceChildren(...found.slice(0, shown).map(change));
  at("change-count").textContent = `${found.length.toLocaleString()} of ${data.changes.length.toLocaleString()}`;
  at("change-more").hidden = found.length <= shown;
}
for (const id of ["find-change", "change-workflow", "change-action"])
  at(id).addEventListener("input", () => { shown = STEP; showChanges(); });
at("change-more").addEventListener("click", () => { shown += STEP; showChanges(); });
showChanges();

// --- records
function record(each) {
  const item = make("div", undefined, "item");
  item.append(make("b", `${each.source} ${each.id}`), [each.number, each.name].filter(Boolean).join(" · "));
  const diff = make("div", undefined, "diff");
  for (const [workflow, action, reason, target] of each.decided) {
    const what = make("span");
    what.append(make("b", action, action), reason || "", target ? ` (target id ${target})` : "");
    diff.append(make("span", workflow), what);
  }
  item.append(diff);
  return item;
}
for (const each of data.records)
  each.text = [each.id, each.number, each.name, ...each.decided.map((one) => one[3])].join("\n").toLowerCase();

function showRecords() {
  const text = at("find-record").value.trim().toLowerCase();
  const found = text ? data.records.filter((each) => each.text.includes(text)) : [];
  found.sort((one, other) => (other.id === text) - (one.id === text));
  at("record-list").replaceChildren(...found.slice(0, 50).map(record));
  at("record-count").textContent = text ? `${found.length.toLocaleString()} found` : `${data.records.length.toLocaleString()} records`;
}
at("find-record").addEventListener("input", showRecords);

// report.html#record=107 opens with that record
function fromAddress() {
  const asked = decodeURIComponent(location.hash);
  if (!asked.startsWith("#record=")) return;
  at("find-record").value = asked.slice("#record=".length);
  showRecords();
  at("search").scrollIntoView();
}
addEventListener("hashchange", fromAddress);
showRecords();
fromAddress();
