"""Archives on the net: how to ask them, and how their files come here."""
