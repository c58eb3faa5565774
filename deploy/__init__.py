"""What a deployment needs beside the two packages: image, broker jars, rules, dashboards, runbooks."""
