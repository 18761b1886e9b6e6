"""What a draw is: scenarios, noise, cards, conditions; numpy only."""
