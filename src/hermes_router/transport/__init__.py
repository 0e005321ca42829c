"""How bytes reach a provider. Everyone else imports ``base``; only server/app.py names a client."""
