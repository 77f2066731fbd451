package wasmill

import (
	_ "unsafe" // for go:linkname

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// What both worlds of the contract export, and their imports. The function transform of world `transform` is in
// columns_wasip1.go; with the tag wasmill_records it is that of world `transform-records`, in records_wasip1.go.
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

// failed answers an error of Transform, as either world lays it out.
func failed(err error) uint32 {
	host.message = valid(err.Error())
	host.failure = errorResult{failed: 1, fatal: 1, message: listOfText(host.message)}
	if IsRetry(err) {
		host.failure.fatal = 0
	}
	return pointer(&host.failure)
}

// topic makes a text of the one that the host wrote. Topics seldom change, and a text of Go never does: it is copied when
// it is another one.
func topic(l list) {
	if text := view[byte](l.at, l.n); host.batch.Topic != string(text) {
		host.batch.Topic = string(text)
	}
}

func rejectsOf(rejects []wire.Reject) list {
	host.rejects = host.rejects[:0]
	for i := range rejects {
		reject := &rejects[i]
		host.rejects = append(host.rejects, rejectRecord{row: reject.Row, reason: listOfText(reject.Reason)})
	}
	return listOf(host.rejects)
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
