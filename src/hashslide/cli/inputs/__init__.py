"""What the commands read: data, names, lines of text, models."""
