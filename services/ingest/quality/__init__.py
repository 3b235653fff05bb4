"""What is wrong with candles: rules, contradictions, repeats, suspicions."""
