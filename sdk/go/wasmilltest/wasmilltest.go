// Package wasmilltest tries a module in a Go test, without a host: records in, records out.
//
//	func TestKeepsErrors(t *testing.T) {
//		done, err := wasmilltest.Run(&filter{}, map[string]string{"word": "ERROR"},
//			wasmilltest.Value("ERROR: disk"), wasmilltest.Value("all is well"))
//		if err != nil {
//			t.Fatal(err)
//		}
//		if len(done.Records) != 1 || string(done.Records[0].Value) != "ERROR: disk" {
//			t.Errorf("got %v", done.Records)
//		}
//	}
package wasmilltest

import (
	"fmt"
	"maps"
	"slices"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// A Record is one to be given to a module.
type Record struct {
	// Key and Value are nil for Kafka's null.
	Key, Value []byte
	Headers    []wasmill.Header
	// Timestamp is in milliseconds since the Unix epoch.
	Timestamp int64
}

// Value is a record with a value alone.
func Value(text string) Record { return Record{Value: append([]byte{}, text...)} }

// KeyValue is a record with a key and a value.
func KeyValue(key, value string) Record {
	return Record{Key: append([]byte{}, key...), Value: append([]byte{}, value...)}
}

// A Sent is a record that came out, with what it kept of its row filled in.
type Sent struct {
	// Row is the index of the record that it came from.
	Row   int
	Route string
	// Key and Value are nil for Kafka's null.
	Key, Value []byte
	Headers    []wasmill.Header
	Timestamp  int64
	// Target, Op and Version are nil where the module says nothing of them. Ops and versions are there for all records of
	// a batch or for none.
	Target  *string
	Op      *wasmill.Op
	Version *uint64
}

// A Reject is a row that goes to the dead letters.
type Reject struct {
	Row    int
	Reason string
}

// Done is what a module answered.
type Done struct {
	Records []Sent
	// Rejects are in the order of their rows.
	Rejects []Reject
	// Columns are those that crossed back, for those who count copies: keys, values, headers, timestamps, targets, ops,
	// versions, routes.
	Columns []string
}

// Run starts a module with settings and gives it one batch, of topic `test`, partition 0, with offsets from 0. Columns
// that its plan does not read are empty, as they are in the host.
//
// The error is that of Init or of Transform; for [wasmill.IsRetry].
func Run(module wasmill.Module, settings map[string]string, records ...Record) (Done, error) {
	instance, err := Start(module, settings)
	if err != nil {
		return Done{}, err
	}
	return instance.Transform(Batch{Topic: "test", Records: records})
}

// An Instance is a module that was started.
type Instance struct {
	instance wire.Instance
	plan     wire.Plan
}

// Start makes an instance of a module. Each is to have a value of its own: the host calls Init once.
func Start(module wasmill.Module, settings map[string]string) (*Instance, error) {
	instance := wire.NewInstance(module)
	var given [][2]string
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		given = append(given, [2]string{name, settings[name]})
	}
	plan, err := instance.Init(given)
	if err != nil {
		return nil, err
	}
	if len(plan.Routes) == 0 {
		return nil, fmt.Errorf("the plan names no routes; at least one is needed")
	}
	return &Instance{instance, plan}, nil
}

// A Batch is records of one topic-partition.
type Batch struct {
	Topic     string
	Partition uint32
	Attempt   uint32
	// Offset is that of the first record.
	Offset  uint64
	Records []Record
}

// Transform gives the instance a batch.
func (i *Instance) Transform(batch Batch) (Done, error) {
	output, err := i.instance.Transform(pack(batch, i.plan.Reads))
	if err != nil {
		return Done{}, err
	}
	return unpack(output, i.plan.Routes, batch.Records), nil
}

func pack(batch Batch, reads uint8) *wire.Batch {
	raw := &wire.Batch{
		Topic: batch.Topic, Partition: batch.Partition, Attempt: batch.Attempt, Rows: uint32(len(batch.Records)),
	}
	for row, record := range batch.Records {
		if reads&wire.ReadKeys != 0 {
			raw.Keys.Push(record.Key)
		}
		if reads&wire.ReadValues != 0 {
			raw.Values.Push(record.Value)
		}
		if reads&wire.ReadOffsets != 0 {
			raw.Offsets = append(raw.Offsets, batch.Offset+uint64(row))
		}
		if reads&wire.ReadTimestamps != 0 {
			raw.Timestamps = append(raw.Timestamps, record.Timestamp)
		}
		if reads&wire.ReadHeaders != 0 {
			for _, header := range record.Headers {
				raw.Headers.Names.Push(append([]byte{}, header.Name...))
				raw.Headers.Values.Push(header.Value)
			}
			raw.Headers.RowEnds = append(raw.Headers.RowEnds, uint32(len(raw.Headers.Names.Ends)))
		}
	}
	return raw
}

func unpack(output *wire.Output, routes []string, records []Record) Done {
	var done Done
	for index, row := range output.Rows {
		own := &records[row]
		sent := Sent{
			Row: int(row), Route: routes[0], Headers: own.Headers, Timestamp: own.Timestamp,
			Key: edited(output.Keys, index, own.Key), Value: edited(output.Values, index, own.Value),
		}
		if output.Routes != nil {
			sent.Route = routes[output.Routes[index]]
		}
		if output.Headers != nil {
			sent.Headers = headers(output.Headers, index)
		}
		if output.HasTimestamps {
			sent.Timestamp = output.Timestamps[index]
		}
		if output.Targets != nil && !output.Targets.Null(index) {
			target := string(output.Targets.At(index))
			sent.Target = &target
		}
		if output.HasOps {
			op := wasmill.Op(output.Ops[index])
			sent.Op = &op
		}
		if output.HasVersions {
			version := output.Versions[index]
			sent.Version = &version
		}
		done.Records = append(done.Records, sent)
	}
	for _, reject := range output.Rejects {
		done.Rejects = append(done.Rejects, Reject{int(reject.Row), reject.Reason})
	}
	for _, column := range []struct {
		name    string
		crossed bool
	}{
		{"routes", output.Routes != nil}, {"keys", output.Keys != nil}, {"values", output.Values != nil},
		{"headers", output.Headers != nil}, {"timestamps", output.HasTimestamps}, {"targets", output.Targets != nil},
		{"ops", output.HasOps}, {"versions", output.HasVersions},
	} {
		if column.crossed {
			done.Columns = append(done.Columns, column.name)
		}
	}
	return done
}

func edited(column *wire.Edited, index int, own []byte) []byte {
	if column == nil || slices.Contains(column.Kept, uint32(index)) {
		return own
	}
	return slices.Clone(column.At(index))
}

func headers(column *wire.Headers, index int) []wasmill.Header {
	var all []wasmill.Header
	begin, end := column.Of(index)
	for i := begin; i < end; i++ {
		all = append(all, wasmill.Header{
			Name: slices.Clone(column.Names.At(i)), Value: slices.Clone(column.Values.At(i)),
		})
	}
	return all
}
