"""Monitoring: `/healthz` and Prometheus' `/metrics` of `bot serve` and `bot worker`."""

from bot.monitoring.monitor import Monitor, monitored

__all__ = ["Monitor", "monitored"]
