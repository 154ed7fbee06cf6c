"""The methods: each names its parametrisation, views, losses and schedule."""
