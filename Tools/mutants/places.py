"""The places of a Swift source that can be broken in a small way, found token by token.

A place is a piece of the text and what is put before and after it, with `#` for the number of the mutant: the piece is
still there, and behind the switch `__mutant(#)` it has another value. What does not compile is dropped later, so nothing
here has to know a type.
"""
import re
from dataclasses import dataclass, field

TOKEN = re.compile(r"""
    (?P<blank>\s+)
  | (?P<comment>//[^\n]*)
  | (?P<open_comment>/\*)
  | (?P<string>\#*"(?:"")?)
  | (?P<number>0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*(?:\.[0-9][0-9_]*)?(?:[eE][-+]?[0-9]+)?)
  | (?P<word>`\w+`|[\w$@\#][\w$]*)
  | (?P<bracket>[()\[\]{}])
  | (?P<mark>[,;:\\])
  | (?P<operator>[-+*/%<>=!&|^~?]+|\.\.[.<]|\.)
""", re.VERBOSE)

OPENERS, CLOSERS = "([{", ")]}"
CONDITIONS = {"if", "guard", "while"}
# What an expression does not reach beyond, at its own depth.
STOPS = {"return", "if", "guard", "while", "where", "case", "in", "else", "throw", "switch", "default", "for", "let", "var",
         "try", "await", "yield", "do", "repeat", "func", "init", "defer"}
PRECEDENCE = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, ">": 3, "<=": 3, ">=": 3, "===": 3, "!==": 3, "~=": 3, "??": 4,
              "...": 5, "..<": 5, "+": 6, "-": 6, "&+": 6, "&-": 6, "|": 6, "^": 6, "*": 7, "/": 7, "%": 7, "&": 7, "<<": 8,
              ">>": 8}
COMPARISONS = {"==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">"}
TERNARY, ASSIGNMENT = 0.5, 0


@dataclass
class Token:
    kind: str
    text: str
    start: int
    end: int
    line_break: bool = False  # between the token before and this one
    blank: bool = False
    blank_after: bool = False
    match: int = -1


@dataclass(frozen=True)
class Place:
    file: str
    line: int
    start: int
    end: int
    what: str
    before: str
    after: str
    text: str = field(compare=False, default="")  # the line, for the list of equivalent ones


def tokens(source):
    """Comments left out; of strings only what is interpolated."""
    found, position, line_break, blank = [], 0, True, True

    def end_of_string(at):
        opening = re.compile(r'(#*)("""|")').match(source, at)
        pounds, quotes = opening.group(1), opening.group(2)
        here, holes = opening.end(), []
        while here < len(source):
            if source.startswith(quotes + pounds, here):
                return here + len(quotes + pounds), holes
            if source.startswith("\\" + pounds + "(", here):
                start = here = here + 2 + len(pounds)
                depth = 1
                while depth and here < len(source):
                    if source[here] == '"' or source[here] == "#" and re.compile(r'#+"').match(source, here):
                        here = end_of_string(here)[0]
                        continue
                    depth += {"(": 1, ")": -1}.get(source[here], 0)
                    here += 1
                holes.append((start, here - 1))
            elif source[here] == "\\":
                here += 2
            else:
                here += 1
        return here, holes

    def read(position, end):
        nonlocal line_break, blank
        while position < end:
            match = TOKEN.match(source, position)
            if not match:
                position += 1
                continue
            kind, text = match.lastgroup, match.group()
            if kind == "blank" or kind == "comment":
                line_break |= "\n" in text
                blank = True
                position = match.end()
                continue
            if kind == "open_comment":
                position, depth = match.end(), 1
                while depth and position < end:
                    step = re.compile(r"/\*|\*/|.", re.DOTALL).match(source, position)
                    depth += {"/*": 1, "*/": -1}.get(step.group(), 0)
                    position = step.end()
                blank = True
                continue
            if found and blank:
                found[-1].blank_after = True
            if kind == "string":
                stop, holes = end_of_string(position)
                found.append(Token("string", source[position:stop], position, stop, line_break, blank))
                line_break = blank = False
                for start, hole_end in holes:
                    found.append(Token("bracket", "(", start - 1, start))
                    read(start, hole_end)
                    found.append(Token("bracket", ")", hole_end, hole_end + 1))
                    line_break = blank = False
                position = stop
                continue
            if kind == "operator" and text.endswith("?") and len(text) > 1 and text != "??":
                text = text[:-1] or "?"  # `x as!?` does not occur; `)?.` does
            found.append(Token(kind, text, position, position + len(text), line_break, blank))
            line_break = blank = False
            position += len(text)

    read(0, len(source))
    open_ones = []
    for index, token in enumerate(found):
        if token.kind == "bracket" and token.text in OPENERS:
            open_ones.append(index)
        elif token.kind == "bracket" and open_ones:
            token.match = open_ones.pop()
            found[token.match].match = index
    return found


class Source:
    def __init__(self, file, text):
        self.file, self.text, self.all = file, text, tokens(text)
        self.places = []

    # Where expressions begin and end ---------------------------------------------------------------------------------

    def infix(self, index):
        """The precedence of an operator between two operands; None for what is none."""
        token = self.all[index]
        if token.kind == "word" and token.text in ("as", "is"):
            return 9
        if token.kind != "operator" or not (token.blank or token.line_break) or not token.blank_after:
            return None
        if token.text == "?":
            return TERNARY
        if token.text in PRECEDENCE:
            return PRECEDENCE[token.text]
        return ASSIGNMENT if token.text.endswith("=") or token.text == "->" else 6

    def ends_statement(self, index):
        """Whether a statement ends between the token before and this one."""
        if index <= 0 or index >= len(self.all) or not self.all[index].line_break:
            return index <= 0 or index >= len(self.all)
        before, here = self.all[index - 1], self.all[index]
        if here.text.startswith(".") or self.infix(index) is not None or here.text in CLOSERS:
            return False
        if here.kind == "mark" and here.text == ":":
            return False
        return not (self.infix(index - 1) is not None or before.text in OPENERS + ",:")

    def begin(self, index, precedence):
        """The first token of the operand that ends before `index`."""
        here = index
        while here > 0 and not self.ends_statement(here):
            before = self.all[here - 1]
            if before.kind == "bracket" and before.text in OPENERS or before.text in ",;:" or before.text in STOPS:
                break
            level = self.infix(here - 1)
            if level is not None and level <= precedence:
                break
            here = before.match if before.kind == "bracket" else here - 1
            if here < 0:
                return index
        return here

    def is_condition(self, index):
        """Whether the braces that follow `index` are a body, not a closure."""
        here = index
        while here > 0 and not self.ends_statement(here):
            before = self.all[here - 1]
            if before.kind == "bracket" and before.text in OPENERS:
                return False
            if before.text in CONDITIONS | {"for", "switch"}:
                return True
            here = before.match if before.kind == "bracket" else here - 1
            if here < 0:
                return False
        return False

    def finish(self, index, precedence):
        """The token after the operand that begins with `index`."""
        here, in_condition = index, self.is_condition(index)
        while here < len(self.all):
            token = self.all[here]
            if here > index and self.ends_statement(here):
                break
            if token.kind == "bracket":
                if token.text in CLOSERS or token.match < 0 or token.text == "{" and in_condition:
                    break
                here = token.match + 1
                continue
            if token.text in ",;" or token.kind == "mark" and token.text == ":" or token.text in STOPS - {"try", "await"}:
                break
            level = self.infix(here)
            if level is not None and level <= precedence:
                break
            here += 1
        return here

    def chain(self, index):
        """The first token of `a.b(c)?.d`, of which `index` is the last name."""
        here = index
        while here > 0 and not self.all[here].blank and not self.all[here].line_break:
            before = self.all[here - 1]
            if before.kind == "bracket" and before.text in ")]":
                here = before.match
            elif before.kind in ("word", "string") and self.all[here].text in (".", "(", "[", "?", "!", "?.", "!."):
                here -= 1
            elif before.text in (".", "?", "!", "?.", "!."):
                here -= 1
            else:
                break
        return here

    def in_pattern(self, index):
        """Whether this is between `case` and its colon or its `=`."""
        here = index
        while here > 0:
            here -= 1
            token = self.all[here]
            if token.kind == "bracket" and token.text in CLOSERS:
                if token.text == "}":
                    return False
                here = token.match
            elif token.text == "case":
                return True
            elif token.text in ("{", ":", "=", "return", "where", "->", "in"):
                return False
        return False

    # The places ------------------------------------------------------------------------------------------------------

    def add(self, first, last, what, before, after):
        """From token `first` up to, not including, `last`."""
        if last <= first:
            return
        start, end = self.all[first].start, self.all[last - 1].end
        line = self.text.count("\n", 0, start) + 1
        whole = self.text.split("\n")[line - 1].strip()
        self.places.append(Place(self.file, line, start, end, what, before, after, whole))

    def shown(self, first, last):
        text = self.text[self.all[first].start:self.all[last - 1].end]
        text = re.sub(r"\s+", " ", text)
        return text if len(text) <= 60 else text[:57] + "..."

    def replaced(self, first, last, what, other):
        self.add(first, last, what, f"(__mutant(#) ? ({other}) : (", "))")

    def find(self, names):
        self.compared = set()
        self.comparisons()
        self.clauses()
        self.conditions()
        self.negations()
        self.lists()
        self.constants()
        self.members(names)
        self.parameters()
        return sorted(set(self.places), key=lambda place: (place.start, -place.end, place.what))

    def comparisons(self):
        for index, token in enumerate(self.all):
            if token.text not in COMPARISONS or self.infix(index) != 3:
                continue
            first, last = self.begin(index, 3), self.finish(index + 1, 3)
            if first == index or last == index + 1:
                continue
            other = COMPARISONS[token.text]
            text = self.text[self.all[first].start:token.start] + other + \
                self.text[token.end:self.all[last - 1].end]
            self.replaced(first, last, f"'{self.shown(first, last)}': {token.text} becomes {other}", text)
            if token.text in ("==", "!="):
                self.compared.add((first, last))

    def clauses(self):
        seen = set()
        for index, token in enumerate(self.all):
            if token.text not in ("&&", "||"):
                continue
            level = PRECEDENCE[token.text]
            for first, last in ((self.begin(index, level), index), (index + 1, self.finish(index + 1, level))):
                if (first, last) in seen:
                    continue
                seen.add((first, last))
                what = f"'{self.shown(first, max(last, first + 1))}' dropped from {token.text}"
                if token.text == "&&":
                    self.add(first, last, what, "(__mutant(#) || (", "))")
                else:
                    self.add(first, last, what, "(!__mutant(#) && (", "))")

    def negate(self, first, last):
        if last > first and (first, last) not in self.compared:
            self.add(first, last, f"'{self.shown(first, last)}' negated", "((", ") != __mutant(#))")

    def conditions(self):
        for index, token in enumerate(self.all):
            if token.kind == "word" and token.text in CONDITIONS:
                elements, here = [], index + 1
                while True:
                    last = self.finish(here, -1)
                    if last >= len(self.all):
                        break
                    # An assignment or a ternary inside of it does not end an element.
                    elements.append((here, last))
                    if self.all[last].text != ",":
                        break
                    here = last + 1
                plain = [(first, last) for first, last in elements
                         if last > first and self.all[first].text not in ("let", "var", "case") and
                         not self.all[first].text.startswith("#")]
                for first, last in plain:
                    self.negate(first, last)
                    if len(elements) > 1:
                        self.add(first, last, f"'{self.shown(first, last)}' dropped from {token.text}",
                                 "(__mutant(#) || (", "))")
            elif token.text == "?" and self.infix(index) == TERNARY:
                self.negate(self.begin(index, TERNARY), index)
            elif token.kind == "word" and token.text == "where":
                self.negate(index + 1, self.finish(index + 1, -1))

    def negations(self):
        for index, token in enumerate(self.all):
            if token.text == "!" and not token.blank_after and (token.blank or self.all[index - 1].text in OPENERS):
                last = index + 2
                while last < len(self.all) and not self.all[last].line_break and (
                        not self.all[last].blank and self.all[last].text in ("(", "[", ".", "?", "?.") or
                        self.all[last - 1].text in (".", "?.")):
                    last = self.all[last].match + 1 if self.all[last].kind == "bracket" else last + 1
                if index + 1 < len(self.all) and self.all[index + 1].kind == "bracket":
                    last = self.all[index + 1].match + 1
                self.add(index, last, f"'{self.shown(index, last)}' without its !", "((", ") != __mutant(#))")

    def lists(self):
        for index, token in enumerate(self.all):
            if token.text != "[" or token.match < 0 or index == 0:
                continue
            before = self.all[index - 1]
            if not token.blank and not token.line_break and (
                    before.kind in ("word", "string") or before.text in (")", "]", "?", "!", "}")):
                continue  # a subscript
            elements, here = [], index + 1
            while here < token.match:
                first = here
                while here < token.match and self.all[here].text != ",":
                    here = self.all[here].match + 1 if self.all[here].text in OPENERS else here + 1
                elements.append((first, here))
                here += 1
            if not elements or len(elements) == 1 and self.looks_like_type(*elements[0]):
                continue
            is_dictionary = any(self.all[at].text == ":" for first, last in elements for at in range(first, last)
                                if self.all[at].kind == "mark" and not self.inside(first, at))
            for number, (first, last) in enumerate(elements):
                if last <= first:
                    continue
                rest = [self.text[self.all[one].start:self.all[other - 1].end]
                        for place, (one, other) in enumerate(elements) if place != number and other > one]
                other = "[" + ", ".join(rest) + "]" if rest or not is_dictionary else "[:]"
                self.replaced(index, token.match + 1, f"element '{self.shown(first, last)}' dropped", other)

    def inside(self, first, at):
        """Whether a bracket that opens after `first` is still open at `at`."""
        return any(self.all[here].text in OPENERS and self.all[here].match > at for here in range(first, at))

    def looks_like_type(self, first, last):
        return all(self.all[here].kind == "word" and self.all[here].text.lstrip("`")[:1].isupper() or
                   self.all[here].text in ".?<>,:()[]" for here in range(first, last))

    def constants(self):
        for index, token in enumerate(self.all):
            if token.kind == "word" and token.text in ("true", "false"):
                self.add(index, index + 1, f"{token.text} becomes {'false' if token.text == 'true' else 'true'}",
                         "(", " != __mutant(#))")
            elif token.kind == "number" and "." not in token.text and self.all[index - 1].text != ".":
                try:
                    value = int(token.text.replace("_", ""), 0)
                except ValueError:
                    continue
                other = hex(value + 1) if token.text.startswith("0x") else str(value + 1)
                self.replaced(index, index + 1, f"{token.text} becomes {other}", other)

    def members(self, names):
        """`.a` becomes `.b`, a property or a case that stands beside it with the same type."""
        for index, token in enumerate(self.all):
            if token.kind != "word" or token.text not in names or self.all[index - 1].text not in (".", "?."):
                continue
            after = self.all[index + 1] if index + 1 < len(self.all) else token
            if after.text == "(" and not after.blank or self.infix(index + 1) == ASSIGNMENT or self.in_pattern(index):
                continue
            first = self.chain(index)
            if self.all[first - 1].text == "&":
                continue
            # With nothing before the dot, or a type, it is a case; else a property.
            base = self.all[first].text
            is_case = base in (".", "?.") or first == index - 1 or base[:1].isupper() and first == index - 2
            for is_other_case, other in sorted(names[token.text]):
                if is_case != is_other_case:
                    continue
                text = self.text[self.all[first].start:token.start] + other
                self.replaced(first, index + 1, f"'{self.shown(first, index + 1)}' becomes .{other}", text)

    def parameters(self):
        """A parameter becomes another one of the same type."""
        for index, token in enumerate(self.all):
            if token.text not in ("func", "init", "subscript"):
                continue
            here = index + 1
            while here < len(self.all) and self.all[here].text not in ("(", "{", "}"):
                here += 1
            if here >= len(self.all) or self.all[here].text != "(":
                continue
            types, start = {}, here + 1
            for at in range(here + 1, self.all[here].match + 1):
                if self.all[at].text not in (",", ")") or self.inside(here + 1, at):
                    continue
                colon = next((one for one in range(start, at) if self.all[one].text == ":"), None)
                if colon:
                    stop = next((one for one in range(colon, at) if self.all[one].text == "="), at)
                    if stop > colon + 1:
                        kind = self.text[self.all[colon + 1].start:self.all[stop - 1].end]
                        types.setdefault(kind, []).append(self.all[colon - 1].text)
                start = at + 1
            body = next((one for one in range(self.all[here].match, min(len(self.all), self.all[here].match + 40))
                         if self.all[one].text == "{"), None)
            if body is None or self.all[body].match < 0:
                continue
            for group in types.values():
                for position, name in enumerate(group):
                    if len(group) < 2 or name == "_":
                        continue
                    other = group[(position + 1) % len(group)]
                    for at in range(body, self.all[body].match):
                        use, after = self.all[at], self.all[at + 1]
                        if use.text == name and use.kind == "word" and self.all[at - 1].text not in (".", "?.") and \
                                not (after.text == ":" and not after.blank) and self.infix(at + 1) != ASSIGNMENT:
                            self.replaced(at, at + 1, f"{name} becomes {other}", other)


def siblings(texts):
    """For each property the next one of the same struct with the same type, for each enum case the next one."""
    names = {}

    def ring(group, is_case):
        for one, other in zip(group, group[1:] + group[:1]):
            if one != other:
                names.setdefault(one, set()).add((is_case, other))

    for text in texts:
        all_tokens = tokens(text)
        for index, token in enumerate(all_tokens):
            if token.text not in ("struct", "enum", "extension", "class"):
                continue
            start = next((at for at in range(index, min(index + 30, len(all_tokens))) if all_tokens[at].text == "{"), None)
            if start is None or all_tokens[start].match < 0:
                continue
            types, cases, here = {}, [], start + 1
            while here < all_tokens[start].match:
                one = all_tokens[here]
                if one.text in ("var", "let") and all_tokens[here + 2].text == ":":
                    end = here + 3
                    while not all_tokens[end].line_break and all_tokens[end].text not in ("=", "{", "}"):
                        end += 1
                    kind = text[all_tokens[here + 3].start:all_tokens[end - 1].end]
                    types.setdefault(kind, []).append(all_tokens[here + 1].text)
                elif one.text == "case":
                    name = here + 1
                    while True:
                        if all_tokens[name + 1].text != "(":
                            cases.append(all_tokens[name].text)
                        after = name + 1 if all_tokens[name + 1].text != "(" else all_tokens[name + 1].match + 1
                        if all_tokens[after].text != ",":
                            break
                        name = after + 1
                here = one.match + 1 if one.text in OPENERS and one.kind == "bracket" and one.match > 0 else here + 1
            for group in types.values():
                ring(group, False)
            ring(cases, True)
    return names
