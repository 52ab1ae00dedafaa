// Line charts of what was seen since sign-in, drawn as SVG, with the same numbers in words for those who cannot see them.

import { h, svg } from "./dom.js";
import { series } from "./session.js";

const WIDTH = 320, HEIGHT = 92, LEFT = 2, BOTTOM = 14, CAPACITY = 240;

/** Adds a point to the named series; times are milliseconds. */
export function record(name, value, at = Date.now()) {
  const points = series.get(name) || [];
  if (Number.isFinite(value)) points.push({ at, value });
  series.set(name, points.slice(-CAPACITY));
}

/** Adds what a counter grew by, per second; a counter that fell has begun anew. */
export function recordRate(name, total, at = Date.now()) {
  const last = series.get(`${name}#total`);
  series.set(`${name}#total`, { at, total });
  if (last && at > last.at) record(
    name, Math.max(0, total - (total < last.total ? 0 : last.total)) / ((at - last.at) / 1000), at,
  );
}

const points = name => series.get(name) || [];
export const latest = name => points(name).at(-1)?.value;

function ceiling(value) {
  if (value <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map(factor => factor * step).find(candidate => candidate >= value);
}

const minutes = milliseconds => (milliseconds < 90000 ? `${Math.round(milliseconds / 1000)} s ago` : `${Math.round(milliseconds / 60000)} min ago`);

/** A chart of several series: lines are {name, label}; `unit` turns a number into words. */
export function chart(title, lines, unit, note = "") {
  const all = lines.flatMap(line => points(line.name));
  const now = lines.map(line => latest(line.name)).find(Number.isFinite);
  const words = lines.map(line => `${line.label} ${Number.isFinite(latest(line.name)) ? unit(latest(line.name)) : "–"}`);
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${words.join(", ")}`,
    },
  );
  const caption = h(
    "figcaption", {}, title, h("span", { class: "now" }, lines.length === 1 && Number.isFinite(now) ? unit(now) : ""),
  );
  const legend = h("ul", { class: "legend" });
  const bottom = HEIGHT - BOTTOM;
  picture.append(
    svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: bottom, y2: bottom }),
    svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: 6, y2: 6 }),
  );
  if (all.length) {
    const top = ceiling(Math.max(...all.map(point => point.value)));
    const start = Math.min(...all.map(point => point.at)), end = Math.max(...all.map(point => point.at), start + 1);
    const x = at => LEFT + ((at - start) / (end - start)) * (WIDTH - 2 * LEFT);
    const y = value => bottom - (value / top) * (bottom - 6);
    lines.forEach((line, index) => {
      const list = points(line.name);
      if (list.length < 2) return;
      const path = list.map((point, place) => `${place ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`).join("");
      if (lines.length === 1) picture.append(svg(
        "path",
        {
          class: `area f${index + 1}`,
          d: `${path}L${x(list.at(-1).at).toFixed(1)} ${bottom}L${x(list[0].at).toFixed(1)} ${bottom}Z`,
        },
      ));
      picture.append(svg("path", { class: `line s${index + 1}`, d: path }));
    });
    legend.append(h("li", {}, `top ${unit(top)}`), h("li", {}, `from ${minutes(Date.now() - start)}`));
  } else {
    legend.append(h("li", {}, note || "no values yet"));
  }
  if (lines.length > 1) legend.prepend(...lines.map((line, index) => h(
    "li", {}, h("span", { class: `k${index + 1}` }), words[index],
  )));
  return h("figure", { class: "panel chart" }, caption, picture, legend);
}
