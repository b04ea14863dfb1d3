"""Writes tests/unit/fixtures/png-texts.json (texts in PNG files, as Pillow writes them; the webui saves through it) and
infotexts.json (what the webui's rules, spelled with Python's json and re, make of "parameters" texts).

Run with Pillow 12 or later: python tests/reference/make_infotexts.py
"""

import base64
import io
import json
import pathlib
import re

from PIL import Image, PngImagePlugin

FIXTURES = pathlib.Path(__file__).parent.parent / "unit" / "fixtures"

TEXTS = {
    "latin": "smith, café <lora:smith:0.8>\nNegative prompt: blurry\nSteps: 20, Sampler: Euler",
    "chinese": "史密斯, 红色背景\nSteps: 20, Sampler: Euler",
    "emoji": "smile 🙂",
    "empty": "",
}


def png(info: PngImagePlugin.PngInfo) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), (200, 100, 50)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


files = {}
for name, text in TEXTS.items():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", text)
    files[name] = {"text": text, "png": encoded(png(info))}

packed = PngImagePlugin.PngInfo()
packed.add_text("Description", "packed " * 20, zip=True)
packed.add_itxt("Comment", "包装" * 20, lang="zh", tkey="注释", zip=True)

output = {
    "plain": encoded(png(PngImagePlugin.PngInfo())),
    "files": files,
    "packed": {"texts": {"Description": "packed " * 20, "Comment": "包装" * 20}, "png": encoded(png(packed))},
}
(FIXTURES / "png-texts.json").write_text(json.dumps(output, ensure_ascii=False, indent=1) + "\n")


def written(prompt: str, negative: str, fields: list) -> str:
    def quoted(value: str) -> str:
        return json.dumps(value, ensure_ascii=False) if re.search("[,:\n]", value) else value

    line = ", ".join(f"{key}: {quoted(value)}" for key, value in fields)
    return (prompt + (f"\nNegative prompt: {negative}" if negative else "") + "\n" + line).strip()


def parsed(text: str) -> dict:
    *lines, last = text.strip().split("\n")
    found = re.findall(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', last)
    if len(found) < 3:
        lines, found = [*lines, last], []
    sides = {"prompt": [], "negative": []}
    side = "prompt"
    for line in (line.strip() for line in lines):
        if line.startswith("Negative prompt:"):
            side, line = "negative", line[len("Negative prompt:"):].strip()
        sides[side].append(line)
    fields = [[key, json.loads(value) if value[:1] == '"' == value[-1:] else value] for key, value in found]
    return {"prompt": "\n".join(sides["prompt"]), "negative": "\n".join(sides["negative"]), "fields": fields}


COMMON = [["Steps", "20"], ["Sampler", "DPM++ 2M"], ["Schedule type", "Karras"], ["CFG scale", "7"], ["Seed", "1"]]
WRITTEN = [
    ("a cat", "", COMMON),
    ("a cat, (sitting:1.2)", "blurry, [bad]", [*COMMON, ["Size", "512x512"], ["Model", "v1-5, pruned: final"]]),
    ("first line\nsecond line", "low quality\nworst", [*COMMON, ["Lora hashes", "smith: 0123456789ab, other: ba9876543210"]]),
    ("", "only negative", COMMON),
    ("史密斯, 红色背景", "模糊", [*COMMON, ["Model", "模型：一, 二"]]),
    ("quotes \"inside\", back\\slash", "", [*COMMON, ["Model", "say \"hi\", then: c:\\x"]]),
    ("Steps: 5, not the end", "", [*COMMON, ["Notes", "line one\nline two"]]),
]
READ = [
    "just a prompt",
    "a prompt, with: colons, and: more",
    "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x512, Model hash: 7460a6fa",
    "  a cat  \n  Negative prompt: dog\nNegative prompt: bird  \nSteps: 1, Seed: 2, Size: 8x8\n",
    "tags\nSteps: 20, Sampler: DPM++ 2M Karras, CFG scale: 5, Hires prompt: \"a, b\", Script: X/Y/Z plot, Version: v1.6.0",
    "",
]
infotexts = {
    "written": [
        {"prompt": prompt, "negative": negative, "fields": fields, "text": written(prompt, negative, fields)}
        for prompt, negative, fields in WRITTEN
    ],
    "read": [{"text": text, **parsed(text)} for text in [*READ, *(written(*parts) for parts in WRITTEN)]],
}
(FIXTURES / "infotexts.json").write_text(json.dumps(infotexts, ensure_ascii=False, indent=1) + "\n")
