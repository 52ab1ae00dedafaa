// Looks at the page as it stands and lists what keeps people out: missing names and labels, low contrast, broken order.
() => {
  const problems = [];
  const tell = (rule, node, more = "") => problems.push(`${rule}: ${node.outerHTML.slice(0, 140)} ${more}`);
  const visible = node => node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && node.getClientRects().length > 0;
  const all = selector => [...document.querySelectorAll(selector)].filter(visible);
  const text = node => (node.getAttribute("aria-label") || node.textContent || "").trim();

  for (const node of all("input, select, textarea")) {
    if (!node.labels?.length && !node.getAttribute("aria-label") && !node.getAttribute("aria-labelledby")) tell("no label", node);
    else if (node.labels?.length && !text(node.labels[0]) && !node.getAttribute("aria-label")) tell("empty label", node);
  }
  for (const node of all("button, a[href], summary")) if (!text(node)) tell("no name", node);
  for (const node of all("img")) if (!node.hasAttribute("alt")) tell("no alternative text", node);
  for (const node of all('svg:not([aria-hidden="true"])')) if (!node.getAttribute("aria-label")) tell("unnamed picture", node);
  for (const node of all("table")) {
    if (!node.querySelector("caption")) tell("no caption", node);
    for (const head of node.querySelectorAll("th")) if (!head.hasAttribute("scope")) tell("th without scope", head);
  }
  for (const node of all("[tabindex]")) if (Number(node.getAttribute("tabindex")) > 0) tell("tab order forced", node);
  for (const node of document.querySelectorAll("[aria-labelledby]")) if (!document.getElementById(node.getAttribute("aria-labelledby"))) tell("label is missing", node);
  for (const node of all("[onclick]")) tell("inline handler", node);
  const ids = [...document.querySelectorAll("[id]")].map(node => node.id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) problems.push(`id twice: ${id}`);
  if (!document.documentElement.lang) problems.push("no language");
  if (all("h1").length !== 1) problems.push(`${all("h1").length} main headings`);
  let level = 1;
  for (const node of all("h1, h2, h3, h4")) {
    const now = Number(node.tagName[1]);
    if (now > level + 1) tell("heading level skipped", node);
    level = now;
  }
  if (!all("main").length) problems.push("no main landmark");

  const parse = color => {
    const numbers = color.startsWith("color(srgb") ? color.match(/[\d.]+/g).map((value, index) => (index < 3 ? value * 255 : Number(value))) : color.match(/[\d.]+/g)?.map(Number);
    return numbers ? { rgb: numbers.slice(0, 3), alpha: numbers[3] ?? 1 } : { rgb: [0, 0, 0], alpha: 0 };
  };
  const over = (front, back, alpha) => front.map((value, index) => value * alpha + back[index] * (1 - alpha));
  const background = node => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.alpha > 0) layers.push(color);
      if (color.alpha >= 1) break;
    }
    return layers.reverse().reduce((below, color) => over(color.rgb, below, color.alpha), [255, 255, 255]);
  };
  const luminance = rgb => {
    const [red, green, blue] = rgb.map(value => value / 255).map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(node) || !visible(node) || node.closest(":disabled, .hide, script, noscript, svg")) continue;
    seen.add(node);
    const style = getComputedStyle(node);
    const color = parse(style.color), back = background(node);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = ratio(over(color.rgb, back, color.alpha), back);
    if (found < (large ? 3 : 4.5)) tell("contrast", node, `${found.toFixed(2)}:1`);
  }
  for (const node of all('input:not([type="checkbox"]), select, textarea')) {
    const found = ratio(parse(getComputedStyle(node).borderTopColor).rgb, background(node.parentElement));
    if (found < 3) tell("field's edge", node, `${found.toFixed(2)}:1`);
  }
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) problems.push(`wider than the screen by ${document.documentElement.scrollWidth - document.documentElement.clientWidth} px`);
  return problems;
}
