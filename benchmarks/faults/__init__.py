"""The fault matrix: what becomes of telemetry, and of the application, when things break."""
