// Consume, work, produce on franz-go; an offset is committed once everything below it was delivered. Runs until it is
// killed.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// batch is what one poll brought.
type batch struct {
	// open counts outputs without a report, and one more while the batch is handed over.
	open atomic.Int64
	next map[string]map[int32]kgo.EpochOffset
}

func setting(name string) string {
	value, ok := os.LookupEnv(name)
	if !ok {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func main() {
	outputs := strings.Split(setting("BENCH_OUTPUTS"), ",")
	lingerMillis, err := strconv.Atoi(setting("BENCH_LINGER_MS"))
	if err != nil {
		log.Fatal(err)
	}
	codec := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[setting("BENCH_CODEC")]
	client, err := kgo.NewClient(
		kgo.SeedBrokers(setting("BENCH_BROKERS")),
		kgo.ConsumerGroup(setting("BENCH_GROUP")),
		kgo.ConsumeTopics(setting("BENCH_INPUT")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(500*time.Millisecond),
		kgo.FetchMaxWait(50*time.Millisecond),
		kgo.FetchMaxPartitionBytes(4<<20),
		kgo.FetchMaxBytes(50<<20),
		kgo.ProducerBatchMaxBytes(1_000_000),
		kgo.ProducerLinger(time.Duration(lingerMillis)*time.Millisecond),
		kgo.MaxBufferedRecords(100_000),
		kgo.ProducerBatchCompression(codec),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	var batches []*batch
	work := work(setting("BENCH_SHAPE"))
	for {
		fetches := client.PollRecords(ctx, 10_000)
		fetches.EachError(func(topic string, partition int32, err error) {
			log.Fatalf("%s[%d]: %v", topic, partition, err)
		})
		current := &batch{next: map[string]map[int32]kgo.EpochOffset{}}
		current.open.Store(1)
		batches = append(batches, current)
		promise := func(_ *kgo.Record, err error) {
			if err != nil {
				log.Fatal(err)
			}
			current.open.Add(-1)
		}
		fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
			if len(partition.Records) == 0 {
				return
			}
			last := partition.Records[len(partition.Records)-1]
			if current.next[partition.Topic] == nil {
				current.next[partition.Topic] = map[int32]kgo.EpochOffset{}
			}
			current.next[partition.Topic][partition.Partition] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
			for _, record := range partition.Records {
				work(record.Value, func(route int, value []byte) {
					current.open.Add(1)
					client.Produce(ctx, &kgo.Record{
						Topic: outputs[route], Key: record.Key, Value: value, Timestamp: record.Timestamp,
					}, promise)
				})
			}
		})
		current.open.Add(-1)
		for len(batches) > 0 && batches[0].open.Load() == 0 {
			client.MarkCommitOffsets(batches[0].next)
			batches = batches[1:]
		}
	}
}

// work answers what is done with a value: it hands each output to emit, with the index of its topic.
func work(shape string) func(value []byte, emit func(int, []byte)) {
	word := []byte("keep")
	switch shape {
	case "identity":
		return func(value []byte, emit func(int, []byte)) { emit(0, value) }
	case "filter":
		return func(value []byte, emit func(int, []byte)) {
			if bytes.Contains(value, word) {
				emit(0, value)
			}
		}
	case "router":
		return func(value []byte, emit func(int, []byte)) {
			var fields struct {
				Kind string `json:"kind"`
			}
			if err := json.Unmarshal(value, &fields); err != nil {
				log.Fatal(err)
			}
			emit(map[string]int{"order": 1, "refund": 2}[fields.Kind], value)
		}
	case "json":
		env := json.RawMessage(`"prod"`)
		return func(value []byte, emit func(int, []byte)) {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(value, &fields); err != nil {
				log.Fatal(err)
			}
			delete(fields, "name")
			delete(fields, "password")
			fields["env"] = env
			cleaned, err := json.Marshal(fields)
			if err != nil {
				log.Fatal(err)
			}
			emit(0, cleaned)
		}
	case "fanout":
		return func(value []byte, emit func(int, []byte)) {
			for route := range 3 {
				emit(route, value)
			}
		}
	}
	log.Fatalf("BENCH_SHAPE is %q", shape)
	return nil
}
