// One record judged from its bytes: signature, chain, batch, statement, the office's tree, receipt.
// Each step: {id, ok: true, false or null (cannot be told), zh, en, detail}.  A step that fails or
// throws is a cross, and those after it are judged all the same.

import { decode, entry, fromHex, same, toHex } from "./cbor.js";
import { algorithmName, keyFor, leaf, rootOf, sha256, short, sign1, verifies } from "./cose.js";
import { time } from "./dom.js";

const RECORD = "application/ssc-record+cbor", BATCH = "application/ssc-batch+cbor";

export async function check(answer) {
  const facts = {
    ...answer,
    raw: fromHex(answer.raw),
    before: answer.before === null ? null : fromHex(answer.before),
    statement: fromHex(answer.statement),
    receipt: answer.receipt === null ? null : fromHex(answer.receipt),
    path: answer.path.map(fromHex),
    keys: answer.keys.map((each) => ({ ...each, public_key: fromHex(each.public_key) })),
    office: answer.office.map((each) => ({ ...each, public_key: fromHex(each.public_key) })),
  };
  const steps = [];
  for (const [id, zh, en, judge] of STEPS) {
    try {
      const [ok, detail] = await judge(facts);
      steps.push({ id, ok, zh, en, detail });
    } catch (error) {
      steps.push({ id, ok: false, zh, en, detail: error.message });
    }
  }
  return steps;
}

const STEPS = [
  ["form", "记录的字节规范，编号相符", "The bytes are a record in canonical form, of this number", form],
  ["signature", "记录的签名有效", "The record's signature is right", signature],
  ["chain", "与前一条记录相接", "It names the bytes of the record before", chain],
  ["inclusion", "记录在批次的 Merkle 树中", "It is in the Merkle tree of its batch", inclusion],
  ["statement", "批次声明的签名有效", "The signature of the batch's statement is right", statement],
  ["tree", "批次声明在后台的 Merkle 树中", "The statement is in the office's Merkle tree", tree],
  ["receipt", "回执上后台的签名有效", "The office's signature on the receipt is right", receipt],
];

// --- the record ---

function readRecord(facts) {
  const message = sign1(facts.raw);
  const payload = decode(facts.raw, message.payload.body, message.payload.end);
  return { message, payload, key: (number) => entry(payload, number)?.value };
}

function form(facts) {
  const { message, payload, key } = readRecord(facts);
  checkHeaders(message, RECORD);
  if (payload.major !== 5) return [false, "the payload is no map"];
  if (key(1) !== facts.unit || key(2) !== facts.number) return [false, `${key(1)} ${key(2)}`];
  return [true, `${facts.raw.length} B, COSE_Sign1, CBOR`];
}

// Exactly {1: algorithm, 3: type} and {4: key id}.
function checkHeaders(message, type) {
  const { header, unprotected } = message;
  const keys = [...header.value.keys(), ...unprotected.value.keys()].join();
  if (keys !== "1,3,4" || header.value.get(3) !== type) throw new Error("other headers than those of docs/records.md");
  if (unprotected.value.get(4)?.length !== 8) throw new Error("a key id has 8 bytes");
}

async function signature(facts) {
  const { message } = readRecord(facts);
  return signedBy(message, facts.keys, facts.number, facts.number, message.payload.value);
}

async function signedBy(message, keys, first, last, payload, inProtected = false) {
  const algorithm = message.header.value.get(1);
  const keyId = (inProtected ? message.header : message.unprotected).value.get(4);
  if (!(keyId instanceof Uint8Array)) return [false, "no key id"];
  const key = await keyFor(keys, keyId, algorithm, first, last);
  const told = `${algorithmName(algorithm)}, 密钥 key ${toHex(keyId)}`;
  if (key === null) return [false, `${told}: 未知或不适用 unknown, or not good for it`];
  const ok = await verifies(message, algorithm, key.public_key, payload);
  return [ok, ok === null ? `${told}: 此浏览器不支持 not known to this browser` : told];
}

async function chain(facts) {
  const { key } = readRecord(facts);
  const previous = key(8);
  if (!(previous instanceof Uint8Array) || previous.length !== 32) return [false, "names none"];
  if (facts.number === 1) return [previous.every((each) => each === 0), "1"];
  if (facts.before === null) return [null, "前一条不在库中 the record before is not here"];
  const digest = await sha256(facts.before);
  const follows = same(digest, previous);
  return [follows, `SHA-256 ${short(digest)} ${follows ? "=" : "≠"} ${short(previous)}`];
}

// --- its batch ---

function readStatement(facts) {
  const message = sign1(facts.statement);
  checkHeaders(message, BATCH);
  const payload = decode(facts.statement, message.payload.body, message.payload.end);
  const key = (number) => entry(payload, number)?.value;
  const [unit, batch, first, last, root, damaged] = [1, 2, 3, 4, 5, 8].map(key);
  const numbers = [batch, first, last, ...damaged.flat()];
  if (!numbers.every(Number.isSafeInteger) || first > last) throw new Error("impossible numbers");
  return { message, unit, batch, first, last, root, damaged };
}

// How many records stand before `number`, those of damaged ranges not counted.
function placeOf(number, { first, damaged }) {
  const lost = damaged.filter(([start]) => start <= number)
    .reduce((sum, [start, end]) => sum + Math.min(end, number) - start + 1, 0);
  return number - first - lost;
}

async function inclusion(facts) {
  const found = readStatement(facts);
  const size = placeOf(found.last, found) + 1, place = placeOf(facts.number, found);
  if (facts.number < found.first || facts.number > found.last) return [false, "not of this batch"];
  const root = await rootOf(await leaf(facts.raw), place, size, facts.path);
  const told = `${place + 1} / ${size}, 根 root ${short(found.root)}`;
  return [root !== null && same(root, found.root), told];
}

async function statement(facts) {
  const { message, unit, batch, first, last } = readStatement(facts);
  if (unit !== facts.unit || batch !== facts.batch) return [false, `${unit} ${batch}`];
  const [ok, told] = await signedBy(message, facts.keys, first, last, message.payload.value);
  return [ok, `批次 batch ${batch}: ${first}-${last}; ${told}`];
}

// --- the office's word ---

// Its consistency proof is for the unit, which knows the tree it leads from.
function readReceipt(facts) {
  const message = sign1(facts.receipt);
  const header = message.header.value, claims = header.get(15);
  const unprotected = message.unprotected.value, proofs = unprotected.get(396);
  const keys = [...header.keys(), ...unprotected.keys(), ...proofs.keys()].join();
  if (!["1,4,15,395,396,-1", "1,4,15,395,396,-1,-2"].includes(keys) || header.get(395) !== 1) {
    throw new Error("no receipt of docs/records.md");
  }
  if (proofs.get(-1).length !== 1) throw new Error("not one inclusion proof");
  const [size, index, path] = decode(proofs.get(-1)[0]).value;
  return { message, claims, size, index, path };
}

async function treeRoot(facts) {
  const { size, index, path } = readReceipt(facts);
  return rootOf(await leaf(facts.statement), index, size, path);
}

const NO_RECEIPT = [false, "没有回执 there is no receipt"];

async function tree(facts) {
  if (facts.receipt === null) return NO_RECEIPT;
  const { claims, size, index } = readReceipt(facts);
  const root = await treeRoot(facts);
  if (root === null) return [false, "the path leads nowhere"];
  // The root is in no message: whether it is the right one, only the signature can say.
  const [isSigned] = await receiptSigned(facts, root);
  return [isSigned || null, `${claims.get(1)}: ${index + 1} / ${size}, 根 root ${short(root)}`];
}

async function receiptSigned(facts, root) {
  const { message } = readReceipt(facts);
  if (message.payload.value !== null) return [false, "its payload is not detached"];
  return signedBy(message, facts.office, 0, 0, root, true);
}

async function receipt(facts) {
  if (facts.receipt === null) return NO_RECEIPT;
  const { claims } = readReceipt(facts);
  if (claims.get(2) !== `${facts.unit}/${facts.batch}`) return [false, claims.get(2)];
  const root = await treeRoot(facts);
  if (root === null) return [false, "the path leads nowhere"];
  const [ok, told] = await receiptSigned(facts, root);
  return [ok, `${told}; ${time(claims.get(6) * 1000)}`];
}
