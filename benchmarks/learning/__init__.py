"""What the parts and the settings of a training earn."""
