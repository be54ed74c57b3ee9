"""The routes, thin: read the request, call one service, shape the answer."""
