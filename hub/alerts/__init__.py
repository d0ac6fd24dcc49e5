"""Alerts: rules over what the hub measures, remembered over restarts, told to people through channels."""
