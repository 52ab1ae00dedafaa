// Building elements, and the words in which numbers, times and sizes are shown. Text only ever becomes text nodes.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false)
    .map(child => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return node;
}

/** An element: h("p", {class: "quiet"}, "text", other). Attributes that begin with "on" are listeners. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts new children into a node, unless they say what is there already: focus and scroll stay where they are. */
export function show(node, ...children) {
  const next = children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false);
  const scratch = document.createElement(node.tagName);
  scratch.append(...next.map(child => (child instanceof Node ? child.cloneNode(true) : String(child))));
  if (scratch.innerHTML === node.innerHTML && node.childNodes.length) return;
  const controls = () => [...node.querySelectorAll("a, button, input, select, textarea")];
  const place = controls().indexOf(document.activeElement);
  node.replaceChildren(...next.map(child => (child instanceof Node ? child : document.createTextNode(String(child)))));
  if (place >= 0) controls()[place]?.focus({ preventScroll: true });
}

let serial = 0;
/** An id that no other element has. */
export const uniqueID = prefix => `${prefix}-${++serial}`;

export const count = number => new Intl.NumberFormat("en").format(number ?? 0);

export function bytes(number) {
  if (!Number.isFinite(number)) return "–";
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (number < 1024) return `${number < 10 && unit !== "B" ? number.toFixed(1) : Math.round(number)} ${unit}`;
    number /= 1024;
  }
  return `${number.toFixed(1)} TB`;
}

/** Bytes of a text like "41.3 MB". */
export function parseBytes(text) {
  const match = /^([\d.]+)\s*(B|KB|MB|GB|TB)$/.exec(text || "");
  return match ? Number(match[1]) * 1024 ** ["B", "KB", "MB", "GB", "TB"].indexOf(match[2]) : NaN;
}

export function milliseconds(number) {
  if (!Number.isFinite(number)) return "–";
  if (number >= 10000) return `${Math.round(number / 1000)} s`;
  if (number >= 1000) return `${(number / 1000).toFixed(1)} s`;
  return `${number < 10 ? number.toFixed(1) : Math.round(number)} ms`;
}

/** How long something took or lasts: 42 s, 3 min, 5 h, 2 d. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const value = Math.max(0, seconds);
  if (value < 60) return `${Math.round(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const date = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

export const timeOfDay = text => clock.format(new Date(text));
export const dayOf = text => date.format(new Date(text));

/** "3 min ago", with the exact moment on hover. */
export function ago(text) {
  if (!text) return h("span", { class: "quiet" }, "never");
  const seconds = (Date.now() - new Date(text)) / 1000;
  const words = seconds < 60 ? "just now" : seconds < 86400 ? `${span(seconds)} ago` : dayOf(text);
  return h("time", { datetime: text, title: new Date(text).toLocaleString(), class: "nowrap" }, words);
}

/** The number of a JID, or the JID itself. */
export const shortJID = jid => (jid || "").replace(/(:\d+)?@s\.whatsapp\.net$/, "");
