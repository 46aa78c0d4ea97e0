// COSE_Sign1 (RFC 9052), the algorithms of docs/records.md by WebCrypto, the tree of RFC 9162.

import { bytesItem, decode, joined, same, textItem, toHex } from "./cbor.js";

const TAG = 0xd2;

// {whole, protectedItem, header (map item), unprotected (map item), payload, signature: items}
export function sign1(bytes) {
  if (bytes[0] !== TAG) throw new Error("no tagged COSE_Sign1");
  const whole = decode(bytes, 1);
  const [protectedItem, unprotected, payload, signature] = whole.children;
  const majors = whole.children.map((each) => each.major).join();
  if (whole.major !== 4 || !["2,5,2,2", "2,5,7,2"].includes(majors)) throw new Error("no COSE_Sign1");
  if (signature.value.length !== 64) throw new Error("a signature has 64 bytes");
  const header = decode(bytes, protectedItem.body, protectedItem.end);
  if (header.major !== 5) throw new Error("no protected header");
  return { bytes, whole, protectedItem, header, unprotected, payload, signature };
}

export async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

// The entry of that key id, algorithm and range; a key has a range when it is a unit's.
export async function keyFor(keys, keyId, algorithm, first, last) {
  for (const each of keys) {
    const id = (await sha256(each.public_key)).subarray(0, 8);
    const fits = written(each.algorithm) === written(algorithm) && same(id, keyId);
    const inRange = each.first === undefined
      || (each.first <= last && (each.last === null || each.last >= first));
    if (fits && inRange) return each;
  }
  return null;
}

const written = (algorithm) => ({ "-19": -8, "-9": -7 })[algorithm] ?? algorithm;

const WAYS = {
  "-8": [{ name: "Ed25519" }, { name: "Ed25519" }, "Ed25519"],
  "-7": [{ name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }, "ECDSA P-256"],
};
export const algorithmName = (algorithm) => WAYS[written(algorithm)]?.[2] ?? `alg ${algorithm}`;

// true, false, or null where this browser does not know the algorithm.
export async function verifies(message, algorithm, publicKey, payload) {
  const way = WAYS[written(algorithm)];
  if (way === undefined) return false;
  const signed = joined(Uint8Array.of(0x84), textItem("Signature1"),
    bytesItem(message.protectedItem.value), bytesItem(new Uint8Array(0)), bytesItem(payload));
  let key;
  try {
    key = await crypto.subtle.importKey("raw", publicKey, way[0], false, ["verify"]);
  } catch (error) {
    return error.name === "NotSupportedError" ? null : false;
  }
  return crypto.subtle.verify(way[1], key, message.signature.value, signed);
}

// --- RFC 9162 2.1 ---

export const leaf = (entry) => sha256(Uint8Array.of(0), entry);
const node = (left, right) => sha256(Uint8Array.of(1), left, right);

// The root that the path leads to (2.1.3.2), null when it is none of that place.
export async function rootOf(leafHash, index, size, path) {
  if (!(index >= 0 && index < size)) return null;
  let at = index, last = size - 1, found = leafHash;
  for (const each of path) {
    if (last === 0 || each.length !== 32) return null;
    if (at % 2 || at === last) {
      found = await node(each, found);
      while (at && at % 2 === 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else found = await node(found, each);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? found : null;
}

export const short = (bytes) => `${toHex(bytes.subarray(0, 8))}…`;
