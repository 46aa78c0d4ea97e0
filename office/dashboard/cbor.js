// Deterministic CBOR (RFC 8949 4.2.1) with the place of every item; anything else is an error.
// An item: {start, body, end, major, value, children}; bytes start..body are its head.

export class CborError extends Error {
  constructor(at, why) {
    super(`${why} (0x${at.toString(16).padStart(4, "0")})`);
    this.at = at;
  }
}

const DEEPEST = 8;
const LIMITS = [24n, 1n << 8n, 1n << 16n, 1n << 32n];

function head(bytes, at, end) {
  if (at >= end) throw new CborError(end, "cut short");
  const major = bytes[at] >> 5, info = bytes[at] & 31;
  if (info > 27) throw new CborError(at, "no definite length");
  const more = info < 24 ? 0 : 1 << (info - 24);
  if (at + 1 + more > end) throw new CborError(end, "cut short");
  let argument = BigInt(info);
  if (more) {
    argument = 0n;
    for (let i = 1; i <= more; i++) argument = argument << 8n | BigInt(bytes[at + i]);
    if (argument < LIMITS[info - 24]) throw new CborError(at, "not the shortest form");
  }
  return { major, info, argument, body: at + 1 + more };
}

const number = (n) => (n <= Number.MAX_SAFE_INTEGER && n >= -Number.MAX_SAFE_INTEGER ? Number(n) : n);

function item(bytes, start, end, level) {
  if (level > DEEPEST) throw new CborError(start, "nested too deeply");
  const { major, info, argument, body } = head(bytes, start, end);
  const made = { start, body, end: body, major, value: null, children: [] };
  if (major === 0) made.value = number(argument);
  else if (major === 1) made.value = number(-1n - argument);
  else if (major === 2 || major === 3) text(bytes, made, argument, end);
  else if (major === 4 || major === 5) several(bytes, made, argument, end, level);
  else if (major === 7 && info >= 20 && info <= 22) made.value = [false, true, null][info - 20];
  else throw new CborError(start, "a tag, a float or another item that has no place here");
  return made;
}

function text(bytes, made, argument, end) {
  if (argument > BigInt(end - made.body)) throw new CborError(end, "cut short");
  made.end = made.body + Number(argument);
  made.value = bytes.subarray(made.body, made.end);
  if (made.major === 3) {
    try {
      made.value = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(made.value);
    } catch {
      throw new CborError(made.start, "no UTF-8");
    }
  }
}

function several(bytes, made, argument, end, level) {
  const count = made.major === 5 ? argument * 2n : argument;
  if (count > BigInt(end - made.body)) throw new CborError(end, "cut short");
  let before = null;
  for (let i = 0; i < Number(count); i++) {
    const each = item(bytes, made.end, end, level + 1);
    if (made.major === 5 && i % 2 === 0) {
      if (![0, 1, 3].includes(each.major)) throw new CborError(each.start, "no key");
      if (before && compare(bytes, before, each) >= 0) throw new CborError(each.start, "keys do not ascend");
      before = each;
    }
    made.children.push(each);
    made.end = each.end;
  }
  if (made.major === 4) made.value = made.children.map((each) => each.value);
  else {
    made.value = new Map();
    for (let i = 0; i < made.children.length; i += 2) {
      made.value.set(made.children[i].value, made.children[i + 1].value);
    }
  }
}

function compare(bytes, one, two) {
  for (let i = 0; ; i++) {
    if (one.start + i >= one.end) return two.start + i >= two.end ? 0 : -1;
    if (two.start + i >= two.end) return 1;
    const by = bytes[one.start + i] - bytes[two.start + i];
    if (by) return by;
  }
}

// The one item in bytes start..end, nothing behind it.
export function decode(bytes, start = 0, end = bytes.length) {
  const made = item(bytes, start, end, 0);
  if (made.end !== end) throw new CborError(made.end, "other bytes follow");
  return made;
}

// The value of a map's key as an item, or undefined.
export function entry(map, key) {
  for (let i = 0; i < map.children.length; i += 2) {
    if (map.children[i].value === key) return map.children[i + 1];
  }
  return undefined;
}

// --- writing what is signed ---

function headOf(major, length) {
  const more = length < 24 ? 0 : length < 256 ? 1 : length < 65536 ? 2 : 4;
  const made = [major << 5 | (more ? { 1: 24, 2: 25, 4: 26 }[more] : length)];
  for (let i = more - 1; i >= 0; i--) made.push(length >>> (8 * i) & 255);
  return Uint8Array.from(made);
}

export function joined(...parts) {
  const made = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    made.set(each, at);
    at += each.length;
  }
  return made;
}

export const bytesItem = (bytes) => joined(headOf(2, bytes.length), bytes);
export function textItem(text) {
  const bytes = new TextEncoder().encode(text);
  return joined(headOf(3, bytes.length), bytes);
}

export const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (each) => parseInt(each, 16));
export const toHex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
export const same = (one, two) => one.length === two.length && one.every((each, i) => each === two[i]);
