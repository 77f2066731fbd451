import java.time.Duration;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Consume, work, produce; an offset is committed once everything below it was delivered. Runs until it is killed. */
public final class Loop {
    /** Records of one poll: outputs without a report, and one more while they are handed over. */
    private record Batch(AtomicInteger open, Map<TopicPartition, OffsetAndMetadata> next) {}

    private static final long COMMIT_NANOS = 500_000_000L;

    public static void main(String[] args) throws Exception {
        String[] outputs = Work.setting("BENCH_OUTPUTS").split(",");
        String shape = Work.setting("BENCH_SHAPE");
        Map<String, Object> in = new HashMap<>(Map.of(
            "bootstrap.servers", Work.setting("BENCH_BROKERS"), "group.id", Work.setting("BENCH_GROUP"),
            "auto.offset.reset", "earliest", "enable.auto.commit", false, "max.poll.records", 10_000,
            "max.partition.fetch.bytes", 4 << 20, "fetch.max.bytes", 50 << 20, "fetch.max.wait.ms", 50,
            "receive.buffer.bytes", 1 << 20, "check.crcs", true));
        Map<String, Object> out = new HashMap<>(Map.of(
            "bootstrap.servers", Work.setting("BENCH_BROKERS"), "acks", "all", "enable.idempotence", true,
            "batch.size", 1_000_000, "linger.ms", Integer.parseInt(Work.setting("BENCH_LINGER_MS")),
            "buffer.memory", 128L << 20, "max.request.size", 8 << 20, "send.buffer.bytes", 1 << 20,
            "compression.type", Work.setting("BENCH_CODEC")));
        var bytesIn = new ByteArrayDeserializer();
        var bytesOut = new ByteArraySerializer();
        try (var consumer = new KafkaConsumer<>(in, bytesIn, bytesIn);
            var producer = new KafkaProducer<>(out, bytesOut, bytesOut)) {
            consumer.subscribe(List.of(Work.setting("BENCH_INPUT")));
            var batches = new ArrayDeque<Batch>();
            Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
            long committedAt = System.nanoTime();
            while (true) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(20));
                if (!records.isEmpty()) {
                    var batch = new Batch(new AtomicInteger(1), records.nextOffsets());
                    batches.add(batch);
                    for (ConsumerRecord<byte[], byte[]> record : records) {
                        byte[] value = record.value();
                        switch (shape) {
                            case "identity" -> send(producer, outputs[0], record, value, batch);
                            case "filter" -> {
                                if (Work.keeps(value)) send(producer, outputs[0], record, value, batch);
                            }
                            case "router" -> send(producer, outputs[Work.route(value)], record, value, batch);
                            case "json" -> send(producer, outputs[0], record, Work.clean(value), batch);
                            case "fanout" -> {
                                for (String output : outputs) send(producer, output, record, value, batch);
                            }
                            default -> throw new IllegalStateException(shape);
                        }
                    }
                    batch.open.decrementAndGet();
                }
                while (!batches.isEmpty() && batches.peek().open.get() == 0) done.putAll(batches.poll().next);
                if (System.nanoTime() - committedAt >= COMMIT_NANOS && !done.isEmpty()) {
                    committedAt = System.nanoTime();
                    consumer.commitAsync(new HashMap<>(done), null);
                    done.clear();
                }
            }
        }
    }

    private static void send(
        KafkaProducer<byte[], byte[]> producer, String topic, ConsumerRecord<byte[], byte[]> record, byte[] value, Batch batch) {
        batch.open.incrementAndGet();
        var output = new ProducerRecord<>(topic, null, record.timestamp(), record.key(), value, null);
        // One that failed is never counted down: its offset is not committed.
        producer.send(output, (metadata, error) -> { if (error == null) batch.open.decrementAndGet(); });
    }
}
