// What both pages need: elements, requests with the token, numbers for people.

export const byId = (id) => document.getElementById(id);

/** Return an element; attributes that start with "on" are listeners, children may be strings. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

/** Return a bar that fills a share of its width. */
export function bar(share) {
  const filled = element("span");
  filled.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
  return element("span", { class: "bar", "aria-hidden": "true" }, filled);
}

export class Refused extends Error {
  constructor(status, answer) {
    super(answer.error ?? `The server answered with ${status}.`);
    this.status = status;
  }
}

/** Return what the server answers as JSON. */
export async function ask(address, options = {}) {
  const response = await request(address, options);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}

/** Send a request with the token of this session, if there is one. */
export function request(address, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  return fetch(address, { ...options, headers });
}

export const keepToken = (token) => sessionStorage.setItem("token", token);

const integers = new Intl.NumberFormat("en");
export const count = (n) => integers.format(n);

export function bytes(n) {
  for (const unit of ["bytes", "kB", "MB", "GB"]) {
    if (n < 1000) return `${unit === "bytes" ? n : n.toFixed(1)} ${unit}`;
    n /= 1000;
  }
  return `${n.toFixed(1)} TB`;
}

export function percent(p) {
  if (p > 0.9995) return "> 99.9 %";
  return p < 0.0005 ? "< 0.1 %" : `${(p * 100).toFixed(1)} %`;
}

export const amount = (x) => (Math.abs(x) < 0.005 ? x.toExponential(1) : x.toFixed(2));
