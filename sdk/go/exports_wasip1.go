package wasmill

import (
	_ "unsafe" // for go:linkname

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// The exports of world wasmill:transform/transform, and its imports.
//
// Everything that the host reads after a call has ended is reached from host, so that the collector leaves it alone; the
// next call overwrites it. Hence there are no functions to free it: the host would call them while a component must not
// call out, which no function of Go can promise.

var host struct {
	module   Module
	instance instance
	batch    wire.Batch

	described   wire.Description
	settings    []settingRecord
	description descriptionRecord

	named  wire.Plan
	routes []list
	plan   planResult

	rejects []rejectRecord
	output  outputResult
	message string
	failure errorResult
}

// programMain is main.main of the program. Built as a library, as modules are, a Go program is initialised by the host
// but its main is never called.
//
//go:linkname programMain main.main
func programMain()

func run(m Module) {
	if host.module != nil {
		panic("wasmill: Run was called twice; a program is one module")
	}
	host.module = m
	host.instance.module = m
}

func ready() *instance {
	if host.module == nil {
		programMain()
		if host.module == nil {
			panic("wasmill: main did not call wasmill.Run")
		}
	}
	return &host.instance
}

//go:wasmexport wasmill:transform/meta@0.1.0#describe
func exportDescribe() uint32 {
	host.described = ready().Describe()
	d := &host.described
	host.settings = host.settings[:0]
	for i := range d.Settings {
		s := &d.Settings[i]
		record := settingRecord{name: listOfText(s.Name), summary: listOfText(s.Summary)}
		if s.Default != nil {
			record.unset = optionList{some: 1, list: listOfText(*s.Default)}
		}
		if s.Required {
			record.required = 1
		}
		host.settings = append(host.settings, record)
	}
	host.description = descriptionRecord{
		name: listOfText(d.Name), version: listOfText(d.Version), summary: listOfText(d.Summary),
		settings: listOf(host.settings),
	}
	return pointer(&host.description)
}

//go:wasmexport wasmill:transform/meta@0.1.0#init
func exportInit(at, n uint32) uint32 {
	defer emptyArena()
	settings := make([][2]string, 0, n)
	for _, setting := range view[[2]list](at, n) {
		settings = append(settings, [2]string{setting[0].text(), setting[1].text()})
	}
	plan, err := ready().Init(settings)
	if err != nil {
		host.message = err.Error()
		host.plan = planResult{failed: 1, routes: listOfText(host.message)}
		return pointer(&host.plan)
	}
	host.named, host.routes = plan, host.routes[:0]
	for _, route := range plan.Routes {
		host.routes = append(host.routes, listOfText(route))
	}
	host.plan = planResult{routes: listOf(host.routes), reads: uint32(plan.Reads)}
	return pointer(&host.plan)
}

//go:wasmexport wasmill:transform/columns@0.1.0#transform
func exportTransform(at uint32) uint32 {
	defer emptyArena()
	output, err := ready().Transform(lift(&view[batchRecord](at, 1)[0]))
	if err != nil {
		host.message = valid(err.Error())
		host.failure = errorResult{failed: 1, fatal: 1, message: listOfText(host.message)}
		if IsRetry(err) {
			host.failure.fatal = 0
		}
		return pointer(&host.failure)
	}
	lower(output, &host.output.output)
	return pointer(&host.output)
}

// lift makes slices of what the host wrote, where it lies.
func lift(r *batchRecord) *wire.Batch {
	topic := view[byte](r.topic.at, r.topic.n)
	b := &host.batch
	// Topics seldom change, and a text of Go never does: it is copied when it is another one.
	if b.Topic != string(topic) {
		b.Topic = string(topic)
	}
	b.Partition, b.Rows, b.Attempt = r.partition, r.rows, r.attempt
	b.Offsets = view[uint64](r.offsets.at, r.offsets.n)
	b.Timestamps = view[int64](r.timestamps.at, r.timestamps.n)
	b.Keys, b.Values = r.keys.wire(), r.values.wire()
	b.Headers = wire.Headers{
		RowEnds: view[uint32](r.headers.rowEnds.at, r.headers.rowEnds.n),
		Names:   r.headers.names.wire(), Values: r.headers.values.wire(),
	}
	return b
}

func lower(o *wire.Output, to *outputRecord) {
	host.rejects = host.rejects[:0]
	for i := range o.Rejects {
		reject := &o.Rejects[i]
		host.rejects = append(host.rejects, rejectRecord{row: reject.Row, reason: listOfText(reject.Reason)})
	}
	*to = outputRecord{
		rows: listOf(o.Rows), routes: listOf(o.Routes), rejects: listOf(host.rejects),
		keys: editedOf(o.Keys), values: editedOf(o.Values),
		timestamps: optionOf(o.HasTimestamps, o.Timestamps),
		ops:        optionOf(o.HasOps, o.Ops),
		versions:   optionOf(o.HasVersions, o.Versions),
	}
	if o.Headers != nil {
		to.headers = optionHeaders{some: 1, headers: headerColumn{
			rowEnds: listOf(o.Headers.RowEnds), names: columnOf(&o.Headers.Names), values: columnOf(&o.Headers.Values),
		}}
	}
	if o.Targets != nil {
		to.targets = optionColumn{some: 1, column: columnOf(o.Targets)}
	}
}

//go:wasmimport wasmill:transform/log@0.1.0 write
//go:noescape
func write(level uint32, message string)

//go:wasmimport wasmill:transform/metrics@0.1.0 count
//go:noescape
func count(name string, by uint64)

//go:wasmimport wasmill:transform/metrics@0.1.0 observe
//go:noescape
func observe(name string, value float64)
