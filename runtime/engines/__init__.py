"""The engines that can write a subgraph."""
