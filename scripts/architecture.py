"""Pictures of the code for docs/architecture.md, read off the code itself.

python scripts/architecture.py            prints them (Mermaid)
python scripts/architecture.py --write    puts them into docs/architecture.md, between their marks
python scripts/architecture.py --check    exit status 1 where the page shows another code
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
FOLDERS = (
    *("cli", "gui", "evaluation", "training", "rerun", "parallel"),
    *("analysis", "recorder", "stim", "rig", "agent"),
)
"""From the top down: arrows should not point up."""
MARK = "<!-- {name}: scripts/architecture.py -->"


def sources() -> dict[str, ast.Module]:
    """Every module of the project, parsed, by its dotted name."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = ast.parse(path.read_text())
    return found


def imports(tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of the project that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{each.name}" for each in node.names} & known
            found |= {node.module} & known
        elif isinstance(node, ast.Import):
            found |= {each.name for each in node.names} & known
    return found


def import_picture(modules: dict[str, ast.Module]) -> str:
    """Which folder imports which, as Mermaid; an arrow's number counts the modules that do."""
    arrows: dict[tuple[str, str], set[str]] = defaultdict(set)
    for module, tree in modules.items():
        for target in imports(tree, set(modules)):
            pair = module.split(".")[0], target.split(".")[0]
            if pair[0] != pair[1]:
                arrows[pair].add(module)
    order = {folder: place for place, folder in enumerate(FOLDERS)}
    pairs = sorted(arrows, key=lambda pair: (order[pair[0]], order[pair[1]]))
    return "\n".join(
        [
            "flowchart TD",
            *(f"    {one} -->|{len(arrows[one, other])}| {other}" for one, other in pairs),
        ]
    )


def process_picture(modules: dict[str, ast.Module]) -> str:
    """Which module starts which process (`python -m MODULE`), as Mermaid."""
    processes = {name for name, tree in modules.items() if _is_process(tree)}
    lines = ["flowchart TD"]
    for module, tree in sorted(modules.items()):
        named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        for process in sorted(named & processes - {module}):
            lines.append(f"    {_id(module)}[{module}] -->|starts| {_id(process)}[{process}]")
        runs = "rig.session.supervisor" in imports(tree, set(modules))
        if runs and (module in processes or module.startswith("cli")):
            lines.append(f"    {_id(module)}[{module}] -->|runs| rig_session_supervisor")
    return "\n".join(lines)


def _is_process(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body
    )


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name)


def page(text: str, pictures: dict[str, str]) -> str:
    """The page with these pictures between their marks. Raises ValueError where a mark is missing."""
    for name, picture in pictures.items():
        mark = re.escape(MARK.format(name=name))
        block = f"{MARK.format(name=name)}\n```mermaid\n{picture}\n```\n{MARK.format(name=name)}"
        text, n = re.subn(f"{mark}.*?{mark}", lambda _, new=block: new, text, flags=re.DOTALL)
        if n != 1:
            raise ValueError(f"{PAGE} has no two marks {MARK.format(name=name)}")
    return text


def main(arguments: list[str]) -> int:
    """Prints, writes or checks the pictures."""
    modules = sources()
    pictures = {"processes": process_picture(modules), "imports": import_picture(modules)}
    if arguments not in (["--write"], ["--check"]):
        for name, picture in pictures.items():
            print(f"{name}\n{picture}\n")
        return 0
    before = PAGE.read_text()
    after = page(before, pictures)
    if arguments == ["--write"]:
        PAGE.write_text(after)
    elif before != after:
        print(f"{PAGE} shows another code; run `python scripts/architecture.py --write`.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
