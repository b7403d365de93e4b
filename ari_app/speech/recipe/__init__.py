"""The recipe of the mini models: from a grammar and espeak-ng's voices to a folder for Vosk.

Nothing here is imported by the service. Training and graphs need the extra `recipe`.
"""
