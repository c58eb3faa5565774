"""Rules, alerts, runbooks and dashboards, generated from `deploy/slo.toml`, `deploy/alerts.toml` and the catalogue."""
