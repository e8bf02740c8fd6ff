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
// {x, xlabel, ylabel, logx, logy, low, high, rule, integer, names, series: [{name, y, low, high, thin, ghost, ring}]};
// `names` are the words at x for what is not a number, `ghost` is a dotted line, `ring` an index to mark.
function chart(id, get) {
  const box = document.getElementById(id);
  if (!box) return;
  const tip = el("div", { class: "tip", role: "status", "aria-live": "polite" });
  tip.hidden = true;
  let at = null;

  function draw() {
    const spec = get();
    const width = Math.max(280, box.clientWidth || 640), height = Math.round(Math.min(380, Math.max(260, width * 0.56)));
    const m = { l: 58, r: spec.names ? 34 : 14, t: 12, b: 44 };
    const series = spec.series.filter((s) => !hidden.has(s.name));
    const values = series.flatMap((s) => [...s.y, ...(s.ghost || []), ...(spec.logy ? [] : [...(s.low || []), ...(s.high || [])])]).filter((v) => known(v) && (!spec.logy || v > 0));
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
    let marks = spec.logx || spec.names ? spec.x : ticks(spec.x[0], spec.x[spec.x.length - 1], false, width < 420 ? 4 : 8);
    if (spec.integer) marks = marks.filter(Number.isInteger);
    const said = (t) => (spec.names ? spec.names[t] : short(t));
    for (const t of marks) root.append(svg("text", { x: px(t), y: height - m.b + 18, "text-anchor": "middle" }, said(t)));
    root.append(svg("line", { class: "axis", x1: m.l, x2: width - m.r, y1: height - m.b, y2: height - m.b }));
    root.append(svg("text", { x: (m.l + width - m.r) / 2, y: height - 6, "text-anchor": "middle" }, spec.xlabel));
    root.append(svg("text", { transform: `translate(13 ${(height - m.b) / 2}) rotate(-90)`, "text-anchor": "middle" }, spec.ylabel));
    if (known(spec.rule)) {
      root.append(svg("line", { x1: m.l, x2: width - m.r, y1: py(spec.rule), y2: py(spec.rule), stroke: "#5b6b78", "stroke-dasharray": "2 3" }));
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
      if (s.ghost) root.append(svg("path", { d: path(s.ghost), fill: "none", stroke: style.colour, "stroke-width": 1.4, "stroke-dasharray": "1 3", class: "ghost" }));
      if (known(s.y[s.ring])) root.append(svg("circle", { cx: px(spec.x[s.ring]), cy: py(s.y[s.ring]), r: 7, fill: "none", stroke: style.colour, "stroke-width": 1.5 }));
      for (const y of s.thin || []) root.append(svg("path", { d: path(y), fill: "none", stroke: style.colour, "stroke-width": 0.8, opacity: 0.5 }));
      root.append(svg("path", { d: path(s.y), fill: "none", stroke: style.colour, "stroke-width": 2, "stroke-dasharray": style.dash, "stroke-linejoin": "round" }));
      const every = Math.max(1, Math.ceil(s.y.length / 8));
      s.y.forEach((v, i) => {
        if (!spec.bare && known(v) && (!spec.logy || v > 0) && (s.y.length <= 12 || (i + k) % every === 0)) root.append(marker(style.marker, px(spec.x[i]), py(v), 3.4, style.colour));
      });
    });
    if (known(spec.rule)) root.append(svg("text", { class: "halo", x: width - m.r - 4, y: py(spec.rule) + 14, "text-anchor": "end" }, `target ${short(spec.rule)}`));
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
        body.append(el("tr", {}, el("td", {}, swatch(s.name)), el("td", {}, el("span", { class: "name" }, s.name)), el("td", {}, short(s.y[i])), el("td", { class: "soft" }, range)));
      }
      tip.replaceChildren(el("strong", {}, `${spec.xlabel} ${said(spec.x[i])}`), body);
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
// What an activation measured over layers: the list of layers shown, and values by step and layer.
const layersOf = (name, measure) => data.layers[facet][name]?.[measure];
// Values over steps: of one layer by its number, or of all layers together (0).
function overSteps(found, layer, log) {
  const at = found.rows.indexOf(layer);
  return found.values.map((row) => {
    if (layer) return at < 0 ? null : row[at];
    const some = row.filter((v) => known(v) && (!log || v > 0));
    if (!some.length) return null;
    const mean = some.reduce((sum, v) => sum + (log ? Math.log(v) : v), 0) / some.length;
    return log ? Math.exp(mean) : mean;
  });
}

chart("flow", () => {
  const t = Number(value("moment"));
  const found = Object.keys(here()).filter((name) => layersOf(name, "gradient_norm"));
  const rows = [...new Set(found.flatMap((name) => layersOf(name, "gradient_norm").rows))].sort((a, b) => a - b);
  byId("moment_text").textContent = `step ${data.layer_steps[t]}`;
  const pick = (name, values) => rows.map((row) => values[layersOf(name, "gradient_norm").rows.indexOf(row)] ?? null);
  return {
    x: rows, xlabel: "weight layer, input side first", ylabel: "gradient norm (L2)", logy: true, integer: true,
    series: found.map((name) => ({ name, y: pick(name, layersOf(name, "gradient_norm").values[t]), ghost: t === 0 ? told(name, rows) : null })),
  };
});
// The prediction for given layers, scaled to the measured norm of the last layer at the first record.
function told(name, rows) {
  const profile = data.theory[facet]?.[name], found = layersOf(name, "gradient_norm");
  if (!profile || !found) return null;
  const last = found.values[0][found.rows.length - 1];
  return known(last) ? rows.map((row) => (known(profile[row - 1]) ? profile[row - 1] * last : null)) : null;
}
chart("rates", () => {
  const found = Object.entries(data.sensitivity[facet]), rates = [...new Set(found.flatMap(([, s]) => s.rates))].sort((a, b) => a - b);
  const pick = (s, key) => rates.map((r) => s[key][s.rates.indexOf(r)] ?? null);
  return { x: rates, xlabel: "learning rate", ylabel: `validation ${data.metric_word}`, logx: true, series: found.map(([name, s]) => ({ name, y: pick(s, "means"), low: pick(s, "lows"), high: pick(s, "highs"), ring: rates.indexOf(data.chosen[facet][name]) })) };
});
function offerLayers() {
  const box = byId("layer"), about = data.measures[value("measure")];
  if (!box) return;
  const base = value("measure") === "preactivation_quantiles" ? "preactivation_q50" : value("measure");
  const rows = [...new Set(Object.keys(here()).flatMap((name) => layersOf(name, base)?.rows ?? []))].sort((a, b) => a - b);
  const before = box.value, word = about.axis === "values" ? "value" : about.axis === "weights" ? "weight layer" : "layer";
  const all = about.axis === "values" ? "all values (geometric mean)" : about.log ? "all layers (geometric mean)" : "all layers (mean)";
  box.replaceChildren(el("option", { value: "0" }, all), ...rows.map((row) => el("option", { value: String(row) }, `${word} ${row}`)));
  box.value = rows.includes(Number(before)) ? before : "0";
  box.hidden = about.axis === "none"; document.querySelector("label[for=layer]").hidden = box.hidden;
}
chart("health", () => {
  offerLayers();
  const measure = value("measure"), about = data.measures[measure], layer = about.axis === "none" ? 1 : Number(value("layer"));
  const quartiles = measure === "preactivation_quantiles";
  const get = (name, key) => { const found = layersOf(name, key); return found ? overSteps(found, layer, about.log) : null; };
  const series = Object.keys(here()).map((name) => (quartiles
    ? { name, y: get(name, "preactivation_q50"), low: get(name, "preactivation_q25"), high: get(name, "preactivation_q75") }
    : { name, y: get(name, measure) })).filter((s) => s.y);
  const missing = Object.keys(here()).filter((name) => !series.some((s) => s.name === name));
  byId("health_note").textContent = `${about.log ? "Median" : "Mean"} over seeds.` + (missing.length ? ` Not defined for ${missing.join(", ")}.` : "");
  const share = ["dead", "saturated", "zero_gradient"].includes(measure);
  return { x: data.layer_steps, xlabel: "optimiser step", ylabel: about.label, logy: about.log, low: share ? 0 : undefined, series };
});
if (byId("across")) chart("across", () => {
  const axis = value("across_axis"), values = data.axes[axis];
  const at = values.map((v) => data.facets.find((f) => Object.keys(data.axes).every((a) => data.settings[f][a] === (a === axis ? v : data.settings[facet][a]))));
  const numbers = values.every((v) => typeof v === "number") && values.length > 1;
  const order = values.map((_, i) => i).sort((a, b) => (numbers ? values[a] - values[b] : a - b));
  const logx = numbers && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) >= 8;
  const pick = (name, k) => order.map((i) => data.means[at[i]]?.[name]?.[k] ?? null);
  return {
    x: numbers ? order.map((i) => values[i]) : order, names: numbers ? null : order.map((i) => String(values[i])), logx, xlabel: axis.replace("_", " "), ylabel: data.score,
    series: Object.keys(data.styles).map((name) => ({ name, y: pick(name, 0), low: pick(name, 1), high: pick(name, 2) })),
  };
});
chart("profile", () => ({ x: data.profiles[facet].thresholds, xlabel: `test ${data.metric_word}`, ylabel: "share of runs above", low: 0, high: 1, bare: true, series: Object.entries(data.profiles[facet].shares).map(([name, s]) => ({ name, y: s.mean, low: s.low, high: s.high })) }));

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
  const measure = value("mapped"), about = data.measures[measure], theory = measure === "gradient_norm";
  const found = Object.keys(here()).filter((name) => layersOf(name, measure) && !hidden.has(name)).map((name) => [name, layersOf(name, measure)]);
  const place = (v) => (!known(v) || (about.log && v <= 0) ? null : about.log ? Math.log10(v) : v);
  const places = found.flatMap(([, c]) => c.values.flat()).map(place).filter(known);
  const high = Math.max(...places), low = about.log ? Math.max(Math.min(...places), high - 12) : Math.min(...places);
  const back = (p) => short(about.log ? 10 ** p : p);
  const colour = (v) => { const p = place(v); return p === null ? "#dfe5e9" : ramp(high > low ? (p - low) / (high - low) : 0); };
  const bar = svg("svg", { width: 120, height: 12, viewBox: "0 0 120 12", preserveAspectRatio: "none" });
  for (let i = 0; i < 60; i++) bar.append(svg("rect", { x: 2 * i, y: 0, width: 2.2, height: 12, fill: ramp(i / 59) }));
  byId("scale").replaceChildren(...(places.length ? [back(low), bar, `${back(high)}${about.log ? " (log scale)" : ""}`] : []));
  const row = { weights: "weight layer", layers: "layer", values: "value" }[about.axis];
  box.replaceChildren(...found.map(([name, c]) => {
    const every = Math.max(1, Math.ceil(data.layer_steps.length / 40)), columns = data.layer_steps.map((_, i) => i).filter((i) => i % every === 0);
    const expected = theory ? told(name, c.rows) : null, left = expected ? 18 : 0;
    const width = 200, height = 110, w = (width - left) / columns.length, h = height / c.rows.length;
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "none", "aria-label": `${name}: ${about.label} over layers and steps` });
    const cell = (x, wide, k, v, text) => {
      const rect = svg("rect", { x, y: k * h, width: wide, height: h + 0.3, fill: colour(v) });
      rect.append(svg("title", {}, text));
      root.append(rect);
    };
    expected?.forEach((v, k) => cell(0, 12, k, v, `${name}, ${row} ${c.rows[k]}, theory at initialisation: ${short(v)}`));
    columns.forEach((t, i) => c.values[t].forEach((v, k) => cell(left + i * w, w + 0.3, k, v, `${name}, ${row} ${c.rows[k]}, step ${data.layer_steps[t]}: ${short(v)}`)));
    const ratio = theory ? data.predicted[facet]?.[name] : null;
    const note = known(ratio) ? el("span", { class: "soft" }, `theory ${short(ratio)}, measured ${short(data.ratios[facet][name])}`) : "";
    return el("figure", {}, el("figcaption", {}, name, note), root);
  }));
}
redraws.push(maps);

function rowsShown() {
  for (const row of document.querySelectorAll(".sortable tbody tr")) row.hidden = row.dataset.facet !== facet;
  for (const row of document.querySelectorAll("#settings tbody tr")) row.classList.toggle("shown", data.facets[row.dataset.index] === facet);
  for (const place of document.querySelectorAll(".facet")) place.textContent = facet.replaceAll("_", " ");
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
const everything = el("button", { type: "button", class: "all" }, "all / none");
everything.addEventListener("click", () => {
  const names = Object.keys(data.styles), show = hidden.size > 0;
  hidden.clear();
  if (!show) names.forEach((name) => hidden.add(name));
  legend.querySelectorAll("[aria-pressed]").forEach((button) => button.setAttribute("aria-pressed", String(show)));
  redraw();
});
legend.append(everything);

for (const cell of document.querySelectorAll("[data-swatch]")) cell.prepend(swatch(cell.dataset.swatch), " ");
for (const id of ["metric", "logy", "seeds", "moment", "measure", "layer", "mapped", "across_axis"]) byId(id)?.addEventListener("input", redraw);
byId("metric")?.addEventListener("input", () => { byId("logy").checked = value("metric").endsWith("loss"); redraw(); });
const pickers = [...document.querySelectorAll("select[data-axis]")];
function show(next) {
  facet = next;
  for (const box of pickers) box.value = String(data.axes[box.dataset.axis].indexOf(data.settings[facet][box.dataset.axis]));
  redraw();
}
for (const box of pickers) box.addEventListener("input", () => show(data.facets.find((f) => pickers.every((b) => data.settings[f][b.dataset.axis] === data.axes[b.dataset.axis][Number(b.value)]))));
for (const row of document.querySelectorAll("#settings tbody tr")) row.addEventListener("click", () => show(data.facets[row.dataset.index]));

for (const button of document.querySelectorAll(".sortable thead button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
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
offer("curves", "jaxacts-curves.json", "application/json", () => JSON.stringify({ steps: data.steps, curves: data.curves, layer_steps: data.layer_steps, layers: data.layers }, null, 1));

let waiting = 0;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 120); });
redraw();
document.documentElement.dataset.ready = "yes";
