"""Office Math (OMML, ECMA-376 part 1, 22.1) as one line of text: `(a+b)/2`, `x^2`, `∑_(i=1)^n i`."""

from __future__ import annotations

import re
from typing import Any

from kaggle_magics.rag.readers.library import local

_INVISIBLE = re.compile("[\u2061-\u2064]")
_SKIPPED = {"rPr", "ctrlPr"}


def equation_text(element: Any) -> str:
    """The text of an `m:oMath` element or of any part of one (an lxml or ElementTree element)."""
    name = local(element.tag)
    if name == "t":
        return _INVISIBLE.sub("", element.text or "")
    if name in _SKIPPED or (name.endswith("Pr") and name != "Pr"):
        return ""
    render = _FORMS.get(name)
    return render(element) if render else _inner(element)


def _inner(element: Any) -> str:
    return "".join(equation_text(child) for child in element)


def _part(element: Any, name: str) -> str:
    for child in element:
        if local(child.tag) == name:
            return _inner(child).strip()
    return ""


def _property(element: Any, name: str, default: str) -> str:
    """The `m:val` of a property inside the element's `...Pr`; "" where it is set to nothing."""
    for child in element:
        if local(child.tag).endswith("Pr"):
            for one in child:
                if local(one.tag) == name:
                    return next((value for key, value in one.attrib.items() if local(key) == "val"), "")
    return default


def _grouped(text: str) -> str:
    """In brackets unless it is one name, one number, or bracketed already."""
    return text if len(text) <= 1 or text.isalnum() else f"({text})"


def _fraction(element: Any) -> str:
    return f"{_grouped(_part(element, 'num'))}/{_grouped(_part(element, 'den'))}"


def _scripts(element: Any) -> str:
    sub, sup = _part(element, "sub"), _part(element, "sup")
    return _part(element, "e") + (f"_{_grouped(sub)}" if sub else "") + (f"^{_grouped(sup)}" if sup else "")


def _before(element: Any) -> str:
    sub, sup = _part(element, "sub"), _part(element, "sup")
    return (f"_{_grouped(sub)}" if sub else "") + (f"^{_grouped(sup)}" if sup else "") + _part(element, "e")


def _root(element: Any) -> str:
    degree = _part(element, "deg")
    return f"root({degree}, {_part(element, 'e')})" if degree else f"√({_part(element, 'e')})"


def _nary(element: Any) -> str:
    sub, sup = _part(element, "sub"), _part(element, "sup")
    sign = _property(element, "chr", "∫")
    limits = (f"_{_grouped(sub)}" if sub else "") + (f"^{_grouped(sup)}" if sup else "")
    return f"{sign}{limits} {_part(element, 'e')}"


def _delimited(element: Any) -> str:
    parts = [_inner(child) for child in element if local(child.tag) == "e"]
    separator = _property(element, "sepChr", "|")
    return _property(element, "begChr", "(") + separator.join(parts) + _property(element, "endChr", ")")


def _function(element: Any) -> str:
    argument = _part(element, "e")
    return _part(element, "fName") + (argument if argument.startswith("(") else f"({argument})")


def _limit(element: Any) -> str:
    mark = "_" if local(element.tag) == "limLow" else "^"
    return f"{_part(element, 'e')}{mark}{_grouped(_part(element, 'lim'))}"


def _matrix(element: Any) -> str:
    rows = [
        ", ".join(_inner(cell) for cell in row if local(cell.tag) == "e") for row in element if local(row.tag) == "mr"
    ]
    return f"[{'; '.join(rows)}]"


def _array(element: Any) -> str:
    return "; ".join(_inner(child) for child in element if local(child.tag) == "e")


_FORMS = {
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _before,
    "rad": _root,
    "nary": _nary,
    "d": _delimited,
    "func": _function,
    "limLow": _limit,
    "limUpp": _limit,
    "m": _matrix,
    "eqArr": _array,
}
