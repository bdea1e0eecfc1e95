"""What masterd answers on its control socket, method by method."""
