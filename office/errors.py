"""Everything that can go wrong in the office: a frozen number, the cause, what to do next.

7xx the link to a unit, 8xx a batch that was refused, 9xx the office itself.  Outcomes of a payment
have numbers below 700 (firmware/outcome.py).
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    cause_zh: str
    cause_en: str
    next_zh: str
    next_en: str


_KEPT_ZH = "文件已存入 refused/，终端仍保留该批次。"
_KEPT_EN = "The file is kept in refused/, the unit still holds the batch."

ROWS = {
    701: Row(
        "串口打不开",
        "the serial line cannot be opened",
        "检查线缆、设备名、权限，以及是否有其他程序占用。",
        "Check the cable, the name, your rights, and whether another program has it open.",
    ),
    702: Row(
        "终端没有应答",
        "the unit does not answer",
        "检查线缆和终端电源后重新执行；传输从断点继续。",
        "Check the cable and that the unit runs, then run it again; it goes on where it stopped.",
    ),
    703: Row(
        "终端拒绝了请求",
        "the unit refused the request",
        "按所示原因处理后重试；存储失败请找技术员。",
        "Act on the reason shown and try again; if its storage failed, call a technician.",
    ),
    704: Row(
        "传输的文件与终端所报不符",
        "the file that arrived is not the one the unit announced",
        "重新执行；若再次出现，请技术员检查终端存储。",
        "Run it again; if it comes back, have a technician check the unit's storage.",
    ),
    705: Row(
        "线路另一端是别的终端",
        "another unit is at the other end",
        "检查 --unit 和线缆。",
        "Check --unit and the cable.",
    ),
    706: Row(
        "应答不合规程",
        "the answer is not one that a unit gives",
        "检查地址是否为终端，以及两端版本。",
        "Check that the address is that of a unit, and the releases of both ends.",
    ),
    801: Row(
        "该终端未登记",
        "this unit is not enrolled",
        "向现场核实终端后用 sscoffice enrol 登记，再收取。" + _KEPT_ZH,
        "Make sure of the unit on site, enrol it (sscoffice enrol), pull again. " + _KEPT_EN,
    ),
    802: Row(
        "批次不可信：内容损坏或被改动，或由别的密钥签名",
        "the batch is not sound: spoilt, altered, or signed by another key",
        "不得入账。重新收取；若再次出现，核对终端密钥标识，查明原因并上报。" + _KEPT_ZH,
        "Do not book it. Pull again; if it comes back, compare the key id with the unit's, find "
        "the cause, report it. " + _KEPT_EN,
    ),
    803: Row(
        "与已存批次的记录链不相接",
        "it does not continue the chain of what is stored",
        "不得入账。查明缺失或被替换的记录并上报。" + _KEPT_ZH,
        "Do not book it. Find out which record is missing or was replaced, report it. " + _KEPT_EN,
    ),
    804: Row(
        "编号与已存批次重叠或不相接",
        "its numbers do not fit those of the stored batches",
        "不得入账。请技术员检查终端日志并上报。" + _KEPT_ZH,
        "Do not book it. Have a technician check the unit's journal, report it. " + _KEPT_EN,
    ),
    805: Row(
        "同一批次号再次送来，内容却不同",
        "a batch that is already stored came again with other contents",
        "已入账的内容不变。查明为何不同并上报。" + _KEPT_ZH,
        "What is stored stays as it is. Find out why they differ, report it. " + _KEPT_EN,
    ),
    806: Row(
        "批次属于别的终端",
        "the batch belongs to another unit",
        "检查终端是否被调换或冒用。" + _KEPT_ZH,
        "Find out whether the units were exchanged. " + _KEPT_EN,
    ),
    807: Row(
        "该终端的证书已停用或不可用",
        "this unit is not served: its certificate is revoked, or is no unit's",
        "查明停用原因；若应恢复，重新登记并发放证书。" + _KEPT_ZH,
        "Find out why it was revoked; if it is to be served again, enrol it anew. " + _KEPT_EN,
    ),
    808: Row(
        "该终端已停用，停用之后的记录只存放，不入账",
        "the unit is revoked: records from then on are kept in quarantine, not booked",
        "查明终端下落；若停用有误，恢复后重新收取。终端仍保留该批次。",
        "Find out where the unit is; if revoking it was a mistake, reinstate it and pull again. "
        "The unit still holds the batch.",
    ),
    809: Row(
        "终端被复制：同一编号有两份签名有效而内容不同的记录",
        "a forked terminal: two sound records have one number and other contents",
        "停用该终端，查清存储卡是否被复制或日志被旧备份覆盖，并上报。" + _KEPT_ZH,
        "Revoke the unit; find out whether its storage was cloned or an old backup put back, "
        "report it. " + _KEPT_EN,
    ),
    901: Row(
        "此文件夹不是后台文件夹",
        "this folder is no office",
        "先执行 sscoffice init 文件夹，或用 --dir 指明。",
        "Run sscoffice init FOLDER first, or name it with --dir.",
    ),
    902: Row(
        "此文件夹已是后台文件夹",
        "this folder already is an office",
        "换一个文件夹；已有密钥和记录不会被覆盖。",
        "Take another folder; a key and records that exist are never overwritten.",
    ),
    903: Row(
        "登记申请无效",
        "the enrolment request is not valid",
        "从终端重新取 enrolment.cose。",
        "Fetch enrolment.cose from the unit again.",
    ),
    904: Row(
        "该终端已用另一密钥登记",
        "this unit is already enrolled with another key",
        "向现场查明密钥为何改变；确认无误后加 --new-key。旧密钥继续用于核对旧记录。",
        "Ask on site why its key changed; if it is right, add --new-key. The old key stays, to "
        "verify old records.",
    ),
    905: Row(
        "未确认，没有登记",
        "not confirmed, nothing was enrolled",
        "与终端屏幕上的密钥标识核对后，回答 yes 或加 --yes。",
        "Compare the key id with the one the unit shows, then answer yes or add --yes.",
    ),
    906: Row(
        "文件读写失败",
        "a file cannot be read or written",
        "检查文件名、权限和磁盘空间后重试。",
        "Check its name, your rights and the space on the disk, then try again.",
    ),
    907: Row(
        "止付名单条目有误",
        "an entry of the stop list is wrong",
        "卡识别码为 32 个十六进制字符，PSAM 终端号为 12 个，号段为 起-止。",
        "A card id has 32 hex digits, a PSAM's terminal number 12; a range is FROM-TO.",
    ),
    908: Row(
        "不是本后台签发的文件",
        "this file was not signed by this office",
        "用 sscoffice stop-list make 重新签发。",
        "Sign it again with sscoffice stop-list make.",
    ),
    909: Row(
        "数据库出错",
        "the store failed",
        "检查磁盘空间；不要改动 office.db，从备份恢复后用 check 核对。",
        "Check the disk; never edit office.db; put back a backup and prove it with check.",
    ),
    910: Row(
        "密钥文件不可用",
        "the office's key file must not be used",
        "恢复备份；权限须为 0600。",
        "Put back the backup; its mode must be 0600.",
    ),
    911: Row(
        "TAC 密钥文件格式有误",
        "the TAC key file is not in its form",
        "按所示改正后再执行 sscoffice tac-key；格式见 docs/backoffice.md。",
        "Put right what it names, run sscoffice tac-key again; its form: docs/backoffice.md.",
    ),
    912: Row(
        "请求编号无效或已用过",
        "the request number is not valid, or has been used",
        "换一个新的请求编号。",
        "Take a new request number.",
    ),
    913: Row(
        "到场证明不可信",
        "the proof of presence is not sound",
        "不得办理。向持卡人重新请求；若再次出现，核对终端密钥并上报。",
        "Do not go on. Ask the holder for a new one; if it comes back, compare the unit's key id "
        "and report it.",
    ),
    914: Row(
        "此请求已有到场证明，本次为重复提交",
        "this request was answered before: the proof is a replay",
        "不得再次办理。确有需要时用新的请求编号重新请求。",
        "Do not serve it again. If it is needed, ask again under a new request number.",
    ),
    915: Row(
        "到场证明来得太迟",
        "the proof came too late",
        "用新的请求编号重新请求。",
        "Ask again under a new request number.",
    ),
    916: Row(
        "操作员条目有误",
        "an operator's entry is wrong",
        "按所示改正；权限为 pay、pin、block、tamper，密码从键盘输入。",
        "Put right what it names; rights are pay, pin, block, tamper; the password is typed.",
    ),
    917: Row(
        "参数或版本有误",
        "a parameter or a version is wrong",
        "按所示改正；参数写作 名称=整数，名称见 sscoffice parameters --help。",
        "Put right what it names; a parameter is NAME=NUMBER, its names: parameters --help.",
    ),
    918: Row(
        "没有此批次、回执或记录",
        "no such batch, receipt or record is here",
        "核对终端名和编号；sscoffice units 列出各终端已收到的批次。",
        "Check unit and number; sscoffice units tells what came of each unit.",
    ),
    920: Row(
        "证书机构不可用",
        "the office's certificate authority cannot be used",
        "从备份恢复 ca.key 和 ca.crt，两者须成对。",
        "Put back ca.key and ca.crt from the backup; they belong together.",
    ),
    921: Row(
        "证书申请有误",
        "no certificate can be made from this request",
        "按所示改正；终端的请求请重新取 enrolment.cose。",
        "Put right what it names; of a unit fetch enrolment.cose again.",
    ),
    922: Row(
        "后台设置 office.toml 或数据库地址有误",
        "office.toml or the address of the database is wrong",
        "按所示改正；文件权限须为 0600。",
        "Put right what it names; the file's mode must be 0600.",
    ),
    923: Row(
        "此密钥已停用，不能再登记",
        "this key was changed or exchanged: it is not enrolled again",
        "让终端生成新密钥，用新的 enrolment.cose 登记。",
        "Have the unit make a new key and enrol it with the new enrolment.cose.",
    ),
    924: Row(
        "该终端没有登记申请",
        "there is no enrolment request of this unit",
        "先用 sscoffice enrol 登记。",
        "Enrol it first (sscoffice enrol).",
    ),
    925: Row(
        "没有这条记录，或其中没有个人信息",
        "there is no such record here, or it holds no personal values",
        "核对终端和编号；没有后台加密公钥的终端不保存个人信息。",
        "Check unit and number; a unit without the office's encryption key keeps no such values.",
    ),
    926: Row(
        "个人信息打不开",
        "the personal values cannot be opened",
        "若缺少 DAY_KEY 记录，先收取；若密钥已更换，恢复 hpke.key 备份。",
        "If its DAY_KEY is missing, pull first; if the key was changed, put back the old hpke.key.",
    ),
    930: Row(
        "无法在此地址提供服务",
        "this address cannot be served",
        "检查地址、端口是否被占用；/metrics 只可用本机地址。",
        "Check the address, and whether the port is taken; /metrics takes loopback only.",
    ),
    940: Row(
        "密钥清单格式有误",
        "the list of known keys is not in its form",
        "用 sscoffice keys 重新导出；格式见 docs/backoffice.md。",
        "Write it again with sscoffice keys; its form: docs/backoffice.md.",
    ),
    932: Row(
        "U 盘或文件夹不可用",
        "the stick or folder cannot be used",
        "指明含有 ssc-drop 的文件夹；U 盘坏了就换一只，批次仍在终端。",
        "Name the folder that holds ssc-drop; if the stick is worn take another, the units still "
        "hold their batches.",
    ),
    931: Row(
        "NATS 服务器不可用",
        "the NATS server cannot be used",
        "检查地址、证书、凭证（0600）与 JetStream；批次仍在终端，未丢失。",
        "Check its address, certificate, credentials (0600) and JetStream; the units still hold "
        "their batches, nothing is lost.",
    ),
}


class OfficeError(Exception):
    """number: a key of ROWS.  detail: what exactly, one line, no secret."""

    def __init__(self, number: int, detail: str):
        super().__init__(f"{number} {ROWS[number].cause_en}: {detail}")
        self.number = number
        self.detail = detail

    @property
    def lines(self) -> str:
        """For a person: number, cause and next step, Chinese above English."""
        row = ROWS[self.number]
        return (
            f"错误 {self.number}: {row.cause_zh} ({self.detail})\n"
            f"  下一步: {row.next_zh}\n"
            f"Error {self.number}: {row.cause_en} ({self.detail})\n"
            f"  Next: {row.next_en}"
        )


class LinkError(OfficeError):
    """7xx: the unit was not reached, or what it said cannot be used."""


class Refused(OfficeError):
    """8xx: a batch that must not be stored."""
