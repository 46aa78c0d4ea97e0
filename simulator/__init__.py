"""A region in a box: cards, PSAM, reader slots, the holder at the PIN pad (`sscsim`)."""
