// The search box: answers while somebody types, and says why.

import { amount, ask, bar, byId, count, element, keepToken, percent } from "./common.js";
import { showModel } from "./model.js";

const [box, results, form] = [byId("q"), byId("results"), byId("search-form")];
let model = null;
let running = null; // the request whose answer is awaited
let announcing = 0;

// ---- The model -----------------------------------------------------------------------------------------------------

async function begin() {
  try {
    model = await ask("v1/model");
  } catch (error) {
    return complain(error, begin);
  }
  calm();
  document.title = `${model.name} – hashslide`;
  byId("name").textContent = model.name;
  byId("q-label").textContent = `Search ${count(model.labels)} labels`;
  box.placeholder = { text: "Type a text", words: "Type words", ids: "Type features, such as 12:1.0 57:2" }[model.input.kind];
  const [first, ...more] = model.input.columns;
  if (more.length) {
    byId("q-label").textContent = first;
    byId("columns").replaceChildren(...more.map(column));
  }
  const { available, default: isDefault, because } = model.approximate;
  byId("approximate").disabled = !available;
  byId("approximate").checked = isDefault;
  byId("approximate-note").textContent = available ? "" : `Always exact: ${because}.`;
  showModel(byId("view-model"), model);
  const asked = new URLSearchParams(location.hash.slice(1)).get("q");
  if (asked && !box.value) box.value = asked;
  search();
}

function column(name, i) {
  const id = `column-${i}`;
  const input = element("input", { id, type: "text", autocomplete: "off", "data-column": name, oninput: search });
  return element("div", {}, element("label", { for: id }, name), input);
}

// ---- Searching -----------------------------------------------------------------------------------------------------

async function search() {
  running?.abort();
  const texts = asked();
  const words = Object.values(texts).join(" ").trim();
  history.replaceState(null, "", words ? `#${new URLSearchParams({ q: box.value })}` : location.pathname);
  if (!words) return showNothing();
  const mine = (running = new AbortController());
  const begun = performance.now();
  try {
    const found = await answer(texts, mine.signal);
    if (mine === running) show(found, performance.now() - begun);
  } catch (error) {
    if (error.name !== "AbortError") complain(error, search);
  }
}

function asked() {
  const texts = { [model?.input.columns[0] ?? "text"]: box.value };
  for (const input of byId("columns").querySelectorAll("input")) texts[input.dataset.column] = input.value;
  return texts;
}

async function answer(texts, signal) {
  const approximate = byId("approximate").checked;
  if (Object.keys(texts).length === 1) {
    const query = new URLSearchParams({ q: box.value, k: most(10), approximate: approximate ? "yes" : "no" });
    return ask(`v1/search?${query}`, { signal });
  }
  const wanted = { inputs: [{ text: texts }], k: most(10), approximate, explain: 5, examples: 3 };
  const found = await ask("v1/predict", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted),
    signal,
  });
  return { ...found, ...found.predictions[0] };
}

const most = (k) => Math.min(k, model.limits.max_k);

function showNothing() {
  calm();
  results.replaceChildren();
  byId("took").textContent = "";
  byId("unknown").hidden = true;
  byId("hint").textContent = model
    ? `Begin to type. The best of ${count(model.labels)} labels appear here, with the words that spoke for them.`
    : "";
}

function show(found, milliseconds) {
  calm();
  byId("hint").textContent = found.n_features
    ? ""
    : "The model knows nothing of this. These labels are the most likely ones whatever is asked.";
  byId("unknown").hidden = !found.unknown.length;
  const what = model.input.kind === "ids" ? "features" : "words";
  byId("unknown").textContent = `The model does not know the ${what}: ${found.unknown.join(", ")}`;
  byId("took").textContent =
    `${milliseconds.toFixed(0)} ms, of which the model took ${found.took_ms.scored.toFixed(1)} ms ` +
    `(${found.approximate ? "approximate" : "exact"})`;
  const opened = results.querySelector("[aria-expanded=true]")?.dataset.label;
  const focused = document.activeElement?.dataset?.label;
  results.replaceChildren(...found.labels.map(result));
  for (const button of buttons()) {
    if (button.dataset.label === opened) toggle(button, true);
    if (button.dataset.label === focused) button.focus();
  }
  announce(found.labels);
}

function result(one, i) {
  const label = String(one.label);
  const details = element("div", { class: "details", id: `details-${i}`, hidden: true }, reasons(one), examples(one));
  const words = (one.why ?? []).map(({ feature }) => element("span", {}, feature));
  const button = element(
    "button",
    { type: "button", "aria-expanded": "false", "aria-controls": details.id, "data-label": label, onclick: () => toggle(button) },
    element("span", { class: "label" }, label),
    element("span", { class: "score" }, percent(one.score)),
    bar(one.score),
    words.length ? element("span", { class: "words", "aria-hidden": "true" }, words) : null,
  );
  return element("li", { class: "result" }, button, details);
}

function reasons({ why }) {
  if (!why?.length) return element("p", { class: "quiet" }, "No single word spoke for it: it is what the network says of the whole.");
  const largest = why[0].amount;
  const rows = why.flatMap((one) => [
    element("dt", {}, one.feature),
    element("dd", {}, bar(one.amount / largest)),
    element("dd", { class: "number" }, `+${amount(one.amount)}`),
  ]);
  return element("div", {}, element("h2", {}, "What spoke for it"), element("dl", { class: "reasons" }, rows));
}

function examples({ examples: texts }) {
  if (!texts?.length) return null;
  const items = texts.map((text) => element("li", {}, text));
  return element("div", {}, element("h2", {}, "Examples it was learned from"), element("ul", { class: "examples" }, items));
}

function toggle(button, open = button.getAttribute("aria-expanded") !== "true") {
  for (const other of buttons()) {
    const isOpen = other === button && open;
    other.setAttribute("aria-expanded", String(isOpen));
    byId(other.getAttribute("aria-controls")).hidden = !isOpen;
  }
}

/** Tell a screen reader what was found, once somebody stops typing. */
function announce(labels) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    const best = labels[0];
    byId("status").textContent = best
      ? `${labels.length} labels. The best is ${best.label}, ${percent(best.score)}.`
      : "No labels.";
  }, 700);
}

// ---- Keys ----------------------------------------------------------------------------------------------------------

const buttons = () => [...results.querySelectorAll("button")];

function moved(key, at, n) {
  if (key === "Home") return 0;
  if (key === "End") return n - 1;
  return at + { ArrowDown: 1, ArrowUp: -1 }[key];
}

form.addEventListener("keydown", (event) => {
  if (event.target.type === "checkbox") return;
  if (event.key === "ArrowDown" && buttons().length) {
    event.preventDefault();
    buttons()[0].focus();
  } else if (event.key === "Enter") { // by ourselves: browsers submit no form of several boxes without a button
    event.preventDefault();
    openFirst();
  } else if (event.key === "Escape" && event.target === box) {
    event.preventDefault();
    box.value = "";
    search();
  }
});

form.addEventListener("submit", (event) => event.preventDefault());

function openFirst() {
  const first = buttons()[0];
  if (!first) return;
  first.focus();
  toggle(first, true);
}

results.addEventListener("keydown", (event) => {
  const all = buttons();
  const at = all.indexOf(document.activeElement);
  if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) {
    event.preventDefault();
    const to = moved(event.key, at, all.length);
    (to < 0 ? box : all[Math.min(to, all.length - 1)]).focus();
  } else if (event.key === "Escape") {
    event.preventDefault();
    if (results.querySelector("[aria-expanded=true]")) toggle(null, false);
    else box.focus();
  }
});

// ---- Trouble -------------------------------------------------------------------------------------------------------

function complain(error, again) {
  if (error.status === 401) {
    byId("token-form").hidden = false;
    byId("token").focus();
    byId("token-form").onsubmit = (event) => {
      event.preventDefault();
      keepToken(byId("token").value.trim());
      byId("token-form").hidden = true;
      again();
    };
    return;
  }
  const alert = byId("alert");
  alert.textContent = error.status ? error.message : "The server does not answer. Type on, or reload the page, to try again.";
  alert.hidden = false;
}

function calm() {
  byId("alert").hidden = true;
}

// ---- Tabs ----------------------------------------------------------------------------------------------------------

const tabs = [...document.querySelectorAll("[role=tab]")];

function choose(tab) {
  for (const other of tabs) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    byId(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
}

for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(i + step + tabs.length) % tabs.length];
    choose(next);
    next.focus();
  });
}

box.addEventListener("input", search);
byId("approximate").addEventListener("change", search);
begin();
