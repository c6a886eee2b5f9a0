"""Subgraphs as drawings: in the terminal, and as files.

In the terminal, boxes in layers where they fit, else one row a node with lanes:

picture   subgraph → boxes and lines between them
layout    boxes → layers, order in a layer, columns
routes    lines → columns and rows in the space between two layers
canvas    characters, with joins of lines worked out, in Unicode or ASCII
lanes     the other drawing, which is as narrow as the graph needs

As files, of a `agentic_dsl.compiler.diagram.Diagram`:

labels    what stands on an item: short printable texts, the same everywhere
palette   node types → colours, from the node table
mermaid   and dot: text for programs that lay out themselves
layered   boxes of one block → places, for hundreds of them; scene: the whole diagram
svg       a scene as a picture; page: the picture as a page with details, search and findings
"""
