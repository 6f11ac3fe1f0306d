// The second tab: what the model is, and how it was trained.

import { bar, bytes, count, element } from "./common.js";

/** Show a model, as /v1/model describes it. */
export function showModel(place, model) {
  place.replaceChildren(
    facts(model),
    curves(model.history),
    card("Settings, and why they are so", table(["setting", "value", "because"], model.settings)),
    card("Labels with most training examples", topLabels(model.top_labels)),
    card("How often labels occurred in training", spread(model.label_counts, model.labels)),
    card("Layers and tables", table(["layer", "neurons", "kind"], model.layers)),
    card("What it can be asked", table(["form", "meaning"], model.input.forms)),
    card("Arrays of the file", table(["name", "dtype", "shape", "bytes"], model.tensors.map(tensor))),
  );
}

function facts(model) {
  const all = {
    Labels: count(model.labels),
    Features: count(model.features),
    "Training examples": count(model.examples_seen),
    File: bytes(model.file_bytes),
    Version: model.version,
    "Written by": model.written_by,
  };
  const rows = Object.entries(all).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("dl", { class: "facts" }, rows);
}

function card(title, ...content) {
  return element("section", { class: "card", "aria-label": title }, element("h2", {}, title), ...content);
}

const isNumber = (value) => typeof value === "number";
const cell = (value) => (isNumber(value) ? count(value) : (value ?? "–"));

function table(columns, rows) {
  const head = columns.map((name) => element("th", { scope: "col", class: rows.some((row) => isNumber(row[name])) ? "number" : null }, name));
  const body = rows.map((row) =>
    element("tr", {}, columns.map((name, i) =>
      element(i ? "td" : "th", { scope: i ? null : "row", class: isNumber(row[name]) ? "number" : null }, cell(row[name])),
    )),
  );
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "table" },
    element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, body)));
}

function topLabels(labels) {
  const most = labels[0]?.examples || 1;
  const rows = labels.flatMap(({ label, examples }) => [
    element("dt", {}, String(label)),
    element("dd", {}, bar(examples / most)),
    element("dd", { class: "number" }, count(examples)),
  ]);
  return element("dl", { class: "reasons" }, rows);
}

function spread(counts, all) {
  const rows = counts.flatMap(({ at_least: low, at_most: high, labels }) => [
    element("dt", {}, high === null ? `${count(low)} or more` : low === high ? count(low) : `${count(low)} to ${count(high)}`),
    element("dd", {}, bar(labels / all)),
    element("dd", { class: "number" }, `${count(labels)} labels`),
  ]);
  return element("dl", { class: "reasons" }, rows);
}

const tensor = (one) => ({ ...one, shape: one.shape.join(" × ") });

// ---- Curves --------------------------------------------------------------------------------------------------------

const DRAWN = [/^loss$/, /^val_nDCG@5$/, /^val_P@1$/, /^val_/];

/** Return a chart for the loss and for at most two metrics of validation. */
function curves(history) {
  const names = Object.keys(history[0] ?? {}).filter((name) => DRAWN.some((pattern) => pattern.test(name)));
  const rank = (name) => DRAWN.findIndex((pattern) => pattern.test(name));
  names.sort((a, b) => rank(a) - rank(b));
  const charts = names.slice(0, 3).map((name) => chart(name, history.map((record) => record[name])));
  if (!charts.length) return card("Training", element("p", { class: "quiet" }, "The file does not tell how the training went."));
  return card("Training, epoch by epoch", element("div", { class: "charts" }, charts));
}

function chart(name, values) {
  const [width, height, left, right, top, bottom] = [300, 170, 48, 12, 26, 26];
  const known = values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (i) => left + ((width - left - right) * i) / Math.max(1, values.length - 1);
  const y = (value) => top + (height - top - bottom) * (high > low ? (high - value) / (high - low) : 0.5);
  const points = values.flatMap((value, i) => (value === null ? [] : [[x(i), y(value)]]));
  const title = name.replace("val_", "validation ");
  const shown = (value) => Number(value.toPrecision(3)).toString();
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `${title} of ${values.length} epochs: ${known.map(shown).join(", ")}` });
  drawing.append(
    svg("text", { x: left, y: 14 }, title),
    svg("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    svg("line", { class: "axis", x1: left, x2: left, y1: top, y2: height - bottom }),
    svg("text", { x: left - 6, y: y(high) + 4, "text-anchor": "end" }, shown(high)),
    ...(high > low ? [svg("text", { x: left - 6, y: y(low) + 4, "text-anchor": "end" }, shown(low))] : []),
    svg("text", { x: x(0), y: height - 8 }, "1"),
    svg("text", { x: width - right, y: height - 8, "text-anchor": "end" }, `epoch ${values.length}`),
    svg("polyline", { class: "curve", points: points.map((point) => point.join(",")).join(" ") }),
    ...points.map(([cx, cy]) => svg("circle", { class: "dot", cx, cy, r: 3.5 })),
  );
  return drawing;
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
