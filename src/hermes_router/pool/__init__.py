"""What we may draw on: credentials, deployments, what they have left and how they have been doing."""
