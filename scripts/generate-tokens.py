#!/usr/bin/env python3
"""Writes Sources/Transport/Stanza/TokenTable+Strings.swift from the token dictionary.

Usage: scripts/generate-tokens.py [path of wire-tokens.json]      (default ../shared/data/wire-tokens.json)

The file has {"dictVersion", "singleByte": [236 strings], "doubleByte": [4 x 256 strings]}. The result holds the strings in
code order, one a line, as one literal in the binary's read-only data: nothing is built or copied at compile time.
"""
import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
source = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root.parent / "shared" / "data" / "wire-tokens.json"
tokens = json.loads(source.read_text())
single, double = tokens["singleByte"], tokens["doubleByte"]
assert len(single) == 236 and single[0] == "", "single-byte dictionary"
assert len(double) == 4 and all(len(part) == 256 for part in double), "double-byte dictionaries"
strings = single[1:] + [string for part in double for string in part]
assert len(set(strings)) == len(strings), "duplicate token"
for string in strings:
    assert string and all(0x21 <= ord(c) <= 0x7E and c not in '"\\' for c in string), repr(string)

lines = [
    "// Made by scripts/generate-tokens.py from the token dictionary; do not edit.",
    "",
    "extension TokenTable {",
    "    /// Version of the dictionary, sent as the last byte of the intro header.",
    f"    static let dictionaryVersion: UInt8 = {tokens['dictVersion']}",
    "",
    "    /// The strings of the dictionary in code order, a line each: single-byte codes 1...235, then the four double-byte",
    "    /// dictionaries of 256 (01-transport, section 9.3).",
    '    static let strings: StaticString = """',
]
lines += ["        " + string for string in strings]
lines += ['        """', "}", ""]
target = root / "Sources" / "Transport" / "Stanza" / "TokenTable+Strings.swift"
target.write_text("\n".join(lines))
print(f"{target.relative_to(root)}: {len(strings)} strings")
