"""The PoC client: registers, follows the reg event, agrees with the PoC server on the user's settings."""
