"""What things mean: pure rules from the peers' words to ours, and back. No I/O, no clock, no environment."""
