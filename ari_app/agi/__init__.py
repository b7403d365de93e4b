"""Edge. Answers the dialplan's questions over FastAGI."""
