"""What a memory that learns from one example achieves and costs."""
