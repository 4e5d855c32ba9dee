"""Training: data, quantisers, the integer network, the loop, evaluation. The only room with torch.

Start at `build.build`; data, recipe and evaluate work without torch.
"""
