"""Texts: which ones both engines keep, how they are searched, and how one from outside is shown."""

import unicodedata


def check_text(text: str) -> None:
    """Raises ValueError for a text that only one of the engines could keep."""
    if "\x00" in text:
        raise ValueError("a text contains no NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("a text contains no half of a surrogate pair") from None


# letters that Unicode does not take apart but people type without their stroke or hook
_PLAIN_LETTERS = str.maketrans(
    {
        "ı": "i",
        "ə": "e",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "ø": "o",
        "ħ": "h",
        "ŧ": "t",
        "ŋ": "n",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ґ": "г",
        "\u2019": "'",
        "\u02bc": "'",
    }
)


class _Folded(dict[int, str]):
    """What each letter becomes, worked out when it is first met; no letter's folding depends on its neighbours."""

    def __missing__(self, code: int) -> str:
        text, previous = chr(code), ""
        while text != previous:
            previous = text
            decomposed = unicodedata.normalize("NFKD", text.casefold())
            letters = (" " if c.isspace() else c for c in decomposed if not unicodedata.combining(c))
            kept = "".join(c for c in letters if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
            text = kept.translate(_PLAIN_LETTERS)
        if len(self) < 20_000:
            self[code] = text
        return text


_FOLDED = _Folded()


def fold(text: str) -> str:
    """The key under which a text is searched: no case, no accents, plain letters, single blanks; folding twice changes nothing."""
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    return " ".join(text.translate(_FOLDED).split())


def shown(text: str) -> str:
    """A name or a value from outside, short and printable, for a message."""
    kept = "".join(character if character.isprintable() else "?" for character in text[:61])
    return kept if len(kept) <= 60 else kept[:59] + "…"
