"use strict";
// Everything the page draws comes from the JSON in #data; nothing is loaded from anywhere else.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const hidden = new Set();
const redraws = [];
let facet = data.facets[0];

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}
function svg(name, attributes = {}, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
const known = (v) => v !== null && Number.isFinite(v);
function short(v) {
  if (!known(v)) return "–";
  const size = Math.abs(v);
  if (v !== 0 && (size < 1e-3 || size >= 1e5)) {
    const [digits, power] = v.toExponential(1).split("e");
    const raised = [...power.replace("+", "")].map((c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]).join("");
    return digits === "1.0" ? `10${raised}` : `${digits.replace(".0", "")}·10${raised}`;
  }
  return String(Number(v.toPrecision(3)));
}

function ticks(low, high, log, count) {
  const found = [];
  if (log) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const parts = Math.log10(high / low) <= 2.5 ? [1, 2, 5] : [1];
    const every = Math.max(1, Math.ceil((last - first) / count));
    for (let e = first; e <= last; e += every) for (const m of parts) found.push(m * 10 ** e);
  } else {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
    for (let i = Math.ceil(low / step); i * step <= high + 1e-9 * step; i++) found.push(Number((i * step).toPrecision(12)));
  }
  return found.filter((t) => t >= low * (log ? 0.999 : 1) - (log ? 0 : 1e-12) && t <= high * (log ? 1.001 : 1) + (log ? 0 : 1e-12));
}

function marker(kind, x, y, r, colour) {
  const shapes = {
    o: `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`,
    s: `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    "^": `M${x},${y - r}l${r},${1.8 * r}h${-2 * r}z`,
    v: `M${x},${y + r}l${r},${-1.8 * r}h${-2 * r}z`,
    D: `M${x},${y - 1.2 * r}l${1.2 * r},${1.2 * r}l${-1.2 * r},${1.2 * r}l${-1.2 * r},${-1.2 * r}z`,
    P: `M${x - r / 3},${y - r}h${r / 1.5}v${r / 1.5}h${r / 1.5}v${r / 1.5}h${-r / 1.5}v${r / 1.5}h${-r / 1.5}v${-r / 1.5}h${-r / 1.5}v${-r / 1.5}h${r / 1.5}z`,
    X: `M${x - r},${y - r}L${x + r},${y + r}M${x + r},${y - r}L${x - r},${y + r}`,
  };
  return svg("path", { d: shapes[kind] || shapes.o, fill: kind === "X" ? "none" : colour, stroke: colour, "stroke-width": kind === "X" ? 2 : 0.5 });
}

// A line chart with a crosshair for the mouse, touch and arrow keys. `get` returns
// {x, xlabel, ylabel, logx, logy, low, high, rule, integer, series: [{name, y, low, high, thin}]}.
function chart(id, get) {
  const box = document.getElementById(id);
  if (!box) return;
  const tip = el("div", { class: "tip", role: "status", "aria-live": "polite" });
  tip.hidden = true;
  let at = null;

  function draw() {
    const spec = get();
    const width = Math.max(280, box.clientWidth || 640), height = Math.round(Math.min(380, Math.max(260, width * 0.56)));
    const m = { l: 58, r: 14, t: 12, b: 44 };
    const series = spec.series.filter((s) => !hidden.has(s.name));
    const values = series.flatMap((s) => [...s.y, ...(spec.logy ? [] : [...(s.low || []), ...(s.high || [])])]).filter((v) => known(v) && (!spec.logy || v > 0));
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: "0", "aria-label": `${spec.ylabel} against ${spec.xlabel}; arrow keys read the values` });
    let low = spec.low ?? Math.min(...values), high = spec.high ?? Math.max(...values);
    if (!values.length) { low = spec.logy ? 0.1 : 0; high = 1; }
    if (spec.logy) { low /= 1.25; high *= 1.25; } else if (high - low < 1e-12) { high += spec.low === 0 ? 1 : 0.5; low -= spec.low === 0 ? 0 : 0.5; }
    const f = spec.logy ? Math.log10 : (v) => v, g = spec.logx ? Math.log10 : (v) => v;
    const x0 = g(spec.x[0]), x1 = g(spec.x[spec.x.length - 1]), span = x1 - x0 || 1;
    const px = (v) => m.l + ((x1 === x0 ? 0.5 : (g(v) - x0) / span)) * (width - m.l - m.r);
    const py = (v) => m.t + (1 - (f(Math.min(Math.max(v, low), high)) - f(low)) / (f(high) - f(low))) * (height - m.t - m.b);
    for (const t of ticks(low, high, spec.logy, 6)) {
      root.append(svg("line", { class: "grid", x1: m.l, x2: width - m.r, y1: py(t), y2: py(t) }));
      root.append(svg("text", { x: m.l - 8, y: py(t) + 4, "text-anchor": "end" }, short(t)));
    }
    let marks = spec.logx ? spec.x : ticks(spec.x[0], spec.x[spec.x.length - 1], false, width < 420 ? 4 : 8);
    if (spec.integer) marks = marks.filter(Number.isInteger);
    for (const t of marks) root.append(svg("text", { x: px(t), y: height - m.b + 18, "text-anchor": "middle" }, short(t)));
    root.append(svg("line", { class: "axis", x1: m.l, x2: width - m.r, y1: height - m.b, y2: height - m.b }));
    root.append(svg("text", { x: (m.l + width - m.r) / 2, y: height - 6, "text-anchor": "middle" }, spec.xlabel));
    root.append(svg("text", { transform: `translate(13 ${(height - m.b) / 2}) rotate(-90)`, "text-anchor": "middle" }, spec.ylabel));
    if (known(spec.rule)) {
      root.append(svg("line", { x1: m.l, x2: width - m.r, y1: py(spec.rule), y2: py(spec.rule), stroke: "#5b6b78", "stroke-dasharray": "2 3" }));
      root.append(svg("text", { x: m.l + 4, y: py(spec.rule) - 4 }, `target ${short(spec.rule)}`));
    }
    const path = (y) => {
      let d = "", pen = false;
      y.forEach((v, i) => {
        const draws = known(v) && (!spec.logy || v > 0);
        if (draws) d += `${pen ? "L" : "M"}${px(spec.x[i]).toFixed(1)},${py(v).toFixed(1)}`;
        pen = draws;
      });
      return d;
    };
    series.forEach((s, k) => {
      const style = data.styles[s.name];
      if (s.low) {
        const inside = spec.x.map((_, i) => i).filter((i) => known(s.low[i]) && known(s.high[i]));
        const there = inside.map((i) => `${px(spec.x[i]).toFixed(1)},${py(s.high[i]).toFixed(1)}`);
        const back = inside.reverse().map((i) => `${px(spec.x[i]).toFixed(1)},${py(s.low[i]).toFixed(1)}`);
        if (there.length > 1) root.append(svg("polygon", { points: [...there, ...back].join(" "), fill: style.colour, opacity: 0.12 }));
      }
      for (const y of s.thin || []) root.append(svg("path", { d: path(y), fill: "none", stroke: style.colour, "stroke-width": 0.8, opacity: 0.5 }));
      root.append(svg("path", { d: path(s.y), fill: "none", stroke: style.colour, "stroke-width": 2, "stroke-dasharray": style.dash, "stroke-linejoin": "round" }));
      const every = Math.max(1, Math.ceil(s.y.length / 8));
      s.y.forEach((v, i) => {
        if (!spec.bare && known(v) && (!spec.logy || v > 0) && (s.y.length <= 12 || (i + k) % every === 0)) root.append(marker(style.marker, px(spec.x[i]), py(v), 3.4, style.colour));
      });
    });
    const cross = svg("line", { y1: m.t, y2: height - m.b, stroke: "#5b6b78", "stroke-width": 1, visibility: "hidden" });
    root.append(cross);

    function point(i) {
      at = i;
      if (i === null) { tip.hidden = true; cross.setAttribute("visibility", "hidden"); return; }
      const x = px(spec.x[i]);
      cross.setAttribute("x1", x); cross.setAttribute("x2", x); cross.setAttribute("visibility", "visible");
      const body = el("table");
      const order = [...series].sort((a, b) => (b.y[i] ?? -Infinity) - (a.y[i] ?? -Infinity));
      for (const s of order) {
        const range = s.low && known(s.low[i]) && s.high[i] > s.low[i] ? `${short(s.low[i])} – ${short(s.high[i])}` : "";
        body.append(el("tr", {}, el("td", {}, swatch(s.name)), el("td", {}, s.name), el("td", {}, short(s.y[i])), el("td", { class: "soft" }, range)));
      }
      tip.replaceChildren(el("strong", {}, `${spec.xlabel} ${short(spec.x[i])}`), body);
      tip.hidden = false;
      const scale = box.clientWidth / width, left = x * scale;
      tip.style.top = "8px";
      tip.style.left = left > box.clientWidth / 2 ? `${Math.max(0, left - tip.offsetWidth - 14)}px` : `${Math.min(left + 14, Math.max(0, box.clientWidth - tip.offsetWidth))}px`;
    }
    function nearest(event) {
      const at = (event.clientX - root.getBoundingClientRect().left) * (width / root.getBoundingClientRect().width);
      return spec.x.reduce((best, v, i) => (Math.abs(px(v) - at) < Math.abs(px(spec.x[best]) - at) ? i : best), 0);
    }
    root.addEventListener("pointermove", (event) => point(nearest(event)));
    root.addEventListener("pointerdown", (event) => point(nearest(event)));
    root.addEventListener("pointerleave", () => point(null));
    root.addEventListener("blur", () => point(null));
    root.addEventListener("keydown", (event) => {
      const last = spec.x.length - 1, now = at ?? -1;
      const next = { ArrowRight: Math.min(last, now + 1), ArrowLeft: Math.max(0, now - 1), Home: 0, End: last }[event.key];
      if (next !== undefined) { point(next); event.preventDefault(); }
      if (event.key === "Escape") point(null);
    });
    box.replaceChildren(root, tip);
    tip.hidden = true;
  }
  redraws.push(draw);
}

function swatch(name) {
  const style = data.styles[name];
  const node = svg("svg", { width: 34, height: 12, viewBox: "0 0 34 12", "aria-hidden": "true" });
  node.append(svg("line", { x1: 0, x2: 34, y1: 6, y2: 6, stroke: style.colour, "stroke-width": 2.2, "stroke-dasharray": style.dash }), marker(style.marker, 17, 6, 3.6, style.colour));
  return node;
}

const byId = (id) => document.getElementById(id);
const value = (id) => byId(id)?.value;
const here = () => data.curves[facet];

chart("convergence", () => {
  const metric = value("metric"), all = here(), seeds = byId("seeds").checked;
  const rule = metric === data.target_metric ? data.targets[facet] : null;
  return {
    x: data.steps, xlabel: "optimiser step", ylabel: data.metrics[metric], logy: byId("logy").checked, rule,
    series: Object.entries(all).filter(([, c]) => c[metric]).map(([name, c]) => ({ name, y: c[metric].mean, low: seeds ? null : c[metric].low, high: seeds ? null : c[metric].high, thin: seeds ? c[metric].runs : [] })),
  };
});
chart("flow", () => {
  const t = Number(value("moment")), all = here();
  const found = Object.entries(all).filter(([, c]) => c.gradient_norm);
  const layers = Math.max(0, ...found.map(([, c]) => c.gradient_norm[0].length));
  byId("moment_text").textContent = `step ${data.steps[t]}`;
  return {
    x: Array.from({ length: layers }, (_, i) => i + 1), xlabel: "weight layer, input side first", ylabel: "gradient norm (L2)", logy: true, integer: true,
    series: found.map(([name, c]) => ({ name, y: c.gradient_norm[t] })),
  };
});
chart("rates", () => {
  const found = Object.entries(data.sensitivity[facet]), rates = [...new Set(found.flatMap(([, s]) => s.rates))].sort((a, b) => a - b);
  const pick = (s, key) => rates.map((r) => s[key][s.rates.indexOf(r)] ?? null);
  return { x: rates, xlabel: "learning rate", ylabel: `validation ${data.metric_word}`, logx: true, series: found.map(([name, s]) => ({ name, y: pick(s, "means"), low: pick(s, "lows"), high: pick(s, "highs") })) };
});
chart("health", () => {
  const measure = value("measure");
  return { x: data.steps, xlabel: "optimiser step", ylabel: data.measures[measure], low: measure === "preactivation_std" ? undefined : 0, series: Object.entries(here()).filter(([, c]) => c[measure]).map(([name, c]) => ({ name, y: c[measure] })) };
});
chart("profile", () => ({ x: data.profiles[facet].thresholds, xlabel: `test ${data.metric_word}`, ylabel: "share of runs above", low: 0, high: 1, bare: true, series: Object.entries(data.profiles[facet].shares).map(([name, y]) => ({ name, y })) }));

// Gradient norms over layers and steps, one small map an activation, one colour scale for all of them.
const RAMP = ["#fde725", "#7ad151", "#22a884", "#2a788e", "#414487", "#440154"].reverse();
function ramp(u) {
  const at = Math.min(0.9999, Math.max(0, u)) * (RAMP.length - 1), i = Math.floor(at), part = at - i;
  const mix = [1, 3, 5].map((k) => Math.round(parseInt(RAMP[i].slice(k, k + 2), 16) * (1 - part) + parseInt(RAMP[i + 1].slice(k, k + 2), 16) * part));
  return `rgb(${mix.join(",")})`;
}
function maps() {
  const box = byId("maps");
  if (!box) return;
  const found = Object.entries(here()).filter(([name, c]) => c.gradient_norm && !hidden.has(name));
  const logs = found.flatMap(([, c]) => c.gradient_norm.flat()).filter((v) => known(v) && v > 0).map(Math.log10);
  const high = Math.max(...logs), low = Math.max(Math.min(...logs), high - 12);
  byId("scale").textContent = logs.length ? `dark ${short(10 ** low)} … light ${short(10 ** high)}` : "";
  box.replaceChildren(...found.map(([name, c]) => {
    const every = Math.max(1, Math.ceil(data.steps.length / 40)), columns = data.steps.map((_, i) => i).filter((i) => i % every === 0);
    const layers = c.gradient_norm[0].length, width = 200, height = 110, w = width / columns.length, h = height / layers;
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "none", "aria-label": `${name}: gradient norm over layers and steps` });
    columns.forEach((t, i) => c.gradient_norm[t].forEach((v, layer) => {
      const cell = svg("rect", { x: i * w, y: layer * h, width: w + 0.4, height: h + 0.4, fill: known(v) && v > 0 ? ramp((Math.log10(v) - low) / (high - low || 1)) : "#e8ecef" });
      cell.append(svg("title", {}, `${name}, layer ${layer + 1}, step ${data.steps[t]}: ${short(v)}`));
      root.append(cell);
    }));
    const told = data.predicted?.[facet]?.[name];
    const note = known(told) ? el("span", { class: "soft" }, ` theory ${short(told)}, measured ${short(data.ratios[facet][name])}`) : "";
    return el("figure", {}, el("figcaption", {}, name, note), root);
  }));
}
redraws.push(maps);

function rowsShown() {
  for (const row of document.querySelectorAll("#results tbody tr")) row.hidden = row.dataset.facet !== facet;
}
redraws.push(rowsShown);
function redraw() { for (const draw of redraws) draw(); }

// The legend is one for the whole page.
const legend = byId("legend");
for (const name of Object.keys(data.styles)) {
  const button = el("button", { type: "button", "aria-pressed": "true", title: "show or hide" }, swatch(name), name);
  button.addEventListener("click", () => {
    if (hidden.has(name)) hidden.delete(name); else hidden.add(name);
    button.setAttribute("aria-pressed", String(!hidden.has(name)));
    redraw();
  });
  legend.append(button);
}
const everything = el("button", { type: "button" }, "all / none");
everything.addEventListener("click", () => {
  const names = Object.keys(data.styles), show = hidden.size > 0;
  hidden.clear();
  if (!show) names.forEach((name) => hidden.add(name));
  legend.querySelectorAll("[aria-pressed]").forEach((button) => button.setAttribute("aria-pressed", String(show)));
  redraw();
});
legend.append(everything);

for (const cell of document.querySelectorAll("[data-swatch]")) cell.prepend(swatch(cell.dataset.swatch), " ");
for (const id of ["metric", "logy", "seeds", "moment", "measure"]) byId(id)?.addEventListener("input", redraw);
byId("metric")?.addEventListener("input", () => { byId("logy").checked = value("metric").endsWith("loss"); redraw(); });
byId("facet")?.addEventListener("input", () => { facet = value("facet"); redraw(); });

for (const button of document.querySelectorAll("#results thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = document.querySelector("#results tbody");
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const column = [...head.parentNode.children].indexOf(head);
    const key = (row) => row.children[column].dataset.value;
    const rows = [...body.rows].sort((a, b) => {
      const [p, q] = [key(a), key(b)], [u, v] = [Number(p), Number(q)];
      if (p === "" || q === "") return (p === "") - (q === "");  // what is not known stays at the end
      return (up ? 1 : -1) * (Number.isNaN(u) || Number.isNaN(v) ? p.localeCompare(q) : u - v);
    });
    body.append(...rows);
  });
}

function offer(id, name, kind, make) {
  byId(id)?.addEventListener("click", () => {
    const url = URL.createObjectURL(new Blob([make()], { type: kind }));
    const link = el("a", { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  });
}
offer("json", "jaxacts-comparison.json", "application/json", () => JSON.stringify(data.document, null, 1));
offer("csv", "jaxacts-comparison.csv", "text/csv", () => {
  const rows = data.document.rows, keys = Object.keys(rows[0]);
  const cell = (v) => (v === null ? "" : /[",\n]/.test(String(v)) ? `"${String(v).replace(/"/g, '""')}"` : String(v));
  return [keys.join(","), ...rows.map((row) => keys.map((key) => cell(row[key])).join(","))].join("\n") + "\n";
});
offer("curves", "jaxacts-curves.json", "application/json", () => JSON.stringify({ steps: data.steps, curves: data.curves }, null, 1));

let waiting = 0;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 120); });
redraw();
document.documentElement.dataset.ready = "yes";
