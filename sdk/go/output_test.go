package wasmill_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

// does is a module with one deed.
type does struct {
	plan wasmill.Plan
	do   func(batch *wasmill.Batch, out *wasmill.Output) error
}

func (d *does) Describe() wasmill.Description {
	return wasmill.Description{Name: "does", Version: "1"}
}

func (d *does) Init(wasmill.Config) (wasmill.Plan, error) {
	if d.plan.Routes == nil {
		d.plan.Routes = []string{"out", "other"}
	}
	return d.plan, nil
}

func (d *does) Transform(batch *wasmill.Batch, out *wasmill.Output) error { return d.do(batch, out) }

var three = []wasmilltest.Record{
	{Key: []byte("k0"), Value: []byte("v0"), Timestamp: 10, Headers: []wasmill.Header{
		{Name: []byte("h"), Value: []byte("0")}, {Name: []byte("n")},
	}},
	{Key: []byte{}, Value: nil, Timestamp: 11},
	{Key: nil, Value: []byte{}, Timestamp: -1, Headers: []wasmill.Header{{Name: []byte("h"), Value: []byte{}}}},
}

// run does something with three records that have everything.
func run(t *testing.T, do func(rows []wasmill.Row, out *wasmill.Output)) (wasmilltest.Done, error) {
	t.Helper()
	return wasmilltest.Run(&does{do: func(batch *wasmill.Batch, out *wasmill.Output) error {
		var rows []wasmill.Row
		for row := range batch.Rows() {
			rows = append(rows, row)
		}
		do(rows, out)
		return nil
	}}, nil, three...)
}

func must(t *testing.T, do func(rows []wasmill.Row, out *wasmill.Output)) wasmilltest.Done {
	t.Helper()
	done, err := run(t, do)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func show(bytes []byte) string {
	if bytes == nil {
		return "null"
	}
	return fmt.Sprintf("%q", bytes)
}

// brief are records in short: row, route, key and value.
func brief(done wasmilltest.Done) string {
	var all []string
	for _, sent := range done.Records {
		all = append(all, fmt.Sprintf("%d %s %s=%s", sent.Row, sent.Route, show(sent.Key), show(sent.Value)))
	}
	return strings.Join(all, "; ")
}

func expect[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestWhatIsKeptCrossesNowhere(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		out.Keep(rows[0])
		out.Keep(rows[2]).Route(1)
	})
	expect(t, brief(done), `0 out "k0"="v0"; 2 other null=""`)
	expect(t, done.Columns, []string{"routes"})
}

func TestNullAndEmptyAreTwoThings(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		for _, row := range rows {
			out.Keep(row).Key(row.Value()).Value(row.Key())
		}
	})
	expect(t, brief(done), `0 out "v0"="k0"; 1 out null=""; 2 out ""=null`)
}

func TestSomeRecordsAreEdited(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		out.Keep(rows[0])
		out.Keep(rows[0]).Value([]byte("new")).NoKey()
		out.Keep(rows[1]).NoValue()
		out.Keep(rows[2]).Value([]byte("first")).Value([]byte("last"))
		out.Keep(rows[2])
	})
	expect(t, brief(done), `0 out "k0"="v0"; 0 out null="new"; 1 out ""=null; 2 out null="last"; 2 out null=""`)
}

func TestARejectTakesTheRecordsOfItsRowBack(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		out.Keep(rows[0]).Header("x", nil).Target("t").Version(1).Op(wasmill.Put).Timestamp(1).Route(1)
		out.Keep(rows[1]).Value([]byte("gone")).Key([]byte("gone")).Header("gone", nil).Target("gone")
		out.Keep(rows[1]).Value([]byte("gone")).Route(1).Version(7).Op(wasmill.Delete).Timestamp(7)
		out.Reject(rows[1], "bad \xff row")
		out.Keep(rows[2]).Value([]byte("stays"))
	})
	expect(t, brief(done), `0 other "k0"="v0"; 2 out null="stays"`)
	expect(t, done.Rejects, []wasmilltest.Reject{{Row: 1, Reason: "bad \uFFFD row"}})
	last := done.Records[1]
	if last.Target != nil || *last.Version != 0 || *last.Op != wasmill.Put || last.Timestamp != -1 || len(last.Headers) != 1 {
		t.Errorf("something of the rejected row is left: %+v", last)
	}
}

func TestWhatWasTakenBackLeavesNoColumn(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		out.Keep(rows[0])
		out.Keep(rows[1]).Value([]byte("x")).Version(1).Op(wasmill.Put).Target("t").Timestamp(1)
		out.Reject(rows[1], "no")
		out.Reject(rows[1], "no again")
	})
	expect(t, done.Columns, nil)
	expect(t, done.Rejects, []wasmilltest.Reject{{Row: 1, Reason: "no"}})
}

func TestHeaders(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		out.Keep(rows[0])
		out.Keep(rows[0]).Header("added", []byte("1")).Header("none", nil)
		out.Keep(rows[1]).NoHeaders()
		out.Keep(rows[2]).NoHeaders().Header("only", []byte{})
		out.Keep(rows[2])
	})
	var all []string
	for _, sent := range done.Records {
		text := ""
		for _, header := range sent.Headers {
			text += string(header.Name) + "=" + show(header.Value) + " "
		}
		all = append(all, text)
	}
	expect(t, all, []string{`h="0" n=null `, `h="0" n=null added="1" none=null `, ``, `only="" `, `h="" `})
	must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		value, there := rows[0].Header("n")
		if _, missing := rows[0].Header("x"); value != nil || !there || missing {
			t.Error("headers are looked up by name")
		}
	})
}

func TestOpsTargetsVersionsAndTimestampsOfSome(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		out.Keep(rows[0]).Op(wasmill.Merge).Target("index").Version(7)
		out.Keep(rows[0]).NoValue()
		out.Keep(rows[1])
		out.Keep(rows[1]).Value([]byte("again")).Timestamp(99)
		out.Keep(rows[2])
	})
	var ops []wasmill.Op
	var times []int64
	var versions []uint64
	var targets []string
	for _, sent := range done.Records {
		ops, times, versions = append(ops, *sent.Op), append(times, sent.Timestamp), append(versions, *sent.Version)
		if sent.Target != nil {
			targets = append(targets, *sent.Target)
		}
	}
	// A record without an op is what it would be if none had one: a tombstone deletes.
	expect(t, ops, []wasmill.Op{wasmill.Merge, wasmill.Delete, wasmill.Delete, wasmill.Put, wasmill.Put})
	expect(t, times, []int64{10, 10, 11, 99, -1})
	expect(t, versions, []uint64{7, 0, 0, 0, 0})
	expect(t, targets, []string{"index"})
}

type appender string

func (a appender) AppendText(dst []byte) ([]byte, error) {
	dst = append(dst, a...)
	if a == "fails" {
		return dst, errors.New("cannot be written")
	}
	return dst, nil
}

func TestAValueIsWrittenInItsPlace(t *testing.T) {
	done := must(t, func(rows []wasmill.Row, out *wasmill.Output) {
		if err := out.Keep(rows[0]).AppendValue(appender("one")); err != nil {
			t.Error(err)
		}
		if err := out.Keep(rows[0]).AppendValue(appender("fails")); err == nil {
			t.Error("no error")
		}
		if err := out.Keep(rows[2]).AppendValue(appender("two")); err != nil {
			t.Error(err)
		}
	})
	expect(t, brief(done), `0 out "k0"="one"; 0 out "k0"="v0"; 2 out null="two"`)
}

func TestMistakesAreNamed(t *testing.T) {
	for want, do := range map[string]func(rows []wasmill.Row, out *wasmill.Output){
		"row 0 was kept after row 1": func(rows []wasmill.Row, out *wasmill.Output) {
			out.Keep(rows[1])
			out.Keep(rows[0])
		},
		"row 0 was both kept and rejected": func(rows []wasmill.Row, out *wasmill.Output) {
			out.Keep(rows[0])
			out.Keep(rows[1])
			out.Reject(rows[0], "late")
		},
		"record 0, of row 0, was set after the next one was kept": func(rows []wasmill.Row, out *wasmill.Output) {
			first := out.Keep(rows[0])
			out.Keep(rows[1])
			first.Value(nil)
		},
		"record 0 was set after its row was rejected": func(rows []wasmill.Row, out *wasmill.Output) {
			first := out.Keep(rows[0])
			out.Reject(rows[0], "no")
			first.Value(nil)
		},
		"record 0 was sent to route 2: the plan has 2 routes": func(rows []wasmill.Row, out *wasmill.Output) {
			out.Keep(rows[0]).Route(2)
		},
		"record 0 has the op 9": func(rows []wasmill.Row, out *wasmill.Output) { out.Keep(rows[0]).Op(9) },
	} {
		if _, err := run(t, do); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestColumnsThatAreNotReadCannotBeKept(t *testing.T) {
	for want, do := range map[string]func(row wasmill.Row, out *wasmill.Output){
		"the plan does not read headers":    func(row wasmill.Row, out *wasmill.Output) { out.Keep(row).Header("x", nil) },
		"the plan does not read timestamps": func(row wasmill.Row, out *wasmill.Output) { out.Keep(row).Timestamp(1); out.Keep(row) },
	} {
		module := &does{plan: wasmill.Plan{Reads: wasmill.ReadValues}, do: func(batch *wasmill.Batch, out *wasmill.Output) error {
			do(batch.Row(0), out)
			return nil
		}}
		if _, err := wasmilltest.Run(module, nil, three...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestReadsWhatThePlanSays(t *testing.T) {
	for _, reads := range []wasmill.Reads{0, wasmill.ReadAll, wasmill.ReadNothing, wasmill.ReadKeys, wasmill.ReadValues,
		wasmill.ReadHeaders, wasmill.ReadOffsets, wasmill.ReadTimestamps} {
		module := &does{plan: wasmill.Plan{Reads: reads}, do: func(batch *wasmill.Batch, out *wasmill.Output) error {
			row, all := batch.Row(0), reads == 0 || reads == wasmill.ReadAll
			_, header := row.Header("h")
			second := batch.Row(1)
			expect(t, []bool{row.Key() != nil, row.Value() != nil, header, second.Offset() == 1, row.Timestamp() == 10},
				[]bool{
					all || reads == wasmill.ReadKeys, all || reads == wasmill.ReadValues, all || reads == wasmill.ReadHeaders,
					all || reads == wasmill.ReadOffsets, all || reads == wasmill.ReadTimestamps,
				})
			return nil
		}}
		if _, err := wasmilltest.Run(module, nil, three...); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMemoryIsUsedAgain(t *testing.T) {
	module := &does{do: func(batch *wasmill.Batch, out *wasmill.Output) error {
		for row := range batch.Rows() {
			out.Keep(row).Value(row.Key()).Header("x", row.Value()).Target("t").Version(1).Op(wasmill.Put)
		}
		return nil
	}}
	instance, err := wasmilltest.Start(module, nil)
	if err != nil {
		t.Fatal(err)
	}
	large := wasmilltest.Batch{Records: []wasmilltest.Record{three[0], three[1], three[2], three[0], three[0]}}
	first, err := instance.Transform(large)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = instance.Transform(wasmilltest.Batch{Records: three[1:2]}); err != nil {
		t.Fatal(err)
	}
	again, err := instance.Transform(large)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, again, first)
}

func TestErrors(t *testing.T) {
	reason := errors.New("later")
	for err, retry := range map[error]bool{
		wasmill.Retry(reason): true, wasmill.Fatal(reason): false, fmt.Errorf("wrapped: %w", wasmill.Retry(reason)): true, reason: false,
	} {
		if wasmill.IsRetry(err) != retry || !errors.Is(err, reason) {
			t.Errorf("%v: %t", err, wasmill.IsRetry(err))
		}
	}
}
