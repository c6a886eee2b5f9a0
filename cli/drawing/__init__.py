"""A subgraph as a drawing in the terminal: boxes in layers where they fit, else one row a node with lanes.

picture   subgraph → boxes and lines between them
layout    boxes → layers, order in a layer, columns
routes    lines → columns and rows in the space between two layers
canvas    characters, with joins of lines worked out, in Unicode or ASCII
lanes     the other drawing, which is as narrow as the graph needs
"""
