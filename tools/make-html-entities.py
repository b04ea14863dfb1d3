"""Writes src/text/html-entities.txt: HTML's named character references (those with a semicolon), `name text` a line.

Names that differ from a listed one only in being all upper case stand for the upper-case text, as in ftfy:
`&EACUTE;` is É. Run: python tools/make-html-entities.py
"""

import html
import html.entities
import pathlib

entities = {}
for name, text in html.entities.html5.items():
    if not name.endswith(";"):
        continue
    entities[name[:-1]] = text
    upper = name.upper()
    if name == name.lower() and html.unescape("&" + upper) == "&" + upper:
        entities[upper[:-1]] = text.upper()

# The two line-breaking ones would break the file's lines; the tokenizer turns white space into spaces anyway.
lines = [f"{name} {' ' if text.isspace() else text}" for name, text in sorted(entities.items())]
out = pathlib.Path(__file__).parent.parent / "src" / "text" / "html-entities.txt"
out.write_text("\n".join(lines) + "\n", encoding="utf-8")
