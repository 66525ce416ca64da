"""Which encoding a text that is not UTF-8 was written in: each candidate decodes it, the most plausible text wins.

Plausible is: letters that are frequent in the script's languages, words of one script, capitals where words begin, and
for the East Asian sets the rows that hold their everyday characters. A line or two is enough; libraries that look at
statistics of bytes need far more.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

_SAMPLE = 4096
_BAD = -3.0
"""What a byte that the encoding does not have costs; an everyday letter gains 1."""

_HAN = set(
    # The commonest characters of simplified and traditional Chinese and of Japanese, and words of tables and letters.
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家事成方多经么去"
    "法学如都同现当没动面起看定天分还进好小部其些主样理心本前开但因只从想实日者意无力它与长把机十民第公此已工使情明性知全三又关点正业"
    "外将两高间由问很最重并物手应向头文体政美相见被利什二等产或新己制身果加西月话合回特代内信表化老给世位次度门任常先海通教原东声提立"
    "及比员解水名真论处走义各入几口认条平系气题活更别打女变四神总何电数安少报才结反受目太量再建务做接必场件计管期市直资命山金指许统区"
    "保至形社空决治科司五基书非听白界达光放即难且权思王完设式色路记南品住告类求程北边死张该交规万取望术领共确传师清今切院让识带导争运"
    "這個們來為國說時會對後發過裡種經現當沒動還進樣從實無與長機關點業將兩間問應戰頭體見產話給門聲員論處義幾認條氣題變總電數報結務場計"
    "資許統區隊決馬書聽達強難權設記類據邊張該規萬術領確傳師觀識帶導爭運姓名龄齡址邮编號号码价格您好请請谢謝图圖馆館早晚午李华華臺湾灣"
    "前駅県町村円様御件東京都府市区本日晴雨天気文書図名住所年齢電話番号"
)
_HANGUL = set(
    "이다는에의가을하고를로지기사은한도리자시어나인아서대해들부일그니라정전제수보면만구여주상스과있것게원성으조장신공국동연비선경세소"
    "습안녕요민름김영울산관오후여섯열닫홉"
)
_RUSSIAN, _GREEK = set("оеаинтсрвлкмдпуяыьгзбч"), set("αοιετσνηυρπκμλςωάόίέήύώ")
_HEBREW, _ARABIC = set("יוהלאתרבמשנםעדחקפ"), set("اليمونرتبةعدسفهكقأحج")
_THAI = set("านรอกเงมยลวดทสตะปบคหแจพชขใไโ่้ีิัาำ์ืุู็")
_WESTERN = set("äöüßéèêëàâáãåæçñíìîïóòôõøúùûœÄÖÜÉÀÅÆÇÑØ")
_CENTRAL = set("ąćęłńóśźżáčďéěíňřšťúůýžőűăâîşţ")
_TURKISH = set("ğışçöüİŞâî")
_MARKS = set("–—‘’“”„…€«»°§·•±²³µ½¼¡¿№©®™")  # noqa: RUF001


def guess(data: bytes, *, oem: bool = False) -> str:
    """The encoding of a text that is neither UTF-8 nor UTF-16; "cp1252" when nothing tells.

    With `oem` the encodings that Windows uses for names in archives are tried too, instead of its others.
    """
    declared = _declared(data)
    if declared is not None:
        return declared
    sample = _telling(data)
    candidates = _OEM if oem else _CANDIDATES
    scores = {name: _score(sample.decode(name, "replace"), value) + prior for name, value, prior in candidates}
    return max(scores, key=lambda name: scores[name])


def without_mark(data: bytes) -> str | None:
    """ "utf-16-le" or "utf-16-be" when `data` is text in it without a byte order mark; else None.

    Such a text has a zero byte in every ASCII character, at least in its line ends, and no zero character.
    """
    if b"\0" not in data or len(data) % 2:
        return None
    best: tuple[float, str] | None = None
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = data[: 1 << 16].decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text or any(ord(character) < 32 and character not in "\t\n\r\f" for character in text):
            continue
        ascii_ones = sum(character.isascii() for character in text)
        # The low byte of a character above 255 is rarely zero; in binary data it often is.
        if not ascii_ones or sum(not ord(character) & 0xFF for character in text) > len(text) // 20:
            continue
        # The wrong order turns spaces, digits and line ends into rare characters.
        familiar = ascii_ones + sum(character in _HAN or character in _HANGUL for character in text)
        familiar += sum("\u00a0" <= character <= "\u06ff" or "\u3000" <= character <= "\u30ff" for character in text)
        best = max(best or (0.0, ""), (familiar / len(text), name))
    return best[1] if best is not None and best[0] >= 0.5 else None


def _declared(data: bytes) -> str | None:
    """What a web page, an XML file or a Python file says of itself, when it holds."""
    head = data[:2048]
    found = (
        re.search(rb"<meta[^>]+charset=[\"']?\s*([\w.:-]+)", head, re.IGNORECASE)
        or re.match(rb"\s*<\?xml[^>]+encoding=[\"']([\w.:-]+)", head)
        or re.match(rb"(?:[^\n]*\n)?#[^\n]*coding[:=]\s*([\w.-]+)", head)
    )
    if found is None:
        return None
    try:
        name = codecs.lookup(found.group(1).decode("ascii")).name
        # Browsers read these as their supersets, and pages rely on it.
        name = {
            "iso8859-1": "cp1252",
            "ascii": "cp1252",
            "gb2312": "gb18030",
            "gbk": "gb18030",
            "shift_jis": "cp932",
            "euc_kr": "cp949",
        }.get(name, name)
        data.decode(name)
    except (LookupError, UnicodeDecodeError):
        return None
    return name


def _telling(data: bytes) -> bytes:
    """Lines with bytes above 127, as many as make a sample."""
    lines: list[bytes] = []
    size = 0
    for line in re.finditer(rb"[^\n]*[\x80-\xff][^\n]*\n?", data[: 1 << 20]):
        lines.append(line.group()[:_SAMPLE])
        size += len(lines[-1])
        if size >= _SAMPLE:
            break
    return b"".join(lines)


Value = Callable[[str, str, str], float]
"""How plausible a character above 127 is, by itself, the one before and the one after."""


def _score(text: str, value: Value) -> float:
    """The mean plausibility of the characters that are not ASCII."""
    padded = f" {text} "
    total, count = 0.0, 0
    for before, character, after in zip(padded, padded[1:], padded[2:], strict=False):
        if not character.isascii():
            count += 1
            bad = character == "\ufffd" or "\x80" <= character < "\xa0" or "\ue000" <= character <= "\uf8ff"
            total += _BAD if bad else value(before, character, after)
    return total / count if count else 0.0


def _latin(letters: set[str]) -> Value:
    def value(before: str, character: str, after: str) -> float:
        if character in _MARKS:
            return 0.4 if not (_letter(before) and _letter(after)) or character in "\u2019\u00b7" else -0.5
        if not character.isalpha():
            return -1.0
        gain = 0.8 if character in letters or character.lower() in letters else -0.4
        # Latin words are mostly ASCII letters.
        if not before.isascii() and before.isalpha() and not after.isascii() and after.isalpha():
            gain -= 1.0
        if character.isupper() and before.islower():
            gain -= 1.5
        return gain

    return value


def _script(letters: set[str], first: str, last: str, finals: str = "") -> Value:
    def value(before: str, character: str, after: str) -> float:
        if not first <= character <= last:
            return 0.0 if character in _MARKS or character == "\xa0" else -1.0
        gain = 1.0 if character in letters or character.lower() in letters else 0.0
        if _letter(before) or _letter(after):
            gain -= 1.0
        if character.isupper() and not before.isspace():
            gain -= 2.0 if before.islower() else 0.4
        if character in finals and after.isalpha():
            gain -= 2.0
        return gain

    return value


def _thai(before: str, character: str, after: str) -> float:
    if not "\u0e01" <= character <= "\u0e5b":
        return -1.0
    gain = 1.0 if character in _THAI else 0.0
    consonant_before = "\u0e01" <= before <= "\u0e2e"
    if character == "\u0e31" or "\u0e33" <= character <= "\u0e3a":  # vowels above, below and behind a consonant
        gain += 0.3 if consonant_before or "\u0e48" <= before <= "\u0e4b" else -2.0
    if "\u0e48" <= character <= "\u0e4e":  # tones stand over a consonant or such a vowel
        gain += 0.3 if consonant_before or "\u0e31" <= before <= "\u0e3a" else -2.0
    if "\u0e40" <= character <= "\u0e44" and not "\u0e01" <= after <= "\u0e2e":  # vowels written before it
        gain -= 2.0
    return gain


def _eastern(encoding: str, kana: float, everyday: Callable[[bytes], float]) -> Value:
    def value(before: str, character: str, after: str) -> float:
        if "\u3041" <= character <= "\u30ff":
            gain = kana
        elif "\u3000" <= character <= "\u3020" or "\uff01" <= character <= "\uff5e":
            gain = 0.8
        elif "\uff61" <= character <= "\uff9f":  # half-width katakana: what other sets' bytes look like
            gain = -0.8
        elif "\u4e00" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3":
            gain = everyday(character.encode(encoding)) + (0.6 if character in _HAN or character in _HANGUL else 0.0)
        else:
            gain = 0.0 if character in _MARKS else -0.8
        return gain - 0.7 * (_letter(before) + _letter(after))

    return value


def _letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


def _rows(first: int, last: int, gain: float, trail: int = 0) -> Callable[[bytes], float]:
    """`gain` for two bytes of which the first lies between the two, for all others what a rare character is worth."""

    def everyday(code: bytes) -> float:
        return gain if len(code) == 2 and first <= code[0] <= last and code[1] >= trail else -0.6

    return everyday


_CANDIDATES: tuple[tuple[str, Value, float], ...] = (
    # The last number settles what the letters leave open: what is common wins.
    ("cp1252", _latin(_WESTERN), 0.12),
    ("cp1250", _latin(_CENTRAL), 0.0),
    ("cp1254", _latin(_TURKISH), 0.0),
    ("cp1251", _script(_RUSSIAN, "\u0400", "\u045f"), 0.05),
    ("koi8-r", _script(_RUSSIAN, "\u0400", "\u045f"), 0.0),
    ("cp1253", _script(_GREEK, "\u0384", "\u03ce", "ς"), 0.0),
    ("cp1255", _script(_HEBREW, "\u05b0", "\u05f4", "םןץףך"), 0.0),
    ("cp1256", _script(_ARABIC, "\u060c", "\u06d2", "ةى"), 0.0),
    ("cp874", _thai, 0.0),
    ("cp932", _eastern("cp932", 1.0, _rows(0x88, 0x97, 0.5)), 0.0),
    ("euc_jp", _eastern("euc_jp", 1.0, _rows(0xB0, 0xCF, 0.4)), 0.0),
    ("gb18030", _eastern("gb18030", -0.2, _rows(0xB0, 0xD7, 0.4, 0xA1)), 0.02),
    ("big5", _eastern("big5", -0.2, _rows(0xA4, 0xC6, 0.4)), 0.0),
    ("cp949", _eastern("cp949", -0.4, _rows(0xB0, 0xC8, 0.4, 0xA1)), 0.0),
)
_OEM = (
    ("cp437", _latin(_WESTERN), 0.14),
    ("cp850", _latin(_WESTERN), 0.12),
    ("cp852", _latin(_CENTRAL), 0.0),
    ("cp866", _script(_RUSSIAN, "\u0400", "\u045f"), 0.0),
    *(candidate for candidate in _CANDIDATES if candidate[0] in ("cp932", "gb18030", "big5", "cp949")),
)
