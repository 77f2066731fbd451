package wasmill

import (
	"encoding"
	"time"
)

// Sent is a record on its way out: what is set here replaces what its row has. It is set before the next row is kept.
//
// Headers, timestamps and versions are columns that are whole or not there: once one record of a batch sets its own, the
// others' cross back as well. So a module that sets headers reads headers (or calls NoHeaders on every record), one that
// sets timestamps reads timestamps (or sets every record's), and where one record has a version the others have 0.
type Sent struct {
	out    *Output
	record int
}

// last says whether this is the record kept last, which alone can be set.
func (s Sent) last() bool {
	if s.record == len(s.out.rows)-1 {
		return true
	}
	s.late()
	return false
}

func (s Sent) late() {
	if s.record < len(s.out.rows) {
		s.out.mistaken("record ", number(s.record), ", of row ", number(s.out.rows[s.record]),
			", was set after the next one was kept: set a record before the next is kept")
		return
	}
	s.out.mistaken("record ", number(s.record), " was set after its row was rejected")
}

// Route sends the record to another route than the first, by its index in [Plan].Routes.
func (s Sent) Route(route int) Sent {
	if route < 0 || route >= s.out.routes {
		s.out.mistaken("record ", number(s.record), " was sent to route ", number(route), ": the plan has ",
			number(s.out.routes), " routes, numbered from 0")
	} else if s.last() {
		s.out.route.Set(s.record, uint16(route))
	}
	return s
}

// Key sets the key; nil takes it away.
func (s Sent) Key(key []byte) Sent {
	if s.last() {
		s.out.keys.Set(s.record, key)
	}
	return s
}

// NoKey takes the key away.
func (s Sent) NoKey() Sent { return s.Key(nil) }

// Value sets the value; nil makes it a tombstone.
func (s Sent) Value(value []byte) Sent {
	if s.last() {
		s.out.values.Set(s.record, value)
	}
	return s
}

// NoValue makes the record a tombstone: a sink removes what the key names.
func (s Sent) NoValue() Sent { return s.Value(nil) }

// AppendValue lets text write the value in its place, without a buffer of its own: jsonedit.Object is one that can.
// Where text answers an error, so does AppendValue, and the record has its row's own value: reject the row to take it
// back.
func (s Sent) AppendValue(text encoding.TextAppender) error {
	if !s.last() {
		return nil
	}
	return s.out.values.Append(s.record, text.AppendText)
}

// Header adds a header after those that the record has; a nil value is Kafka's null.
func (s Sent) Header(name string, value []byte) Sent {
	if s.last() {
		s.out.headers.Add(s.out.batch, s.out.rows, name, value)
	}
	return s
}

// NoHeaders takes all headers away; Header may add new ones.
func (s Sent) NoHeaders() Sent {
	if s.last() {
		s.out.headers.Clear(s.out.batch, s.out.rows)
	}
	return s
}

// Timestamp sets the timestamp, in milliseconds since the Unix epoch.
func (s Sent) Timestamp(milliseconds int64) Sent {
	if s.last() {
		s.out.times.Set(s.record, milliseconds)
	}
	return s
}

// Time sets the timestamp.
func (s Sent) Time(time time.Time) Sent { return s.Timestamp(time.UnixMilli()) }

// Target says where inside the sink: topic, index or key.
func (s Sent) Target(target string) Sent {
	if s.last() {
		s.out.targets.SetString(s.record, target)
	}
	return s
}

// Op says what the sink is to do. Unsaid: put, or delete where the value is null.
func (s Sent) Op(op Op) Sent {
	if op > Delete {
		s.out.mistaken("record ", number(s.record), " has the op ", number(op), ", which is none")
	} else if s.last() {
		s.out.ops.Set(s.record, uint8(op))
	}
	return s
}

// Version is for sinks that keep the newest: a number that grows with each change of the same key.
func (s Sent) Version(version uint64) Sent {
	if s.last() {
		s.out.vers.Set(s.record, version)
	}
	return s
}
