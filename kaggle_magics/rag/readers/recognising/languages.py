"""Names of languages: what a person types (ISO 639), Tesseract's packs, Whisper's codes."""

from __future__ import annotations

import re

from kaggle_magics.errors import DocumentError

# ISO 639-1 -> Tesseract's pack, which is the ISO 639-2/T code except where scripts are told apart (the files of
# github.com/tesseract-ocr/tessdata).
_PACKS: dict[str, str] = dict(
    re.findall(
        r"(\w+):(\w+)",
        """
        af:afr am:amh ar:ara as:asm az:aze be:bel bg:bul bn:ben bo:bod br:bre bs:bos ca:cat co:cos cs:ces cy:cym
        da:dan de:deu dv:div dz:dzo el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas fi:fin fo:fao fr:fra fy:fry
        ga:gle gd:gla gl:glg gu:guj he:heb hi:hin hr:hrv ht:hat hu:hun hy:hye id:ind is:isl it:ita iu:iku ja:jpn
        jv:jav ka:kat kk:kaz km:khm kn:kan ko:kor ku:kmr ky:kir la:lat lb:ltz lo:lao lt:lit lv:lav mi:mri mk:mkd
        ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya nb:nor ne:nep nl:nld nn:nor no:nor oc:oci or:ori pa:pan pl:pol
        ps:pus pt:por qu:que ro:ron ru:rus sa:san sd:snd si:sin sk:slk sl:slv sq:sqi sr:srp su:sun sv:swe sw:swa
        ta:tam te:tel tg:tgk th:tha ti:tir tl:tgl to:ton tr:tur tt:tat ug:uig uk:ukr ur:urd uz:uzb vi:vie yi:yid
        yo:yor zh:chi_sim
        """,
    )
)
# ISO 639-2 codes and scripts whose pack has another name.
_OTHER: dict[str, str] = {
    **dict(
        re.findall(
            r"(\w+):(\w+)",
            """
            alb:sqi arm:hye baq:eus bur:mya chi:chi_sim zho:chi_sim cze:ces dut:nld fre:fra geo:kat ger:deu gre:ell
            ice:isl mac:mkd mao:mri may:msa per:fas rum:ron slo:slk tib:bod wel:cym nob:nor nno:nor
            """,
        )
    ),
    **dict.fromkeys(("zh-cn", "zh-hans"), "chi_sim"),
    **dict.fromkeys(("zh-tw", "zh-hk", "zh-hant"), "chi_tra"),
}
_CODES: dict[str, str] = {pack: code for code, pack in _PACKS.items() if code not in ("nb", "nn")} | {
    "chi_tra": "zh",
    "fil": "tl",
}


def tesseract_languages(language: str | None) -> str:
    """What Tesseract's `-l` takes: "de" -> "deu", "en+ja" -> "eng+jpn", None -> "eng".

    A pack's own name ("chi_tra_vert", "script/Cyrillic") stays as it is. Raises `DocumentError` for what is neither.
    """
    return "+".join(_pack(part) for part in (language or "en").split("+"))


def whisper_language(language: str | None) -> str | None:
    """The ISO 639-1 code that Whisper takes, of several languages the first's. None: the model finds it out."""
    if not language:
        return None
    pack = _pack(language.split("+")[0])
    return _CODES.get(pack, pack)


def _pack(name: str) -> str:
    name = name.strip()
    key = name.lower().replace("_", "-")
    found = _PACKS.get(key) or _OTHER.get(key) or _PACKS.get(re.sub(r"-[a-z]{2,4}$", "", key))
    if found:
        return found
    if not re.fullmatch(r"(script/)?[A-Za-z]{3,}(_[A-Za-z]+)*", name):
        raise DocumentError(f"there is no language {name!r}.", "Name it as ISO 639 does: en, de, ja, zh-TW.")
    return name
