#!/usr/bin/env python3
"""Writes the labelled corpus of this folder, always the same; --check says whether it is what stands there.

  {develop,heldout}_secrets.tsv   kind, secret, text; "^^" is in each secret and taken out by who reads it, for
                                  scanners of source code would take it for a real one. Of a key of many lines the
                                  first and the last stand for it, with " ¦ " between them.
  {develop,heldout}_clean.txt     lines without any secret

Both halves have every kind, but no context, clothes, name or URL form in common: detectors are made while looking
at `develop` only. No value was ever issued by anybody.
"""
import json
import pathlib
import re
import sys
import urllib.parse

import contexts
import formats
import harmless
import places
from formats import Draw

HERE = pathlib.Path(__file__).resolve().parent
HALVES = ("develop", "heldout")
CLEAN_LINES = 10_000  # Of each half


def half_of(things, half: int):
    return things[half::2]


class Half:
    def __init__(self, index: int):
        self.index = index
        self.draw = Draw(20261121 + index)
        self.rows = []
        self.outers = half_of(contexts.OUTER, index)

    def escaped(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=False)[1:-1]

    def add(self, kind: str, message: str, *secrets: str, plain=False):
        """A message with its secrets, in an outer form drawn at random."""
        outer = "{m}" if plain else self.draw.of(self.outers)[1]
        once, twice = self.escaped, lambda text: self.escaped(self.escaped(text))
        text = outer.format(m=message, j=once(message), jj=twice(message))
        form = twice if "{jj}" in outer else once if "{j}" in outer else str
        shown = [form(secret) for secret in secrets]
        for secret in shown:
            assert secret in text, (secret, text)
            text = text.replace(secret, joint(secret))
        assert "\t" not in text and "\n" not in text, text
        self.rows.append("\t".join([kind, " ¦ ".join(map(joint, shown)), text]))

    def contexts(self, name: str):
        return half_of(getattr(contexts, name), self.index)

    def make(self):
        draw = self.draw
        for kind, shapes in formats.TOKENS.items():
            for i in range(13):
                token = draw.shaped(shapes[i % len(shapes)])
                self.add(kind, draw.of(self.contexts("TOKEN")).format(s=token), shown_part(kind, token))
        for _ in range(40):
            token = formats.jwt(draw)
            self.add("jwt", draw.of(self.contexts("TOKEN")).format(s=token), token)
        for kind, names in contexts.NAMES.items():
            for name in half_of(names, self.index):
                for context in self.contexts("ASSIGNMENT"):
                    value = self.value(kind)
                    self.add(kind, context.format(k=name, s=value), value)
        for form in half_of(contexts.URL_FORMS, self.index):
            for _ in range(5):
                secret = urllib.parse.quote(formats.password(draw), safe="!$*+")
                self.add("url_password", draw.of(self.contexts("URL")).format(u=form.format(p=secret)), secret)
        for form in self.contexts("CONNECTION"):
            for _ in range(6):
                secret = draw.shaped("<b86>==") if "Endpoint" in form else draw.shaped("<a10-24>")
                self.add("connection_string", form.format(p=secret), secret)
        for name, kind, count, value in (
                ("AUTHORIZATION", "authorization", 10, lambda: draw.shaped(draw.of(["<a32>", "<b24>==", "<s43>", "<h40>"]))),
                ("COOKIE", "cookie", 12, lambda: draw.shaped(draw.of(["<a32>", "s%3A<s32>.<a43>", "<h64>"]))),
                ("SESSION", "session_id", 20, lambda: draw.shaped(draw.of(["<h32>", "<u32>", "<l26>"]))),
                ("UNNAMED", "entropy", 15, lambda: draw.shaped(draw.of(["<a40>", "<s43>", "<a48>", "<s64>", "<b43>=", "<b86>=="])))):
            for context in self.contexts(name):
                for _ in range(count):
                    secret = value()
                    self.add(kind, context.format(c=secret), secret)
        for context in self.contexts("CARD"):
            for _ in range(15):
                secret = formats.card(draw)
                self.add("credit_card", context.format(c=secret), secret)
        for context in self.contexts("USER_ARGUMENT"):
            for _ in range(20):
                secret = draw.shaped("<a8-16>")
                self.add("password", context.format(p=secret), secret)
        for context in self.contexts("HASH"):
            for shape in contexts.HASH_SHAPES:
                secret = draw.shaped(shape)
                self.add("password_hash", context.format(h=secret), secret.rsplit("$", 1)[1])
        for context in self.contexts("PRIVATE_KEY"):
            for title in contexts.KEY_TITLES:
                key = formats.pem(draw, title, "\\n" if draw.number(3) else " ")
                lines = key.replace("\\n", " ").split(" ")
                body = [line for line in lines if len(line) >= 20]
                self.add("private_key", context.format(k=key), body[0], body[-1], plain=True)

    def make_places(self):
        """Lines of places.py; their own draw leaves those above as they are."""
        draw = self.draw = Draw(20261122 + self.index)
        for kind, name, count, value in (
                ("statement", "STATEMENT", 4, lambda: self.word(draw)), ("command", "COMMAND", 3, lambda: self.word(draw)),
                ("dump", "DUMP", 3, lambda: draw.shaped("<a16-28>")), ("url_secret", "PARAMETER", 5, lambda: draw.shaped("<h32>")),
                ("sentence", "SENTENCE", 4, lambda: draw.shaped("<h12>A<a12>x<d3>")), ("foreign_name", "FOREIGN", 4, lambda: self.word(draw)),
                ("url_password", "URL_ESCAPED", 8, lambda: self.word(draw)), ("authorization", "SCHEME", 8, lambda: draw.shaped("<h32>")),
                ("authorization", "DIGEST", 8, lambda: draw.shaped("<h32>")), ("card_code", "CARD_CODE", 8, lambda: draw.shaped("<d3>"))):
            for context in half_of(getattr(places, name), self.index):
                for _ in range(count):
                    secret = value()
                    self.add(kind, context.format(s=secret), secret, plain=kind == "card_code")
        for kind, shapes in places.TOKENS.items():
            for i in range(12):
                token = draw.shaped(shapes[i % len(shapes)])
                self.add(kind, draw.of(self.contexts("TOKEN")).format(s=token), token)

    def word(self, draw: Draw) -> str:
        return draw.of([draw.shaped("<a14-20>"), draw.shaped("<a6>7-<a8>"), draw.of(["Tiger", "coffee", "Winter"]) + draw.shaped("<d3>.<a5>")])

    def value(self, kind: str) -> str:
        if kind == "password":
            return formats.password(self.draw)
        if kind == "aws_secret_access_key":
            return self.draw.shaped("<b40>")
        if kind == "entropy":
            return self.draw.shaped(self.draw.of(["<h32>", "<a32>", "<a24>", "<s43>", "<h40>"]))
        return formats.randomish(self.draw)

    def clean(self):
        templates = half_of(harmless.CLEAN, self.index)
        lines = set()
        while len(lines) < CLEAN_LINES:
            if self.draw.number(7) == 0:
                message = " ".join(self.draw.of(harmless.PROSE) for _ in range(self.draw.between(4, 14)))
            else:
                message = self.filled(self.draw.of(templates))
            outer = "{m}" if self.draw.number(2) else self.draw.of(self.outers)[1]
            lines.add(outer.format(m=message, j=self.escaped(message), jj=self.escaped(self.escaped(message))))
        draw = self.draw = Draw(20261123 + self.index)
        count = len(lines) + CLEAN_LINES // 10
        while len(lines) < count:
            message = self.filled(draw.of(half_of(places.CLEAN, self.index)))
            outer = "{m}" if draw.number(2) else draw.of(self.outers)[1]
            lines.add(outer.format(m=message, j=self.escaped(message), jj=self.escaped(self.escaped(message))))
        return sorted(lines)

    def filled(self, template: str) -> str:
        """{h64} hex, {d5} digits, {l8} lower case, {b43} base64, {s22} URL-safe, {u16} upper case, {ip}, {port}, {uuid}."""
        drawn = re.sub(r"\{(ip|port|uuid|[a-z][0-9]+)\}", lambda found: self.drawn(found[1]), template)
        return drawn.replace("{{", "{").replace("}}", "}")

    def drawn(self, name: str) -> str:
        draw = self.draw
        if name == "ip":
            return f"10.{draw.number(4)}.{draw.number(200)}.{draw.number(250)}"
        if name == "port":
            return str(draw.between(1024, 65535))
        if name == "uuid":
            return formats.uuid(draw)
        alphabet = formats.LOWER if name[0] == "l" else formats.CLASSES[name[0]]
        return draw.text(alphabet, int(name[1:]))


def shown_part(kind: str, token: str) -> str:
    """What of a token must not be seen: of a URL, what proves that one may use it."""
    if kind in ("slack_webhook", "discord_webhook"):
        return token.rsplit("/", 1)[1]
    if kind == "teams_webhook":
        return token.split("/IncomingWebhook/")[1].split("/")[0]
    if kind == "azure_signature":
        return token.split("sig=")[1].split("&")[0]
    return token


def joint(secret: str) -> str:
    return secret[:3] + "^^" + secret[3:]


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = []
    for index, name in enumerate(HALVES):
        half = Half(index)
        half.make()
        clean = half.clean()
        half.make_places()
        for path, lines in ((f"{name}_secrets.tsv", half.rows), (f"{name}_clean.txt", clean)):
            content = "\n".join(lines) + "\n"
            file = HERE / path
            if check and (not file.exists() or file.read_bytes() != content.encode()):
                stale.append(path)
            elif not check:
                file.write_bytes(content.encode())
                print(f"{path}: {len(lines)} lines")
    for path in stale:
        print(f"{path} is not what generate.py writes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
