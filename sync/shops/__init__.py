"""Shops that are read and written by other means than HTTP. `port` is what every shop offers."""
