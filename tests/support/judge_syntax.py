"""Reports where a script breaks the grammar of its language (powershell or ruby); exits 1 when it does.
Replaces PowerShell and Homebrew, which no registry within reach has."""

import importlib
import sys

from tree_sitter import Language, Parser

grammar = importlib.import_module(f"tree_sitter_{sys.argv[1]}")
tree = Parser(Language(grammar.language())).parse(open(sys.argv[2], "rb").read())
faults = 0
nodes = [tree.root_node]
while nodes:
    node = nodes.pop()
    if node.type == "ERROR" or node.is_missing:
        faults += 1
        print(f"line {node.start_point.row + 1}: {node.text[:80]!r}")
    nodes.extend(node.children)
sys.exit(1 if faults else 0)
