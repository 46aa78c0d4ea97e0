// One record: what the browser itself finds of its proof, and its bytes with their structure.

import { CborError, decode, fromHex, toHex } from "./cbor.js";
import { batchPlace, h, label, link, recordPlace, time, unitPlace } from "./dom.js";
import { check } from "./proof.js";
import { bodyName, envelopeName, kind, kindName, quarantined } from "./words.js";

const BODY = 9;
const HIDDEN = new Set([5, 6]); // card_id, card_number
const HEADERS = { 1: "alg", 3: "type", 4: "key id" };
const MARKS = { true: ["✓", "good"], false: ["✗", "bad"], null: ["?", "doubt"] };

export async function record(ask, unit, number) {
  const found = await ask(`units/${encodeURIComponent(unit)}/records/${number}`);
  const steps = await check(found);
  const bytes = fromHex(found.raw);
  const view = h("div", { class: "both" });
  let isShown = false;
  const draw = () => view.replaceChildren(...bothSides(bytes, isShown));
  const button = h("button", { type: "button", "aria-pressed": "false", onclick: () => {
    isShown = !isShown;
    button.setAttribute("aria-pressed", String(isShown));
    draw();
  } }, "显示卡号 · show the card");
  draw();
  const [before, after] = found.neighbours;
  return [
    h("h1", null, `记录 ${number} `, ...about(bytes)),
    h("div", { class: "row" },
      link(unitPlace(unit), unit), link(batchPlace(unit, found.batch), `批次 batch ${found.batch}`),
      before ? link(recordPlace(unit, before), `← ${before}`) : null,
      after ? link(recordPlace(unit, after), `${after} →`) : null),
    found.quarantined === null ? null
      : h("p", { class: "bad" }, `✗ 不在账内 not in the books: ${quarantined(found.quarantined)}`),
    h("h2", null, label("浏览器核验 checked in this browser")),
    verdict(steps),
    h("ol", { class: "steps", id: "steps" }, steps.map(step)),
    h("p", { class: "soft" }, "终端与后台的公钥来自本后台；请与 office.pub 和终端所示密钥标识核对。 · "
      + "The public keys are those this office tells: compare their ids with office.pub and the unit's own display."),
    h("div", { class: "row" }, h("h2", null, label("字节 bytes")), button),
    view,
  ];
}

function verdict(steps) {
  const wrong = steps.find((each) => each.ok === false);
  const doubt = steps.find((each) => each.ok === null);
  const [text, name] = wrong ? [`✗ 不符：${wrong.zh} · not so: ${wrong.en}`, "bad"]
    : doubt ? [`? 无法判断：${doubt.zh} · cannot be told: ${doubt.en}`, "doubt"]
      : ["✓ 全部相符 · all of it is right", "good"];
  return h("p", { id: "verdict", role: "status", class: name }, text);
}

function step({ id, ok, zh, en, detail }) {
  const [mark, name] = MARKS[ok];
  return h("li", { id: `step-${id}`, "data-ok": String(ok) },
    h("span", { class: `sign ${name}` }, mark),
    h("span", null, `${zh} `, h("span", { lang: "en" }, en), h("small", null, detail)));
}

function about(bytes) {
  try {
    const payload = decode(bytes, 1).children[2].value;
    const envelope = decode(payload).value;
    return [...kind(envelope.get(6)), h("span", { class: "soft" }, ` ${time(envelope.get(4))}`)];
  } catch {
    return [];
  }
}

// --- bytes and structure ---

// A row of the tree: {start, end, head, name, text, children, isHidden}
function structure(bytes) {
  const whole = decode(bytes, 1);
  const [protectedItem, unprotected, payload, signature] = whole.children;
  const inner = (item, name, names) => (item.major !== 2 ? row(item, name, bytes)
    : { ...row(item, name, bytes), text: `${item.end - item.body} B`,
      children: [tree(decode(bytes, item.body, item.end), "", bytes, names)] });
  return {
    start: 0, end: bytes.length, head: 1, name: "COSE_Sign1", text: "18([…])", children: [
      inner(protectedItem, "protected", "headers"),
      tree(unprotected, "unprotected", bytes, "headers"),
      inner(payload, "payload", "envelope"),
      row(signature, "signature", bytes),
    ],
  };
}

const row = (item, name, bytes) => ({
  start: item.start, end: item.end, head: item.body, name, text: shown(item), children: [],
});

function shown(item) {
  if (item.major === 2) return item.value.length ? toHex(item.value) : "''";
  if (item.major === 3) return JSON.stringify(item.value);
  if (item.major === 4) return `[${item.children.length}]`;
  if (item.major === 5) return `{${item.children.length / 2}}`;
  return String(item.value);
}

const NAMES = { headers: (number) => HEADERS[number], envelope: envelopeName, body: bodyName };

// names: of the keys of a map, one of NAMES.
function tree(item, name, bytes, names = null) {
  const made = row(item, name, bytes);
  if (item.major === 4) made.children = item.children.map((each, at) => tree(each, `${at}`, bytes));
  if (item.major !== 5) return made;
  for (let i = 0; i < item.children.length; i += 2) {
    const [key, value] = [item.children[i], item.children[i + 1]];
    const number = key.value;
    const told = NAMES[names]?.(number);
    const child = tree(value, told === undefined ? `${number}` : `${number} ${told}`, bytes,
      names === "envelope" && number === BODY ? "body" : null);
    if (names === "body" && HIDDEN.has(number)) child.isHidden = true;
    if (names === "envelope" && number === 6) child.text += ` ${kindName(value.value)}`;
    if (names === "envelope" && number === 4) child.text += ` ${time(value.value)}`;
    made.children.push({ ...child, start: key.start });
  }
  return made;
}

function bothSides(bytes, isShown) {
  let root;
  try {
    root = structure(bytes);
  } catch (error) {
    if (!(error instanceof CborError || error instanceof TypeError)) throw error;
    return [hex(bytes, []), h("p", { class: "bad tree" }, `✗ CBOR: ${error.message}`)];
  }
  const heads = new Set(), hidden = [];
  const walk = (each) => {
    for (let at = each.start; at < each.head; at++) heads.add(at);
    if (each.isHidden && !isShown) hidden.push([each.head, each.end]);
    each.children.forEach(walk);
  };
  walk(root);
  const left = hex(bytes, hidden, heads);
  const cells = left.querySelectorAll("i");
  const mark = (each, button) => {
    right.querySelectorAll("button.on").forEach((one) => one.classList.remove("on"));
    button.classList.add("on");
    cells.forEach((cell, at) => cell.classList.toggle("on", at >= each.start && at < each.end));
  };
  const right = h("div", { class: "tree" }, h("ul", null, branch(root, mark, isShown)));
  return [left, right];
}

function hex(bytes, hidden, heads = new Set()) {
  const made = h("div", { class: "hex", tabindex: 0, role: "region", "aria-label": "十六进制 hex" });
  const isHidden = (at) => hidden.some(([start, end]) => at >= start && at < end);
  for (let start = 0; start < bytes.length; start += 16) {
    const line = h("div", { class: "line" },
      h("span", { class: "at" }, start.toString(16).padStart(4, "0")));
    for (let at = start; at < Math.min(start + 16, bytes.length); at++) {
      const text = isHidden(at) ? "··" : bytes[at].toString(16).padStart(2, "0");
      line.append(h("i", { class: heads.has(at) ? "head" : null }, text));
    }
    made.append(line);
  }
  return made;
}

function branch(each, mark, isShown) {
  const text = each.isHidden && !isShown ? "······" : each.text;
  const button = h("button", { type: "button" },
    h("span", { class: "what" }, each.name ? `${each.name}: ` : ""), h("code", null, text));
  const choose = () => mark(each, button);
  for (const event of ["click", "focus", "mouseenter"]) button.addEventListener(event, choose);
  return h("li", null, button,
    each.children.length ? h("ul", null, each.children.map((one) => branch(one, mark, isShown))) : null);
}

