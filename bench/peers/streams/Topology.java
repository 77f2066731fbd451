import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/** The work as a topology without state, on one thread. Runs until it is killed. */
public final class Topology {
    public static void main(String[] args) {
        String[] outputs = Work.setting("BENCH_OUTPUTS").split(",");
        var bytes = Serdes.ByteArray();
        var to = Produced.with(bytes, bytes);
        var builder = new StreamsBuilder();
        KStream<byte[], byte[]> in = builder.stream(Work.setting("BENCH_INPUT"), Consumed.with(bytes, bytes));
        switch (Work.setting("BENCH_SHAPE")) {
            case "identity" -> in.to(outputs[0], to);
            case "filter" -> in.filter((key, value) -> Work.keeps(value)).to(outputs[0], to);
            case "router" -> in.to((key, value, context) -> outputs[route(value)], to);
            case "json" -> in.mapValues(Topology::clean).to(outputs[0], to);
            case "fanout" -> { for (String output : outputs) in.to(output, to); }
            default -> throw new IllegalStateException(Work.setting("BENCH_SHAPE"));
        }
        var config = new Properties();
        config.put("application.id", Work.setting("BENCH_GROUP"));
        config.put("bootstrap.servers", Work.setting("BENCH_BROKERS"));
        config.put("state.dir", Work.setting("BENCH_FOLDER"));
        config.put("num.stream.threads", 1);
        config.put("processing.guarantee", "at_least_once");
        config.put("buffered.records.per.partition", 10_000);
        // With the tasks' own records of time and errors off the hot path.
        config.put("metrics.recording.level", "INFO");
        config.put("consumer.auto.offset.reset", "earliest");
        config.put("consumer.max.poll.records", 10_000);
        config.put("consumer.max.partition.fetch.bytes", 4 << 20);
        config.put("consumer.fetch.max.wait.ms", 50);
        config.put("consumer.receive.buffer.bytes", 1 << 20);
        config.put("producer.acks", "all");
        config.put("producer.enable.idempotence", true);
        config.put("producer.batch.size", 1_000_000);
        config.put("producer.linger.ms", Work.setting("BENCH_LINGER_MS"));
        config.put("producer.buffer.memory", 128L << 20);
        config.put("producer.max.request.size", 8 << 20);
        config.put("producer.send.buffer.bytes", 1 << 20);
        config.put("producer.compression.type", Work.setting("BENCH_CODEC"));
        new KafkaStreams(builder.build(), config).start();
    }

    private static int route(byte[] value) {
        try {
            return Work.route(value);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    private static byte[] clean(byte[] value) {
        try {
            return Work.clean(value);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }
}
