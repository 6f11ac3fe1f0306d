// The documentation of the interface, made from openapi.json, with a form to try each address.

import { byId, element, keepToken, request } from "./common.js";

const document_ = await (await fetch("openapi.json")).json();

byId("title").textContent = document_.info.title;
byId("about").textContent = document_.info.description.replaceAll("`", "");
byId("token").addEventListener("input", (event) => keepToken(event.target.value.trim()));

const groups = new Map();
for (const [path, operations] of Object.entries(document_.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    const tag = operation.tags?.[0] ?? "other";
    groups.set(tag, [...(groups.get(tag) ?? []), show(method.toUpperCase(), path, operation)]);
  }
}
for (const [tag, shown] of groups) {
  byId("main").append(element("h2", {}, tag[0].toUpperCase() + tag.slice(1)), ...shown);
}

/** Return a section that opens. */
function show(method, path, operation) {
  const body = operation.requestBody?.content["application/json"];
  return element("details", { class: "card operation" },
    element("summary", {}, element("span", { class: "method" }, method), element("code", {}, path),
      element("span", { class: "quiet" }, operation.summary ?? "")),
    parameters(operation.parameters ?? []),
    body ? element("div", {}, element("h3", {}, "Body"), schema(body.schema)) : null,
    answers(operation.responses),
    trial(method, path, operation.parameters ?? [], body),
  );
}

function parameters(all) {
  if (!all.length) return null;
  const rows = all.map((one) => [one.name, kind(one.schema), one.description ?? one.schema.description ?? ""]);
  return element("div", {}, element("h3", {}, "Parameters"), table(["name", "type", "meaning"], rows));
}

function answers(responses) {
  const rows = Object.entries(responses).map(([status, one]) => [status, one.description]);
  const good = responses["200"]?.content?.["application/json"]?.schema;
  return element("div", {}, element("h3", {}, "Answers"), table(["status", "meaning"], rows),
    good && Object.keys(good).length ? schema(good) : null);
}

function table(columns, rows) {
  return element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": columns.join(", ") },
    element("table", {},
      element("thead", {}, element("tr", {}, columns.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, rows.map(([first, ...rest]) =>
        element("tr", {}, element("th", { scope: "row" }, first), rest.map((value) => element("td", {}, value))))),
    ));
}

// ---- Schemas -------------------------------------------------------------------------------------------------------

function resolve(one) {
  return one.$ref ? document_.components.schemas[one.$ref.split("/").pop()] : one;
}

/** Return the fields of an object as a table, and those of the objects in it below. */
function schema(given) {
  const seen = new Map();
  collect(given, seen);
  return element("div", {}, [...seen].map(([title, fields]) =>
    element("div", {}, element("h3", {}, element("code", {}, title)), table(["field", "type", "meaning"], fields))));
}

function collect(given, seen) {
  const one = resolve(given);
  for (const part of [...(one.anyOf ?? []), ...(one.oneOf ?? []), ...(one.items ? [one.items] : [])]) collect(part, seen);
  if (!one.properties || seen.has(one.title)) return;
  const needed = new Set(one.required);
  seen.set(one.title, Object.entries(one.properties).map(([name, field]) =>
    [needed.has(name) ? `${name} (required)` : name, kind(field), field.description ?? ""]));
  for (const field of Object.values(one.properties)) collect(field, seen);
}

/** Return the type of a value in words. */
function kind(given) {
  const one = resolve(given);
  const alternatives = one.anyOf ?? one.oneOf;
  if (alternatives) return alternatives.map(kind).join(" or ");
  const bounds = [
    one.minimum !== undefined ? `at least ${one.minimum}` : null,
    one.maximum !== undefined ? `at most ${one.maximum}` : null,
    one.maxItems !== undefined ? `at most ${one.maxItems} items` : null,
    one.default !== undefined && one.default !== null ? `default ${JSON.stringify(one.default)}` : null,
  ].filter(Boolean);
  const name = one.enum ? one.enum.map((value) => JSON.stringify(value)).join(" or ")
    : one.const !== undefined ? JSON.stringify(one.const)
    : one.type === "array" ? `list of ${kind(one.items ?? {})}`
    : one.properties ? one.title
    : one.additionalProperties?.type || one.additionalProperties?.anyOf ? `object of ${kind(one.additionalProperties)}`
    : (one.type ?? "anything");
  return [name, ...bounds].join(", ");
}

// ---- Trying --------------------------------------------------------------------------------------------------------

function trial(method, path, fields, body) {
  const prefix = `${method}${path}`.replaceAll(/\W+/g, "-");
  const inputs = fields.map((one) => element("input", { type: "text", id: `${prefix}-${one.name}`, name: one.name,
    placeholder: one.schema.default ?? "" }));
  const text = body ? element("textarea", { id: `${prefix}-body`, spellcheck: "false" }) : null;
  if (text) text.value = JSON.stringify(body.example ?? {}, null, 2);
  const output = element("pre", { hidden: true, tabindex: "0", role: "region", "aria-label": "Answer", "aria-live": "polite" });
  const form = element("form", {},
    inputs.map((input) => element("div", {}, element("label", { for: input.id }, input.name), input)),
    text ? element("div", {}, element("label", { for: text.id }, "Body to send"), text) : null,
    element("div", {}, element("button", { class: "primary" }, "Send")),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.hidden = false;
    output.textContent = await send(method, path, fields, inputs, text).catch((error) => String(error));
  });
  return form;
}

async function send(method, path, fields, inputs, text) {
  const query = new URLSearchParams();
  let address = path.slice(1);
  for (const [i, one] of fields.entries()) {
    if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(inputs[i].value));
    else if (inputs[i].value) query.set(one.name, inputs[i].value);
  }
  const options = text ? { method, body: text.value, headers: { "Content-Type": "application/json" } } : { method };
  const response = await request(query.size ? `${address}?${query}` : address, options);
  const answer = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json");
  return `${response.status}\n${isJson ? JSON.stringify(JSON.parse(answer), null, 2) : answer}`;
}
