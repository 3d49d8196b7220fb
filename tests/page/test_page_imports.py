"""How the page's modules depend on each other, and the types that are written for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_js_imports as imports
from tools import write_js_types as types


def tree(root: Path, files: dict[str, str], allowed: dict[str, str]) -> Path:
    """A folder of scripts; `allowed` has what each of its folders may import."""
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(source)
    for folder, names in allowed.items():
        line = ", ".join(f"`{name}`" for name in names.split()) or "nothing"
        (root / folder / "README.md").write_text(f"# {folder}\n\nMay import: {line}.\n")
    return root


def test_the_page_keeps_its_layers() -> None:
    assert imports.check() == []


def test_the_written_types_are_those_of_the_api() -> None:
    assert types.FILE.read_text("utf-8") == types.written(), "make js-types"


def test_a_sound_tree_has_no_faults(tmp_path: Path) -> None:
    files = {
        "low/a.js": "export const a = 1;\nconst text = \"import x from './none.js'\";\n",
        "high/b.js": 'import { a } from "../low/a.js";\n/** @import { C } from "./c.js" */\nimport("../low/a.js");\n',
        "high/c.js": 'import {\n  b,\n} from "./b.js";\n// import "./none.js";\nstore.state.phase === 1;\n',
        "state/actions.js": "store.set({ phase: 1 });\n",
    }
    scripts = tree(tmp_path, files, {"low": "", "high": "low", "state": ""})
    assert imports.check(scripts, None) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ('import { a } from "./none.js";', "high/b.js imports high/none.js, which is not there"),
        ('await import("../low/none.js");', "high/b.js imports low/none.js, which is not there"),
        ('new Worker(new URL("./none.js", import.meta.url));', "high/b.js imports high/none.js, which is not there"),
        ('import "../other/d.js";', "high/b.js imports from other/, which high/README.md does not allow"),
        (
            'const { d } = await import("../other/d.js");',
            "high/b.js imports from other/, which high/README.md does not allow",
        ),
        ('export { c } from "./c.js";', "high/b.js → high/c.js → high/b.js"),
        ("store.set({ phase: 1 });", "high/b.js writes to the store"),
        ("store.setPanel(id, {});", "high/b.js writes to the store"),
        ("store.state.ask.models = [];", "high/b.js writes to the store"),
        ("Object.assign(store.state, {});", "high/b.js writes to the store"),
    ],
)
def test_a_fault_is_reported(tmp_path: Path, source: str, fault: str) -> None:
    files = {
        "low/a.js": "export const a = 1;\n",
        "high/b.js": f'import {{ a }} from "../low/a.js";\n{source}\n',
        "high/c.js": 'import { b } from "./b.js";\n',
        "other/d.js": "export const d = 1;\n",
    }
    found = imports.check(tree(tmp_path, files, {"low": "", "high": "low", "other": ""}), None)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_folders_go_one_way_and_say_what_they_import(tmp_path: Path) -> None:
    files = {
        "one/a.js": 'import "../two/b.js";\n',
        "two/b.js": "",
        "two/c.js": 'import "../one/a.js";\n',
        "three/d.js": "",
    }
    found = imports.check(tree(tmp_path, files, {"one": "two three", "two": "one"}), None)
    assert sorted(found) == [
        "one/ → two/ → one/",
        "one/README.md allows what is not imported: three",
        "three/README.md does not say what the folder may import",
    ]


def test_templates_load_what_is_there(tmp_path: Path) -> None:
    scripts = tree(tmp_path / "js", {"low/a.js": ""}, {"low": ""})
    (tmp_path / "page.html").write_text("{{ static('js/low/a.js') }} {{ static('js/low/b.js') }}")
    assert imports.check(scripts, tmp_path) == ["page.html loads low/b.js, which is not there"]


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        (True, "any"),
        ({"type": "integer"}, "number"),
        ({"$ref": "#/components/schemas/Panel"}, "Panel"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string | null"),
        ({"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, "(number | null)[]"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, "[number, string]"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "Record<string, string>"),
        ({"enum": ["crop", 1]}, '"crop" | 1'),
        ({"const": "top"}, '"top"'),
    ],
)
def test_a_schema_is_a_type(schema: object, shown: str) -> None:
    assert types.type_of(schema) == shown


def test_a_model_is_a_typedef() -> None:
    schema = {
        "description": "A panel.\n\nMore of it.",
        "properties": {"id": {"type": "string"}, "seconds": {"type": "number", "description": "that it took"}},
        "required": ["id"],
    }
    assert list(types.typedef("Panel", schema)) == [
        "/**",
        " * A panel.",
        " * @typedef {object} Panel",
        " * @property {string} id",
        " * @property {number} [seconds] - that it took",
        " */",
    ]
