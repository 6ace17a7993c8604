// what axe-core calls serious, of what these pages have: names of controls, headings, tables, ids, contrast
(() => {
  const faults = [];
  const of = (selector) => [...document.querySelectorAll(selector)];
  const hasLabel = (each) => each.labels && [...each.labels].some((label) => label.textContent.trim());
  const named = (each) => hasLabel(each) || each.getAttribute("aria-label") || each.textContent.trim();
  for (const each of of("input:not([type=hidden]), select, button, a, summary"))
    if (!named(each)) faults.push(`no name: ${each.outerHTML.slice(0, 90)}`);
  for (const each of of("table")) if (!each.caption) faults.push(`no caption: ${each.outerHTML.slice(0, 60)}`);
  for (const each of of("th")) if (!each.scope) faults.push(`no scope: ${each.outerHTML.slice(0, 60)}`);
  const ids = of("[id]").map((each) => each.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`twice: ${id}`);
  if (of("h1").length !== 1) faults.push(`headings of the page: ${of("h1").length}`);
  if (!document.documentElement.lang || !document.title) faults.push("no language or title");
  for (const each of of("[aria-labelledby]"))
    if (!document.getElementById(each.getAttribute("aria-labelledby"))) faults.push("label missing");

  const colors = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) =>
    0.2126 * linear(red / 255) + 0.7152 * linear(green / 255) + 0.0722 * linear(blue / 255);
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const color = colors(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const each = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !each.checkVisibility()) continue;
    if (each.closest(".hidden, .skip, script, svg")) continue;
    const pair = [light(colors(getComputedStyle(each).color)), light(ground(each))].sort((one, other) => other - one);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${each.outerHTML.slice(0, 80)}`);
  }
  return [...new Set(faults)];
})()
