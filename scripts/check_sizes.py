"""Says which file, function or class has outgrown the limits of CONTRIBUTING.md."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES = {".py": 400, ".java": 400, ".ts": 250, ".tsx": 250}
FUNCTION_LINES = 60
CLASS_METHODS = 15

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources() -> Iterator[Path]:
    """Every source file that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in sorted(filter(None, listing.split("\0"))):
        path = ROOT / name
        if path.suffix in FILE_LINES and path.is_file():
            yield path


def findings(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    where = path.relative_to(ROOT)
    lines = text.count("\n")
    if lines > FILE_LINES[path.suffix]:
        yield f"{where}: {lines} lines, at most {FILE_LINES[path.suffix]}"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text, str(path))):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{where}:{node.lineno}: {node.name} has {length} lines, at most {FUNCTION_LINES}"
        elif isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, Function) and not item.name.startswith("__")]
            if len(methods) > CLASS_METHODS and not node.name.startswith("Test"):
                yield f"{where}:{node.lineno}: {node.name} has {len(methods)} methods, at most {CLASS_METHODS}"


def main() -> int:
    problems = [problem for path in sources() for problem in findings(path)]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
