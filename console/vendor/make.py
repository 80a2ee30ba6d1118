"""Makes preact.js of the files that `npm pack preact@11.2.0 htm@3.1.1` gives.

Usage: make.py PREACT_PACKAGE HTM_PACKAGE > preact.js
Each of the three libraries keeps a scope of its own, so that the one file may stand in a page
together with our modules, as it does in a report.
"""

import pathlib
import re
import sys

PREACT, HTM = map(pathlib.Path, sys.argv[1:])
NAMES = "h, render, Fragment, Component, useState, useEffect, useLayoutEffect, useRef, useMemo, useErrorBoundary, html"


def body(path: pathlib.Path) -> tuple[str, str | None]:
    """The text and what it exports, as the inside of an object."""
    text = re.sub(r"//# sourceMappingURL.*", "", path.read_text()).strip()
    if "export default" in text:
        return text.replace("export default function", "return function"), None
    found = re.search(r"export\{([^}]*)\};?$", text)
    assert found
    pairs = [name.split(" as ") for name in found.group(1).split(",")]
    return text[: found.start()], ",".join(f"{pair[-1]}:{pair[0]}" for pair in pairs)


core, core_names = body(PREACT / "dist/preact.mjs")
hooks, hooks_names = body(PREACT / "hooks/dist/hooks.mjs")
hooks = hooks.replace('import{options as n}from"preact";', "const n=preactCore.options;")
assert "import" not in hooks
htm, _ = body(HTM / "dist/htm.mjs")

print("// @ts-nocheck")
print("// preact 11.2.0 with its hooks (MIT), htm 3.1.1 (Apache-2.0): see LICENSES. Made by make.py.")
print(f"const preactCore=(()=>{{{core}return{{{core_names}}}}})();")
print(f"const preactHooks=(()=>{{{hooks}return{{{hooks_names}}}}})();")
print(f"const htmTag=(()=>{{{htm}}})();")
print(f"export const {{ {NAMES} }} = {{ ...preactCore, ...preactHooks, html: htmTag.bind(preactCore.h) }};")
