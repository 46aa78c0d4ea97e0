"""A region in a box: cards, PSAMs, readers, holder and cashier, from invented root keys."""
