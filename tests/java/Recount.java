import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Recounts topics with Kafka's own client under read_committed: a second opinion on what everybody else can see.
 *
 * <p>{@code java -cp JARS Recount.java BROKER TOPIC...} prints one line per partition: topic, partition, number of
 * records, and the SHA-256 over all keys and values in the order of their offsets, each preceded by its length as four
 * bytes, most significant first (-1 and nothing more for null).
 */
public final class Recount {
    private static final Duration PATIENCE = Duration.ofMillis(500);

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of(
            "bootstrap.servers", arguments[0],
            "isolation.level", "read_committed",
            "auto.offset.reset", "none",
            "key.deserializer", ByteArrayDeserializer.class,
            "value.deserializer", ByteArrayDeserializer.class);
        try (var consumer = new KafkaConsumer<byte[], byte[]>(settings)) {
            for (TopicPartition place : places(consumer, Arrays.asList(arguments).subList(1, arguments.length))) {
                recount(consumer, place);
            }
        }
    }

    private static List<TopicPartition> places(KafkaConsumer<byte[], byte[]> consumer, List<String> topics) {
        return topics.stream()
            .flatMap(topic -> consumer.partitionsFor(topic).stream())
            .map(found -> new TopicPartition(found.topic(), found.partition()))
            .sorted(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition))
            .collect(Collectors.toList());
    }

    private static void recount(KafkaConsumer<byte[], byte[]> consumer, TopicPartition place) throws Exception {
        consumer.assign(List.of(place));
        consumer.seekToBeginning(List.of(place));
        long end = consumer.endOffsets(List.of(place)).get(place);
        long count = 0;
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        while (consumer.position(place) < end) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(PATIENCE)) {
                count++;
                add(digest, record.key());
                add(digest, record.value());
            }
        }
        System.out.printf(
            "%s %d %d %s%n", place.topic(), place.partition(), count, HexFormat.of().formatHex(digest.digest()));
    }

    private static void add(MessageDigest digest, byte[] bytes) {
        digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(bytes == null ? -1 : bytes.length).array());
        if (bytes != null) {
            digest.update(bytes);
        }
    }
}
