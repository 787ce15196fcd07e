"""Says where a PowerShell script breaks the grammar; exits 1 when it does. Stands for PowerShell,
which no registry within reach has."""

import sys

import tree_sitter_powershell
from tree_sitter import Language, Parser

tree = Parser(Language(tree_sitter_powershell.language())).parse(open(sys.argv[1], "rb").read())
faults = 0
nodes = [tree.root_node]
while nodes:
    node = nodes.pop()
    if node.type == "ERROR" or node.is_missing:
        faults += 1
        print(f"line {node.start_point.row + 1}: {node.text[:80]!r}")
    nodes.extend(node.children)
sys.exit(1 if faults else 0)
