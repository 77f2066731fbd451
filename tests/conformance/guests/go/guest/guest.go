// Package guest is the conformance guest of Go: it does what tests/conformance/README.md lists.
package guest

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	_ "github.com/wasmill/wasmill/sdk/go/hostlog"
)

// Guest is the module.
type Guest struct {
	do     func(*Guest, *wasmill.Batch, *wasmill.Output) error
	config wasmill.Config
	routes []string
	times  int
	rows   int
}

// A deed is what the setting `do` names, and the columns that it reads.
type deed struct {
	reads wasmill.Reads
	do    func(*Guest, *wasmill.Batch, *wasmill.Output) error
}

// each makes a deed of what is done to each row.
func each(do func(g *Guest, row wasmill.Row, out *wasmill.Output)) func(*Guest, *wasmill.Batch, *wasmill.Output) error {
	return func(g *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
		for row := range batch.Rows() {
			do(g, row, out)
		}
		return nil
	}
}

const both = wasmill.ReadKeys | wasmill.ReadValues

var deeds = map[string]deed{
	"keep":      {wasmill.ReadNothing, keep},
	"copy":      {both | wasmill.ReadHeaders | wasmill.ReadTimestamps, each(copyRow)},
	"even":      {wasmill.ReadNothing, each(even)},
	"none":      {wasmill.ReadNothing, each(func(*Guest, wasmill.Row, *wasmill.Output) {})},
	"thrice":    {both, each(thrice)},
	"tombstone": {wasmill.ReadNothing, each(func(_ *Guest, row wasmill.Row, out *wasmill.Output) { out.Keep(row).NoValue() })},
	"swap":      {both, each(swap)},
	"text":      {wasmill.ReadValues, each(text)},
	"length":    {both, each(length)},
	"info":      {wasmill.ReadOffsets | wasmill.ReadTimestamps, info},
	"headers":   {wasmill.ReadHeaders, each(headers)},
	"route":     {wasmill.ReadValues, each(route)},
	"target":    {wasmill.ReadKeys, each(target)},
	"op":        {wasmill.ReadNothing, each(op)},
	"version":   {wasmill.ReadOffsets, each(version)},
	"reject":    {wasmill.ReadValues, each(reject)},
	"retry":     {wasmill.ReadNothing, retry},
	"fatal":     {wasmill.ReadValues, fatal},
	"throw":     {wasmill.ReadValues, each(throw)},
	"config":    {wasmill.ReadNothing, config},
	"count":     {wasmill.ReadNothing, each(count)},
	"grow":      {wasmill.ReadValues, each(grow)},
	"log":       {wasmill.ReadValues, each(log)},
	"spin":      {wasmill.ReadNothing, spin},
	"allocate":  {wasmill.ReadNothing, allocate},
	"recurse":   {wasmill.ReadNothing, recurse},
	"flood":     {wasmill.ReadNothing, flood},
	// Of Go alone: host/tests/go.rs.
	"sleep":      {wasmill.ReadNothing, sleep},
	"deadlock":   {wasmill.ReadNothing, deadlock},
	"exit":       {wasmill.ReadNothing, exit},
	"goroutines": {wasmill.ReadValues, goroutines},
}

func (g *Guest) Describe() wasmill.Description {
	return wasmill.Description{
		Name: "conformance-go", Version: "1.0.0",
		Summary: "Answers the conformance suite for Go.",
		Settings: []wasmill.Setting{
			{Name: "do", Summary: "what is done to each row", Required: true},
			{Name: "routes", Summary: "names of the routes, between commas"},
			{Name: "times", Summary: "how often"},
			{Name: "note", Summary: "not used"},
		},
	}
}

func (g *Guest) Init(config wasmill.Config) (wasmill.Plan, error) {
	do, there := deeds[config.Get("do")]
	if !there {
		return wasmill.Plan{}, fmt.Errorf("do: unknown: %s", config.Get("do"))
	}
	times, err := config.Int("times", 0)
	if err != nil {
		return wasmill.Plan{}, err
	}
	routes := config.List("routes")
	if routes == nil {
		routes = []string{"out"}
	}
	g.do, g.config, g.routes, g.times = do.do, config, routes, times
	return wasmill.Plan{Routes: routes, Reads: do.reads}, nil
}

func (g *Guest) Transform(batch *wasmill.Batch, out *wasmill.Output) error {
	return g.do(g, batch, out)
}

func keep(_ *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
	out.KeepAll(batch)
	return nil
}

func copyRow(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	sent := out.Keep(row).Key(row.Key()).Value(row.Value()).Timestamp(row.Timestamp()).NoHeaders()
	for header := range row.Headers() {
		sent.Header(string(header.Name), header.Value)
	}
}

func even(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	if row.Index()%2 == 0 {
		out.Keep(row)
	}
}

func thrice(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	out.Keep(row)
	out.Keep(row).Value(row.Key())
	out.Keep(row).Value([]byte{})
}

func swap(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	out.Keep(row).Key(row.Value()).Value(row.Key())
}

func text(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	value := row.Value()
	switch {
	case value == nil:
		out.Keep(row)
	case !utf8.Valid(value):
		out.Reject(row, "not UTF-8")
	default:
		out.Keep(row).Value([]byte(string([]rune(string(value))) + "!"))
	}
}

func length(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	of := func(bytes []byte) string {
		if bytes == nil {
			return "-"
		}
		return strconv.Itoa(len(bytes))
	}
	out.Keep(row).Value([]byte(of(row.Key()) + ":" + of(row.Value())))
}

func info(_ *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
	for row := range batch.Rows() {
		out.Keep(row).Value(fmt.Appendf([]byte{}, "%s/%d/%d/%d/%d/%d",
			batch.Topic(), batch.Partition(), row.Offset(), row.Timestamp(), batch.Attempt(), batch.Len()))
	}
	return nil
}

func headers(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	sent := out.Keep(row).NoHeaders()
	for _, header := range slices.Backward(slices.Collect(row.Headers())) {
		sent.Header(string(header.Name), header.Value)
	}
	sent.Header("added", []byte("1")).Header("none", nil)
}

func route(g *Guest, row wasmill.Row, out *wasmill.Output) {
	if route := slices.Index(g.routes, string(row.Value())); route >= 0 {
		out.Keep(row).Route(route)
	}
}

func target(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	sent := out.Keep(row)
	if key := row.Key(); key != nil {
		sent.Target(string(key))
	}
}

func op(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	ops := [...]wasmill.Op{wasmill.Put, wasmill.Create, wasmill.Merge, wasmill.Delete}
	out.Keep(row).Op(ops[row.Index()%len(ops)])
}

func version(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	out.Keep(row).Version(row.Offset()*10 + 1)
}

func reject(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	if bytes.HasPrefix(row.Value(), []byte("bad")) {
		out.Reject(row, fmt.Sprintf("row %d: %s", row.Index(), row.Value()))
		return
	}
	out.Keep(row)
}

func retry(g *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
	if int(batch.Attempt()) < g.times {
		return wasmill.Retry(fmt.Errorf("again %d", batch.Attempt()))
	}
	out.KeepAll(batch)
	return nil
}

func fatal(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	for row := range batch.Rows() {
		return wasmill.Fatal(errors.New("stop: " + string(row.Value())))
	}
	return nil
}

func throw(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	if string(row.Value()) == "boom" {
		panic(fmt.Sprintf("boom at row %d", row.Index()))
	}
	out.Keep(row)
}

func config(g *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
	var settings []string
	for name, value := range g.config.All() {
		settings = append(settings, name+"="+value)
	}
	slices.Sort(settings)
	for row := range batch.Rows() {
		out.Keep(row).Value([]byte(strings.Join(settings, ";")))
		break
	}
	return nil
}

func count(g *Guest, row wasmill.Row, out *wasmill.Output) {
	g.rows++
	out.Keep(row).Value(strconv.AppendInt(nil, int64(g.rows), 10))
}

func grow(g *Guest, row wasmill.Row, out *wasmill.Output) {
	value := row.Value()
	if value == nil {
		out.Keep(row)
		return
	}
	out.Keep(row).Value(bytes.Repeat(value, g.times))
}

func log(_ *Guest, row wasmill.Row, out *wasmill.Output) {
	slog.Info(string(row.Value()))
	fmt.Println("value")
	wasmill.Count("seen", 1)
	wasmill.Observe("bytes", float64(len(row.Value())))
	out.Keep(row)
}

var turns int

func spin(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	for batch.Len() > 0 {
		turns++
	}
	return nil
}

var hoard [][]byte

func allocate(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	for batch.Len() > 0 {
		hoard = append(hoard, make([]byte, 1<<20))
	}
	return nil
}

func recurse(_ *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
	if batch.Len() > 0 {
		turns = deeper(batch.Len())
	}
	return nil
}

//go:noinline
func deeper(depth int) int {
	if depth == 0 {
		return 0
	}
	return deeper(depth+1) + depth
}

func flood(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	for batch.Len() > 0 {
		fmt.Println("a flood that does not end")
	}
	return nil
}

func sleep(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	if batch.Len() > 0 {
		time.Sleep(time.Hour)
	}
	return nil
}

func deadlock(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	if batch.Len() > 0 {
		<-make(chan int)
	}
	return nil
}

func exit(_ *Guest, batch *wasmill.Batch, _ *wasmill.Output) error {
	if batch.Len() > 0 {
		os.Exit(3)
	}
	return nil
}

// goroutines does a row in each of many, which take turns.
func goroutines(_ *Guest, batch *wasmill.Batch, out *wasmill.Output) error {
	begin, values := time.Now(), make([]string, batch.Len())
	var all sync.WaitGroup
	for row := range batch.Rows() {
		all.Add(1)
		go func() {
			defer all.Done()
			time.Sleep(time.Millisecond)
			values[row.Index()] = strings.ToUpper(string(row.Value()))
		}()
	}
	all.Wait()
	if slept := time.Since(begin); batch.Len() > 0 && slept < time.Millisecond {
		return fmt.Errorf("slept for %v", slept)
	}
	for row := range batch.Rows() {
		out.Keep(row).Value([]byte(values[row.Index()]))
	}
	return nil
}
