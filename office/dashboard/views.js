// The views of rows: overview, a day, terminals, what does not fit, a unit, a batch.

import { batchPlace, facts, h, label, link, recordPlace, table, time, unitPlace, yuan } from "./dom.js";
import { kind, outcome, quarantined } from "./words.js";

const title = (text) => h("h1", null, label(text));
const heading = (text) => h("h2", null, label(text));
const sign = (count) => h("span", { class: count ? "bad" : "good" }, count ? `✗ ${count}` : "✓ 0");
const notice = (count) => (count ? h("span", { class: "doubt" }, `! ${count}`) : sign(0));
const MILD = new Set(["late", "uncertain"]); // as in `sscoffice report`
const more = (place) => h("p", null, link(place, "更多 · more"));

// --- overview ---

export async function overview(ask) {
  const [units, day, found] = await Promise.all([
    ask("units"), ask("sites"), ask("findings"),
  ]);
  const tile = (name, id, ...value) => h("div", { class: "tile" }, label(name), h("b", { id }, ...value));
  const paid = ["account_fen", "self_fen", "pooled_fen"].reduce((sum, name) => sum + day.total[name], 0);
  return [
    title("概览 overview"),
    h("div", { class: "tiles" },
      tile("终端 terminals", "units", units.count),
      tile("完成笔数 payments done", "done", day.total.done),
      tile("合计（元） total, yuan", "paid", yuan(paid)),
      tile("缺号 gaps", "gaps", sign(found.gaps.count)),
      tile("重复 duplicates", "duplicates", sign(found.duplicates.count)),
      tile("分叉 forks", "forks", sign(found.forks.count))),
    ...dayTable(day),
    ...terminals(units),
  ];
}

// --- a day by site ---

const COUNTS = [["done", "完成 done"], ["void", "未扣款 void"], ["declined", "拒绝 declined"],
  ["suspect", "可疑 suspect"], ["uncertain", "不明 uncertain"], ["loads", "圈存 loads"]];
const FENS = [["account_fen", "账户（元） account, yuan"], ["self_fen", "自付 self-pay"], ["pooled_fen", "统筹 pooled"]];

function dayTable(day) {
  if (day.date === null) return [h("p", null, "还没有记录。 · There are no records yet.")];
  const caption = `${day.date} 结算 settlements`;
  const columns = [
    ["终端 site", (row) => (row.unit ? link(unitPlace(row.unit), row.unit) : "合计 total")],
    [COUNTS[0][1], (row) => row.done, true],
    ...FENS.map(([name, text]) => [text, (row) => yuan(row[name]), true]),
    ...COUNTS.slice(1).map(([name, text]) => [text, (row) => row[name], true]),
  ];
  const made = [heading(caption), table(caption, columns, day.sites, day.total)];
  if (day.count > day.sites.length) made.push(h("p", null, `${day.sites.length} / ${day.count}`));
  return made;
}

export async function day(ask, date) {
  const found = await ask(date ? `sites?date=${encodeURIComponent(date)}` : "sites");
  const chosen = h("input", {
    type: "date", value: found.date, id: "date",
    onchange: (event) => { if (event.target.value) location.hash = `#/day/${event.target.value}`; },
  });
  return [
    title("当日结算 day"),
    h("div", { class: "row" }, h("label", { for: "date" }, label("日期（UTC+8） date")), chosen),
    ...dayTable(found),
  ];
}

// --- terminals ---

function terminals(found) {
  const columns = [
    ["终端 unit", (row) => link(unitPlace(row.unit), row.unit)],
    ["最近收到 last seen", (row) => time(row.seen_ms)],
    ["记录 records", (row) => row.last, true],
    ["积压 missing", (row) => sign(row.missing), true],
    ["固件 firmware", (row) => row.firmware ?? "-"],
    ["PSAM", (row) => row.psam ?? "-"],
    ["状态 state", state],
  ];
  const made = [heading("终端 terminals"), table("终端 terminals", columns, found.units)];
  if (found.is_more) made.push(more(`#/terminals/${encodeURIComponent(found.units.at(-1).unit)}`));
  return made;
}

function state(unit) {
  if (unit.revoked_ms !== null) return h("span", { class: "bad" }, `✗ 已停用 revoked ${time(unit.revoked_ms)}`);
  if (unit.findings) return h("span", { class: "bad" }, `✗ 分叉 forked ${unit.findings}`);
  return h("span", { class: "good" }, "✓");
}

export async function allTerminals(ask, after) {
  const found = await ask(after ? `units?after=${encodeURIComponent(after)}` : "units");
  return [title("终端 terminals"), h("p", null, `${found.count}`), ...terminals(found)];
}

// --- what does not fit ---

export async function findings(ask) {
  const found = await ask("findings");
  const unit = ["终端 unit", (row) => link(unitPlace(row.unit), row.unit)];
  const record = (name, of, text) => [text, (row) => link(recordPlace(row[of], row[name]), row[name]), true];
  const batch = ["批次 batch", (row) => link(batchPlace(row.unit, row.batch), row.batch), true];
  const lists = [
    ["gaps", "缺号 gaps", [unit, ["从 first", (row) => row.first, true], ["到 last", (row) => row.last, true]]],
    ["duplicates", "重复 duplicates", [unit, record("number", "unit", "记录 record"),
      ["另一终端 other unit", (row) => link(unitPlace(row.other_unit), row.other_unit)],
      record("other_number", "other_unit", "另一记录 other record")]],
    ["forks", "分叉 forks", [unit, ["拒收批次 refused batch", (row) => row.batch, true],
      ["内容 detail", (row) => row.detail], ["时间 seen", (row) => time(row.seen_ms)]]],
    ["quarantined", "隔离批次 quarantined", [unit, batch, ["原因 why", (row) => quarantined(row.why)]]],
    ["late", "迟到 late", [unit, batch, ["最新记录 newest record", (row) => time(row.newest_ms)],
      ["收到 received", (row) => time(row.received_ms)]]],
    ["uncertain", "未定 uncertain", [unit, record("number", "unit", "记录 record")]],
  ];
  return [
    title("异常 findings"),
    lists.map(([name, text, columns]) => {
      const { count, is_more: isMore, rows } = found[name];
      return h("section", { id: name },
        h("h2", null, label(text), " ", (MILD.has(name) ? notice : sign)(count), isMore ? " +" : null),
        count ? table(text, columns, rows) : null);
    }),
    h("p", { class: "soft" }, "时钟、PSAM 序号与余额链：sscoffice report。 · Clocks, PSAM serials and balances: sscoffice report."),
  ].flat();
}

// --- one unit, one batch ---

export async function unit(ask, name, before) {
  const found = await ask(`units/${encodeURIComponent(name)}${before ? `?before=${before}` : ""}`);
  const columns = [
    ["批次 batch", (row) => link(batchPlace(name, row.batch), row.batch), true],
    ["从 first", (row) => row.first, true],
    ["到 last", (row) => row.last, true],
    ["记录 records", (row) => row.records, true],
    ["封存 sealed", (row) => time(row.sealed_ms)],
    ["收到 received", (row) => time(row.received_ms)],
    ["状态 state", (row) => (row.quarantined === null ? h("span", { class: "good" }, "✓")
      : h("span", { class: "bad" }, `✗ ${quarantined(row.quarantined)}`))],
  ];
  const made = [
    title(`终端 ${name}`),
    facts([
      ["最近收到 last seen", time(found.seen_ms)],
      ["固件 firmware", found.firmware ?? "-"],
      ["PSAM", found.psam ?? "-"],
      ["状态 state", state(found)],
      ["缺号 gaps", sign(found.missing), " ", found.gaps.map(([a, b]) => `${a}-${b}`).join(", ")],
      ["密钥 keys", h("code", null, found.keys.map((each) =>
        `${each.key_id} (${each.first}-${each.last ?? ""})`).join(", "))],
    ]),
    heading("批次 batches"),
    table("批次 batches", columns, found.batches),
  ];
  if (found.is_more) made.push(more(`${unitPlace(name)}/${found.batches.at(-1).batch}`));
  return made;
}

export async function batch(ask, name, number) {
  const found = await ask(`units/${encodeURIComponent(name)}/batches/${number}`);
  const columns = [
    ["编号 no.", (row) => link(recordPlace(name, row.number), row.number), true],
    ["时间 time", (row) => time(row.time_ms)],
    ["类别 kind", (row) => h("span", null, ...kind(row.kind))],
    ["意向 intent", (row) => (row.intent ? link(recordPlace(name, row.intent), row.intent) : ""), true],
    ["账户 account", (row) => yuan(row.account_fen), true],
    ["自付 self-pay", (row) => yuan(row.self_fen), true],
    ["统筹 pooled", (row) => yuan(row.pooled_fen), true],
    ["结果 outcome", (row) => outcome(row.outcome)],
  ];
  return [
    title(`批次 ${number}`),
    facts([
      ["终端 unit", link(unitPlace(name), name)],
      ["记录 records", `${found.first}-${found.last}`],
      ["封存 sealed", time(found.sealed_ms)],
      ["收到 received", time(found.received_ms)],
      ["摘要 digest", h("code", null, found.digest)],
      ["后台树 tree", found.tree === null ? "-" : `${found.tree}: ${found.leaf + 1}`],
      ...(found.quarantined === null ? [] : [["隔离 quarantined", h("span", { class: "bad" }, quarantined(found.quarantined))]]),
    ]),
    heading("记录 records"),
    table("记录 records", columns, found.records),
  ];
}
