"""What training and prediction cost, and where the time goes."""
