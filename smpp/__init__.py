"""An SMPP 3.4 ESME: sans-I/O core, thin asyncio shell, and an SMSC to rehearse with."""
