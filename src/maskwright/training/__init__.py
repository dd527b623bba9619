"""Training: one visible loop, and the parts it is handed."""
