"""The script of the page that `agentic_dsl.cli.drawing.page` writes: details, search, pan and zoom.

It builds elements and sets their ``textContent``; no text of a document is ever read as markup.
"""

PAGE_SCRIPT = r"""
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("diagram").textContent);
  const stage = document.getElementById("stage");
  const svg = stage.querySelector("svg");
  const details = document.getElementById("details");
  const search = document.getElementById("search");
  const matches = document.getElementById("matches");
  const size = { width: Number(svg.dataset.width), height: Number(svg.dataset.height) };
  const view = { x: 0, y: 0, width: size.width, height: size.height };
  const items = new Map(data.items.map((item) => [item.key, item]));
  let hits = [];
  let chosen = null;

  // --- pan and zoom: the view box is the camera -----------------------------------------------------------------
  const show = () => svg.setAttribute("viewBox", [view.x, view.y, view.width, view.height].join(" "));
  const scale = () => Math.max(view.width / (stage.clientWidth || 1), view.height / (stage.clientHeight || 1));
  const fit = () => {
    Object.assign(view, { x: 0, y: 0, width: size.width, height: size.height });
    show();
  };
  // A picture that would be too small to read is shown from its top.
  const begin = () => {
    fit();
    const first = data.items.length ? document.getElementById(data.items[0].key).getBBox() : null;
    if (first && scale() > 1.8) {
      Object.assign(view, { width: stage.clientWidth * 1.1, height: stage.clientHeight * 1.1 });
      Object.assign(view, { x: first.x + first.width / 2 - view.width / 2, y: first.y - 80 });
      show();
    }
  };
  const zoom = (factor, clientX, clientY) => {
    const box = stage.getBoundingClientRect();
    const width = Math.min(Math.max(view.width * factor, 60), size.width * 8);
    const by = width / view.width;
    const px = clientX === undefined ? 0.5 : (clientX - box.left) / box.width;
    const py = clientY === undefined ? 0.5 : (clientY - box.top) / box.height;
    view.x += view.width * (1 - by) * px;
    view.y += view.height * (1 - by) * py;
    view.width *= by;
    view.height *= by;
    show();
  };
  const pan = (x, y) => {
    view.x += x;
    view.y += y;
    show();
  };
  const centre = (element) => {
    const box = element.getBBox();
    const wide = Math.min(Math.max(stage.clientWidth, 300), view.width);
    view.height *= wide / view.width;
    view.width = wide;
    view.x = box.x + box.width / 2 - view.width / 2;
    view.y = box.y + box.height / 2 - view.height / 2;
    show();
  };

  let held = null;
  let moved = false;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button === 0) held = { x: event.clientX, y: event.clientY };
    moved = false;
  });
  window.addEventListener("pointermove", (event) => {
    if (!held) return;
    const x = event.clientX - held.x;
    const y = event.clientY - held.y;
    if (!moved && Math.abs(x) + Math.abs(y) < 4) return;
    moved = true;
    pan(-x * scale(), -y * scale());
    held = { x: event.clientX, y: event.clientY };
  });
  window.addEventListener("pointerup", () => { held = null; });
  window.addEventListener("pointercancel", () => { held = null; });
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, event.clientX, event.clientY);
  }, { passive: false });

  // --- details --------------------------------------------------------------------------------------------------
  const make = (name, text, className) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  // Characters that hide or reorder text are written out, so that what is shown is what is there.
  const hidden = /[^\P{Cc}\n\t]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
  const write = (element, text) => {
    let from = 0;
    for (const match of text.matchAll(hidden)) {
      element.append(text.slice(from, match.index));
      const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      element.append(make("span", "U+" + code, "hidden-character"));
      from = match.index + match[0].length;
    }
    element.append(text.slice(from));
    return element;
  };
  const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));
  const finding = (record) => {
    const entry = make("li");
    entry.append(make("span", record.severity + " " + record.code + " ", "code"));
    write(entry, record.message);
    if (record.help) entry.append(make("br"), write(make("span", undefined, "help"), record.help));
    return entry;
  };
  const choose = (key) => {
    for (const element of svg.querySelectorAll(".chosen, .near")) element.classList.remove("chosen", "near");
    chosen = key;
    details.replaceChildren();
    if (key === null) {
      details.append(make("p", "Choose a node to see its fields.", "faint-text"));
      return;
    }
    const item = items.get(key);
    document.getElementById(key).classList.add("chosen");
    for (const line of svg.querySelectorAll(".way")) {
      if (line.dataset.from === key || line.dataset.to === key) line.classList.add("near");
    }
    const heading = write(make("h2"), item.name);
    heading.id = "details-heading";
    const facts = [item.type || item.kind, item.line === null ? "" : "line " + item.line];
    if (item.critical) facts.push("on the critical path");
    details.append(heading, make("p", facts.filter(Boolean).join(" \u00b7 "), "faint-text"));
    if (item.findings.length) {
      const list = make("ul");
      list.append(...item.findings.map(finding));
      details.append(list);
    }
    const fields = make("dl");
    const block = data.blocks[item.block];
    const path = item.kind !== "node" ? {} : { path: block.single ? block.path : block.path + "/" + item.name };
    for (const [name, value] of Object.entries({ ...path, ...item.fields })) {
      fields.append(write(make("dt"), name), write(make("dd"), shown(value)));
    }
    details.append(fields);
  };

  svg.addEventListener("click", (event) => {
    const element = event.target.closest(".item");
    if (!moved) choose(element ? element.id : null);
  });
  svg.addEventListener("keydown", (event) => {
    const element = event.target.closest(".item");
    if (element && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      choose(element.id);
    }
  });
  document.getElementById("findings").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-key]");
    if (button) go(button.dataset.key);
  });
  const go = (key) => {
    const element = document.getElementById(key);
    choose(key);
    centre(element);
    element.focus({ preventScroll: true });
  };

  // --- search ---------------------------------------------------------------------------------------------------
  const texts = new Map(data.items.map((item) => [
    item.key,
    JSON.stringify([item.name, item.type, item.fields, item.findings])
      .replace(/\\(["\\])/g, "$1").toLowerCase(),
  ]));
  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = (text) => words.every((word) => text.includes(word));
    const found = words.length ? data.items.filter((item) => holds(texts.get(item.key))) : [];
    // Names come first; the order is that of the source otherwise.
    found.sort((one, two) => holds(two.name.toLowerCase()) - holds(one.name.toLowerCase()));
    hits = found.map((item) => item.key);
    stage.classList.toggle("searching", words.length > 0);
    for (const item of data.items) document.getElementById(item.key).classList.toggle("hit", hits.includes(item.key));
    matches.textContent = words.length ? hits.length + (hits.length === 1 ? " match" : " matches") : "";
  };
  search.addEventListener("input", find);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && hits.length) {
      const step = event.shiftKey ? hits.length - 1 : 1;
      const next = hits[(Math.max(hits.indexOf(chosen), event.shiftKey ? 0 : -1) + step) % hits.length];
      choose(next);
      centre(document.getElementById(next));
    }
  });

  // --- keys -----------------------------------------------------------------------------------------------------
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      search.value = "";
      find();
      choose(null);
      return;
    }
    if (event.target === search) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    } else if (moves[event.key] && stage.contains(event.target)) {
      event.preventDefault();
      pan(moves[event.key][0] * view.width * 0.1, moves[event.key][1] * view.height * 0.1);
    } else if (event.key === "+" || event.key === "=") zoom(1 / 1.25);
    else if (event.key === "-") zoom(1.25);
    else if (event.key === "0") fit();
  });
  document.getElementById("zoom-in").addEventListener("click", () => zoom(1 / 1.25));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(1.25));
  document.getElementById("fit").addEventListener("click", fit);
  begin();
  choose(null);
})();
"""
