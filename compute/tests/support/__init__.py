"""What several of compute's tests share."""
