// Hash routes: every view has an address.  What a view needs is asked of /api/ and shown at once.

import { h } from "./dom.js";
import { record } from "./record.js";
import { allTerminals, batch, day, findings, overview, unit } from "./views.js";
import { keep } from "./words.js";

const ROUTES = { "": overview, day, terminals: allTerminals, findings, unit, batch, record };
const main = document.getElementById("main");
let words = null;
let turn = 0;

async function ask(path) {
  const answer = await fetch(`api/${path}`, { headers: { Accept: "application/json" } });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    throw new Error(answer.status === 404 ? `没有 · not here: ${body.detail ?? path}`
      : `${body.error ?? answer.status}: ${body.cause ?? ""} ${body.detail ?? ""}`);
  }
  return body;
}

async function show() {
  const mine = ++turn;
  const parts = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const [name, ...rest] = parts;
  main.removeAttribute("data-ready");
  for (const each of document.querySelectorAll("nav a")) {
    const isHere = each.hash.slice(2) === name;
    if (isHere) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
  let made;
  try {
    const view = Object.hasOwn(ROUTES, name) ? ROUTES[name] : null;
    if (view === null) throw new Error(`没有此页 · no such page: ${name}`);
    if (words === null) {
      words = await ask("words");
      keep(words);
      document.getElementById("office").textContent = words.office;
      document.title = `${words.office} · sscoffice`;
    }
    made = await view(ask, ...rest);
  } catch (error) {
    made = [h("p", { class: "bad", role: "alert", id: "error" }, error.message)];
  }
  if (mine !== turn) return; // somebody went on meanwhile
  main.replaceChildren(...made.filter((each) => each !== null));
  main.setAttribute("data-ready", name || "overview");
  if (mine > 1) main.focus();
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address is the view's
  main.focus();
});
window.addEventListener("hashchange", show);
show();
