"""The parts of the leaderboard: its rows, the training of one, the results, the tables."""
