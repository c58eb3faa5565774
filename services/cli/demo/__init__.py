"""`duecourse demo`: sixty simulated days of the real services on a real Kafka, with things going wrong on stage."""
