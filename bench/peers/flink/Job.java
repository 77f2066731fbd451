import java.io.Serializable;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.FlatMapFunction;
import org.apache.flink.api.common.typeinfo.PrimitiveArrayTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.TupleTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The work in one slot of a Flink that lives in this process. Runs until it is killed. */
public final class Job {
    private static final TypeInformation<Tuple2<byte[], byte[]>> PAIR = new TupleTypeInfo<>(
        PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO, PrimitiveArrayTypeInfo.BYTE_PRIMITIVE_ARRAY_TYPE_INFO);

    /** Key and value; Flink carries the timestamp itself. */
    private static final class Read implements KafkaRecordDeserializationSchema<Tuple2<byte[], byte[]>> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Tuple2<byte[], byte[]>> out) {
            out.collect(Tuple2.of(record.key(), record.value()));
        }

        @Override
        public TypeInformation<Tuple2<byte[], byte[]>> getProducedType() {
            return PAIR;
        }
    }

    private record Write(String topic) implements KafkaRecordSerializationSchema<Tuple2<byte[], byte[]>>, Serializable {
        @Override
        public ProducerRecord<byte[], byte[]> serialize(Tuple2<byte[], byte[]> pair, KafkaSinkContext context, Long timestamp) {
            return new ProducerRecord<>(topic, null, timestamp, pair.f0, pair.f1);
        }
    }

    public static void main(String[] args) throws Exception {
        String shape = Work.setting("BENCH_SHAPE");
        var consumer = new Properties();
        consumer.put("max.poll.records", "10000");
        consumer.put("max.partition.fetch.bytes", "4194304");
        consumer.put("fetch.max.wait.ms", "50");
        consumer.put("receive.buffer.bytes", "1048576");
        var producer = new Properties();
        producer.put("acks", "all");
        producer.put("enable.idempotence", "true");
        producer.put("batch.size", "1000000");
        producer.put("linger.ms", Work.setting("BENCH_LINGER_MS"));
        producer.put("buffer.memory", "134217728");
        producer.put("max.request.size", "8388608");
        producer.put("compression.type", Work.setting("BENCH_CODEC"));
        var source = KafkaSource.<Tuple2<byte[], byte[]>>builder().setBootstrapServers(Work.setting("BENCH_BROKERS"))
            .setTopics(Work.setting("BENCH_INPUT")).setGroupId(Work.setting("BENCH_GROUP"))
            .setStartingOffsets(OffsetsInitializer.earliest()).setProperties(consumer).setDeserializer(new Read()).build();
        var sink = KafkaSink.<Tuple2<byte[], byte[]>>builder().setBootstrapServers(Work.setting("BENCH_BROKERS"))
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE).setKafkaProducerConfig(producer)
            .setRecordSerializer(new Write(Work.setting("BENCH_OUTPUTS"))).build();
        var flink = StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
        // At least once: offsets are committed, and outputs flushed, at a checkpoint.
        flink.enableCheckpointing(1000);
        flink.getConfig().enableObjectReuse();
        var in = flink.fromSource(source, WatermarkStrategy.noWatermarks(), "in", PAIR);
        FlatMapFunction<Tuple2<byte[], byte[]>, Tuple2<byte[], byte[]>> work = switch (shape) {
            case "identity" -> null;
            case "filter" -> (pair, out) -> { if (Work.keeps(pair.f1)) out.collect(pair); };
            case "json" -> (pair, out) -> out.collect(Tuple2.of(pair.f0, Work.clean(pair.f1)));
            default -> throw new IllegalStateException(shape);
        };
        (work == null ? in : in.flatMap(work).returns(PAIR)).sinkTo(sink);
        flink.execute();
    }
}
