// The parts every view is made of: badges, tables, forms, dialogs, notices, secrets that are shown once.

import { h, uniqueID } from "./dom.js";

export function toast(text, isBad = false) {
  const place = document.getElementById("toasts");
  if ([...place.children].some(shown => shown.textContent === text)) return;
  const node = h("div", { class: isBad ? "toast bad" : "toast" }, text);
  place.append(node);
  setTimeout(() => node.remove(), isBad ? 8000 : 4000);
}

/** What an error says to a person, with the request's id for whoever looks into the logs. */
export const explain = error =>
  error.message + (error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "") +
  (error.status >= 500 && error.requestID ? ` (request ${error.requestID})` : "");

/** Runs what a button does: busy meanwhile, its failure is told. */
export async function attempt(button, action) {
  if (button?.getAttribute("aria-busy") === "true") return undefined;
  button?.setAttribute("aria-busy", "true");
  try {
    return await action();
  } catch (error) {
    if (error.name !== "AbortError") toast(explain(error), true);
    return undefined;
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

export function button(text, action, attributes = {}) {
  return h("button", { type: "button", onclick: event => attempt(event.currentTarget, action), ...attributes }, text);
}

export const badge = (text, tone = "", extra = "") => h("span", { class: `badge ${tone} ${extra}`.trim() }, text);

/** A panel with a heading; `tools` stand at the right of it. */
export function panel(title, tools, ...body) {
  const id = uniqueID("panel");
  return h("section", { class: "panel", "aria-labelledby": id },
    h("header", {}, h("h2", { id }, title), tools?.length ? h("div", { class: "row" }, tools) : null), body);
}

export const empty = (...children) => h("div", { class: "empty" }, children);

/** A table: columns are {title, right, hide}; rows are lists of cells. */
export function table(caption, columns, rows, whenEmpty) {
  if (!rows.length) return empty(whenEmpty || "Nothing yet.");
  return h("div", { class: "scroll" }, h("table", {},
    h("caption", { class: "hide" }, caption),
    h("thead", {}, h("tr", {}, columns.map(column => h("th", { scope: "col", class: column.right ? "right" : null },
      column.hide ? h("span", { class: "hide" }, column.title) : column.title)))),
    h("tbody", {}, rows.map(cells => h("tr", {}, cells.map((cell, index) =>
      h("td", { class: columns[index].right ? "right num" : null }, cell)))))));
}

/** A labelled field; `control` is an input, select or textarea. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", {}, label, hint ? h("span", { class: "hint" }, ` ${hint}`) : null), control);
}

export const input = (name, attributes = {}) => h("input", { name, autocomplete: "off", spellcheck: "false", ...attributes });

/** A form that runs `action` with its values; what fails is said in the form. */
export function form(attributes, children, action) {
  const failure = h("p", { class: "failure", role: "alert" });
  const node = h("form", { novalidate: false, ...attributes }, children, failure);
  node.addEventListener("submit", async event => {
    event.preventDefault();
    const submit = node.querySelector('button[type="submit"], button:not([type])');
    if (submit?.getAttribute("aria-busy") === "true") return;
    submit?.setAttribute("aria-busy", "true");
    failure.textContent = "";
    try {
      await action(Object.fromEntries(new FormData(node)), node);
    } catch (error) {
      failure.textContent = explain(error);
    } finally {
      submit?.removeAttribute("aria-busy");
    }
  });
  return node;
}

/** Opens a dialog and resolves when it closes. `build` gets the function that closes it. */
export function dialog(title, build) {
  return new Promise(resolve => {
    const id = uniqueID("dialog");
    const node = h("dialog", { "aria-labelledby": id });
    const close = value => { node.close(); resolve(value); };
    node.append(h("div", { class: "sheet" }, h("h2", { id }, title), build(close)));
    node.addEventListener("close", () => { node.remove(); resolve(undefined); });
    document.body.append(node);
    node.showModal();
  });
}

/** Asks before something that cannot be undone. */
export function confirmed(title, text, verb) {
  return dialog(title, close => [
    h("p", {}, text),
    h("div", { class: "row end" },
      h("button", { type: "button", onclick: () => close(false) }, "Cancel"),
      h("button", { type: "button", class: "danger", onclick: () => close(true) }, verb)),
  ]);
}

/** A secret with a button that copies it. */
export function secret(label, text) {
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      toast("Copying is not allowed here: select the text.", true);
    }
  }, { "aria-label": `Copy ${label}` });
  return h(
    "div", { class: "secret-part" }, h("p", { class: "small quiet" }, label), h(
      "div", { class: "secret" }, h("code", { tabindex: text.length > 200 ? 0 : null }, text), copy,
    ),
  );
}

/** Shows secrets that exist nowhere else. */
export function showOnce(title, secrets, extra) {
  return dialog(title, close => [
    h("p", { class: "notice warn" }, "Keep this now: it is stored as a hash and cannot be shown again."),
    secrets.map(([label, text]) => secret(label, text)),
    h("div", { class: "row end" }, extra ? extra(close) : null,
      h("button", { type: "button", class: "primary", onclick: () => close() }, "I have kept it")),
  ]);
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** Steps through a long list: `query()` is what to ask for, `took(answer)` takes the answer, `reset()` begins anew. */
export function pager(refresh, size = 100) {
  const passed = [];
  let cursor = "", next = "";
  const turn = action => button(action === "older" ? "Older" : "Newer", async () => {
    if (action === "older") passed.push(cursor);
    cursor = action === "older" ? next : passed.pop() ?? "";
    await refresh();
  }, { class: "tiny" });
  const newer = turn("newer"), older = turn("older"), place = h("span", { class: "small quiet", "aria-live": "polite" });
  const node = h("div", { class: "row pager", hidden: true }, newer, place, older);
  return {
    node,
    query: () => `limit=${size}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
    took(answer) {
      next = answer.next;
      node.hidden = !next && !passed.length;
      older.disabled = !next;
      newer.disabled = !passed.length;
      place.textContent = `page ${passed.length + 1}`;
    },
    reset() { passed.length = 0; cursor = ""; },
  };
}

/** A field that searches: `changed` runs once typing rests. */
export function searchField(label, placeholder, changed) {
  let timer = 0;
  const oninput = () => { clearTimeout(timer); timer = setTimeout(changed, 250); };
  return input("search", { type: "search", placeholder, "aria-label": label, oninput });
}

/** Runs `task` now and every `seconds` while the page is visible and `node` is in it. */
export function every(seconds, node, task) {
  let isFirst = true, timer = 0;
  const run = async () => {
    clearTimeout(timer);
    // The first run happens while the view is being built.
    if (!isFirst && !node.isConnected) return document.removeEventListener("visibilitychange", wake);
    isFirst = false;
    if (!document.hidden) {
      try { await task(); } catch (error) { if (error.name !== "AbortError" && error.status !== 401) toast(explain(error), true); }
    }
    timer = setTimeout(run, (typeof seconds === "function" ? seconds() : seconds) * 1000);
    return undefined;
  };
  const wake = () => { if (!document.hidden) run(); };
  document.addEventListener("visibilitychange", wake);
  run();
  return run;
}
