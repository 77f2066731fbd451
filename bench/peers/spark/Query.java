import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.udf;

import java.nio.file.Path;
import java.util.Map;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;

/**
 * The work as a query of Structured Streaming, in a Spark that lives in this process. Runs until it is killed.
 *
 * <p>Its sink has no column for timestamps: records get the time at which they are written.
 */
public final class Query {
    private Query() {}

    public static void main(String[] args) throws Exception {
        var spark = SparkSession.builder().master("local[1]").appName("bench").config("spark.ui.enabled", "false")
            .config("spark.local.dir", Work.setting("BENCH_FOLDER")).getOrCreate();
        String brokers = Work.setting("BENCH_BROKERS");
        Dataset<Row> in = spark.readStream().format("kafka").options(Map.of(
            "kafka.bootstrap.servers", brokers,
            "subscribe", Work.setting("BENCH_INPUT"),
            "startingOffsets", "earliest",
            "kafka.max.poll.records", "10000",
            "kafka.max.partition.fetch.bytes", "4194304",
            "kafka.receive.buffer.bytes", "1048576")).load().select("key", "value");
        Column value = col("value");
        Dataset<Row> out = switch (Work.setting("BENCH_SHAPE")) {
            case "identity" -> in;
            case "filter" -> in.filter(udf((UDF1<byte[], Boolean>) Work::keeps, DataTypes.BooleanType).apply(value));
            case "json" ->
                in.withColumn("value", udf((UDF1<byte[], byte[]>) Work::clean, DataTypes.BinaryType).apply(value));
            default -> throw new IllegalStateException(Work.setting("BENCH_SHAPE"));
        };
        out.writeStream().format("kafka").options(Map.of(
            "kafka.bootstrap.servers", brokers,
            "topic", Work.setting("BENCH_OUTPUTS"),
            "kafka.enable.idempotence", "true",
            "kafka.batch.size", "1000000",
            "kafka.linger.ms", Work.setting("BENCH_LINGER_MS"),
            "kafka.buffer.memory", "134217728",
            "kafka.max.request.size", "8388608",
            "kafka.compression.type", Work.setting("BENCH_CODEC"),
            "checkpointLocation", Path.of(Work.setting("BENCH_FOLDER"), "checkpoints").toString())).start()
            .awaitTermination();
    }
}
