package wasmill

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// An Op says what a sink is to do with a record. Kafka knows only put and delete (a tombstone).
type Op uint8

const (
	// Put writes, replacing what is there: Elasticsearch index, Redis SET or HSET.
	Put Op = iota
	// Create writes only if nothing is there: Elasticsearch create, Redis SET NX.
	Create
	// Merge merges into what is there: Elasticsearch update with doc-as-upsert, Redis HSET of the given fields.
	Merge
	// Delete removes.
	Delete
)

func (o Op) String() string {
	switch o {
	case Put:
		return "put"
	case Create:
		return "create"
	case Merge:
		return "merge"
	case Delete:
		return "delete"
	}
	return "Op(" + number(o) + ")"
}

// An Output takes what becomes of a batch, straight into the columns that cross to the host. A column that nobody sets
// stays away, so that a filter or a router copies nothing back.
//
// Rows are kept in the order of the batch. Keeping an earlier row after a later one, or keeping and rejecting a row, is a
// mistake in the module (rejecting the row that was kept last is none): the call then ends as [Fatal], with words that
// name the rows.
type Output struct {
	batch   *wire.Batch
	routes  int // of the plan
	rows    []uint32
	route   wire.Sparse[uint16]
	keys    wire.EditedBuilder
	values  wire.EditedBuilder
	headers wire.HeadersBuilder
	times   wire.Sparse[int64]
	targets wire.EditedBuilder
	ops     wire.Sparse[uint8]
	vers    wire.Sparse[uint64]
	rejects []wire.Reject
	mistake string
}

// Keep sends a row on. What is not set on the answer stays the row's own.
func (o *Output) Keep(row Row) Sent {
	index := len(o.rows)
	if index > 0 && row.index < o.rows[index-1] {
		o.descended(row.index, o.rows[index-1])
	}
	o.rows = append(o.rows, row.index)
	return Sent{o, index}
}

// KeepAll sends every row on as it is: the cheapest there is.
func (o *Output) KeepAll(batch *Batch) {
	if n := len(o.rows); n > 0 && o.rows[n-1] > 0 && batch.raw.Rows > 0 {
		o.descended(0, o.rows[n-1])
	}
	n := len(o.rows)
	o.rows = slices.Grow(o.rows, batch.Len())[:n+batch.Len()]
	rows := o.rows[n:]
	for i := range rows {
		rows[i] = uint32(i)
	}
}

// Reject sends a row to the pipeline's dead letters. Records that this row was kept for are taken back.
func (o *Output) Reject(row Row, reason string) {
	for n := len(o.rows); n > 0 && o.rows[n-1] == row.index; n-- {
		o.rows = o.rows[:n-1]
	}
	o.truncate(len(o.rows))
	o.rejects = append(o.rejects, wire.Reject{Row: row.index, Reason: reason})
}

// Len is the number of records so far.
func (o *Output) Len() int { return len(o.rows) }

func (o *Output) descended(row, last uint32) {
	o.mistaken("row ", number(row), " was kept after row ", number(last), ": keep rows in the order of the batch")
}

// mistaken notes the first mistake of the module.
func (o *Output) mistaken(parts ...string) {
	if o.mistake == "" {
		o.mistake = strings.Join(parts, "")
	}
}

// number is for words, without what package fmt adds to a module.
func number[T ~int | ~uint8 | ~uint32](n T) string { return strconv.FormatInt(int64(n), 10) }

func (o *Output) truncate(records int) {
	o.route.Truncate(records)
	o.keys.Truncate(records)
	o.values.Truncate(records)
	o.headers.Truncate(records)
	o.times.Truncate(records)
	o.targets.Truncate(records)
	o.ops.Truncate(records)
	o.vers.Truncate(records)
}

func (o *Output) reset(batch *wire.Batch, routes int) {
	o.batch, o.routes, o.mistake = batch, routes, ""
	o.rows = o.rows[:0]
	clear(o.rejects)
	o.rejects = o.rejects[:0]
	o.route.Reset()
	o.keys.Reset()
	o.values.Reset()
	o.headers.Reset()
	o.times.Reset()
	o.targets.Reset()
	o.ops.Reset()
	o.vers.Reset()
}

// finish answers the columns; they are this output's own, until it is reset.
func (o *Output) finish(to *wire.Output) error {
	if o.mistake != "" {
		return errors.New(o.mistake)
	}
	if err := o.finishRejects(); err != nil {
		return err
	}
	records := len(o.rows)
	*to = wire.Output{Rows: o.rows, Rejects: o.rejects}
	to.Routes, _ = o.route.Finish(records, func(int) uint16 { return 0 })
	to.Keys = o.keys.Finish(records)
	to.Values = o.values.Finish(records)
	to.Targets = o.targets.FinishNulls(records)
	to.Versions, to.HasVersions = o.vers.Finish(records, func(int) uint64 { return 0 })
	if to.Headers = o.headers.Finish(o.batch, o.rows); o.headers.Unread {
		return errors.New("a record's headers were set, and the headers of others would be lost: the plan does not " +
			"read headers. Add ReadHeaders to it, or call NoHeaders on every record")
	}
	unread := false
	to.Timestamps, to.HasTimestamps = o.times.Finish(records, func(record int) int64 {
		unread = unread || len(o.batch.Timestamps) == 0
		return at(o.batch.Timestamps, o.rows[record])
	})
	if unread {
		return errors.New("some records' timestamps were set, and those of others would be lost: the plan does not " +
			"read timestamps. Add ReadTimestamps to it, or set the timestamp of every record")
	}
	to.Ops, to.HasOps = o.ops.Finish(records, func(record int) uint8 { return o.unsaidOp(to.Values, record) })
	return nil
}

// unsaidOp is what the host does with a record without an op, so that one record's op changes nothing for the others.
func (o *Output) unsaidOp(values *wire.Edited, record int) uint8 {
	null := o.batch.Values.Null(int(o.rows[record]))
	if values != nil {
		if _, kept := slices.BinarySearch(values.Kept, uint32(record)); !kept {
			null = values.Null(record)
		}
	}
	if null {
		return uint8(Delete)
	}
	return uint8(Put)
}

// finishRejects brings the rejects into the order of their rows, each once.
func (o *Output) finishRejects() error {
	slices.SortStableFunc(o.rejects, func(a, b wire.Reject) int { return cmp.Compare(a.Row, b.Row) })
	o.rejects = slices.CompactFunc(o.rejects, func(a, b wire.Reject) bool { return a.Row == b.Row })
	for i := range o.rejects {
		reject := &o.rejects[i]
		if _, kept := slices.BinarySearch(o.rows, reject.Row); kept {
			return errors.New("row " + number(reject.Row) + " was both kept and rejected: it can only be one of them")
		}
		reject.Reason = valid(reject.Reason)
	}
	return nil
}

// valid makes UTF-8 of a text, as the contract asks: an error of the host would be the answer to anything else.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
