"""A real Apache Kafka on this machine: one node, KRaft, loopback only, from Maven's artifacts.

For the demo, for tests and for a first look; it keeps one replica of everything and is no place for facts that matter.
"""

from shared.runtime.local_kafka.broker import BrokerStatus, LocalKafka
from shared.runtime.local_kafka.errors import LocalKafkaError
from shared.runtime.local_kafka.java import find_java, kafka_classpath

__all__ = ["BrokerStatus", "LocalKafka", "LocalKafkaError", "find_java", "kafka_classpath"]
