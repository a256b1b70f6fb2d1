"""Every carrier connector is held to the same rules, and every rule is shown to notice who breaks it."""
