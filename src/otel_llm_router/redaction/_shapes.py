"""What a shape of a secret is: a text that it cannot do without, and a pattern.

Room: `redaction`. Vendors give their keys a prefix so that they can be found; shapes declare those formats. A shape's
pattern is compiled the first time that its literal is seen, and is tried nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

ALNUM: Final = "[A-Za-z0-9]"
HEX: Final = "[0-9a-fA-F]"
WORD: Final = r"[\w-]"
"""Base64 for URLs."""
BASE64: Final = r"[A-Za-z0-9+/_=-]"
DOTTED: Final = r"[\w.=-]"


@dataclass(frozen=True)
class Shape:
    """One format of secrets.

    Args:
        name: Of the vendor and the kind of key.
        literal: What every such secret contains, as it is written.
        body: Pattern of what follows the literal. Each repeat in it has a bound, or nothing but repeats of other
            characters behind it: so that a match is found or given up in bounded steps.
        before: Pattern of what precedes the literal, of bounded length.
    """

    name: str
    literal: str
    body: str
    before: str = ""
    _compiled: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]], compare=False, repr=False)

    @property
    def head(self) -> str:
        """The pattern up to the body."""
        return self.before + re.escape(self.literal)

    @property
    def pattern(self) -> re.Pattern[str]:
        """The whole, compiled once."""
        if not self._compiled:
            self._compiled.append(re.compile(self.head + self.body))
        return self._compiled[0]
