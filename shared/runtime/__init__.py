"""The only place of I/O: Faust, aiokafka, RocksDB, metrics, logs, settings."""
