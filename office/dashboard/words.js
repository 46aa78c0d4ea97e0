// Chinese for kinds of records, and the names of numbers as the office's tables have them.

import { en } from "./dom.js";

const KINDS_ZH = {
  INTENT: "意向", DONE: "完成", VOID: "未扣款", SUSPECT: "可疑", UNCERTAIN: "不明", RULED: "裁定",
  TOTALS: "累计", DECLINED: "拒绝", LOAD_INTENT: "圈存意向", LOAD_DONE: "圈存", LOAD_VOID: "未圈存",
  LOAD_UNCERTAIN: "圈存不明", START: "启动", PSAM_SEEN: "PSAM", CLOCK: "时钟", TAMPER: "拆机",
  SERVICE: "服务", DAMAGE: "损坏", APPLIED: "生效", DAY_KEY: "日密钥", KEY_CHANGE: "换密钥",
  SHIFT_OPEN: "开班", SHIFT_CLOSE: "结班", RECEIPT_PRINTED: "打印", REPRINT: "重打", REFUND_REQUEST: "退款申请",
};
const QUARANTINED = { revoked: "已停用 revoked", spoilt: "已损坏 spoilt" };

let tables = { kinds: {}, outcomes: {}, envelope: {}, body: {} };

export const keep = (words) => { tables = words; };
export const envelopeName = (number) => tables.envelope[number] ?? `${number}`;
export const bodyName = (number) => tables.body[number] ?? `${number}`;
export const quarantined = (why) => QUARANTINED[why] ?? why;

export function kind(number) {
  const name = tables.kinds[number] ?? `${number ?? ""}`;
  return [`${KINDS_ZH[name] ?? ""} `, en(name)];
}

export const kindName = (number) => tables.kinds[number] ?? `${number}`;

export function outcome(number) {
  return number === null || number === undefined ? "" : `${number} ${tables.outcomes[number] ?? "?"}`;
}
