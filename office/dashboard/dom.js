// Elements, and how times and money are written.  Text is only ever set as text.

export function h(name, given, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given ?? {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(key, value === true ? "" : value);
    }
  }
  for (const each of children.flat(Infinity)) {
    if (each !== null && each !== undefined) made.append(each);
  }
  return made;
}

export const en = (text) => h("span", { lang: "en" }, text);

// "中文 English": the English part is marked as such.
export function label(text) {
  const at = text.search(/ [A-Za-z]/);
  return at < 0 ? [text] : [text.slice(0, at + 1), en(text.slice(at + 1))];
}

const CHINA = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "medium",
});
export const time = (ms) => (ms === null || ms === undefined ? "-" : CHINA.format(ms));

export function yuan(fen) {
  if (fen === null || fen === undefined) return "";
  const amount = BigInt(fen);
  return `${amount / 100n}.${String(amount % 100n).padStart(2, "0")}`;
}

// columns: [label, value of a row, right-aligned?]; foot: a row of the sums or null.
export function table(caption, columns, rows, foot = null) {
  const cell = (row, tag) => ([, value, right]) => h(tag, { class: right ? "n" : null }, value(row));
  const line = (row) => h("tr", null, columns.map(cell(row, "td")));
  return h("div", { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    h("table", null,
      h("thead", null, h("tr", null, columns.map(([text, , right]) =>
        h("th", { scope: "col", class: right ? "n" : null }, label(text))))),
      h("tbody", null, rows.map(line)),
      foot && h("tfoot", null, line(foot))));
}

export const facts = (pairs) => h("dl", { class: "facts" },
  pairs.map(([name, ...value]) => [h("dt", null, label(name)), h("dd", null, ...value)]));

export const link = (place, ...text) => h("a", { href: place }, ...text);
export const unitPlace = (unit) => `#/unit/${encodeURIComponent(unit)}`;
export const batchPlace = (unit, batch) => `#/batch/${encodeURIComponent(unit)}/${batch}`;
export const recordPlace = (unit, number) => `#/record/${encodeURIComponent(unit)}/${number}`;
