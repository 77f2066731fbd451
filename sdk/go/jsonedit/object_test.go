package jsonedit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// edit does what a program of bytes says, to an Object and to a map that encoding/json made, and compares.
func edit(t *testing.T, text string, program []byte) {
	var o Object
	if o.Parse([]byte(text)) != nil {
		return
	}
	object := decode(t, text)
	names := []string{"a", "b", "", "ä", "name with \"quotes\"", "a\\b", "c", "d", "e"}
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names[9:])
	next := func() int {
		if len(program) == 0 {
			return 0
		}
		b := program[0]
		program = program[1:]
		return int(b)
	}
	name := func() string { return names[next()%len(names)] }
	inner := func(path ...string) (map[string]any, string) {
		at := object
		for _, name := range path {
			at, _ = at[name].(map[string]any)
		}
		return at, strings.Join(path, "/")
	}
	for step := 0; len(program) > 0 && step < 30; step++ {
		what := ""
		switch next() % 12 {
		case 0, 1:
			n := name()
			what = fmt.Sprintf("remove %q", n)
			_, there := object[n]
			delete(object, n)
			if o.Remove(n) != there {
				t.Fatalf("%s: %t in %s", what, !there, text)
			}
		case 2:
			outer, n := name(), name()
			what = fmt.Sprintf("remove %q %q", outer, n)
			at, _ := inner(outer)
			_, there := at[n]
			delete(at, n)
			if o.Remove(outer, n) != there {
				t.Fatalf("%s: %t in %s", what, !there, text)
			}
		case 3:
			from, to := name(), name()
			what = fmt.Sprintf("rename %q %q", from, to)
			value, there := object[from]
			if there {
				delete(object, from)
				object[to] = value
			}
			if o.Rename(from, to) != there {
				t.Fatalf("%s: %t in %s", what, !there, text)
			}
		case 4:
			n, value := name(), name()
			what = fmt.Sprintf("set %q %q", n, value)
			object[n] = value
			o.SetString(n, value)
		case 5:
			n, number := name(), int64(next())*math.MaxInt32-5
			what = fmt.Sprintf("set %q %d", n, number)
			object[n] = json.Number(fmt.Sprint(number))
			o.SetInt(n, number)
		case 6:
			n := name()
			what = fmt.Sprintf("set %q true", n)
			object[n] = true
			o.SetBool(n, true)
		case 7:
			n := name()
			what = fmt.Sprintf("set %q null", n)
			object[n] = nil
			o.SetNull(n)
		case 8:
			n, raw := name(), []string{`{"a":{"b":[1]}}`, ` [1, 2] `, `{}`, `"x"`, `[1`, `x`, ``}[next()%7]
			what = fmt.Sprintf("set %q raw %s", n, raw)
			ok := json.Valid([]byte(raw))
			if ok {
				object[n] = decode(t, `{"v":`+raw+`}`)["v"]
			}
			if err := o.SetRaw(n, []byte(raw)); (err == nil) != ok {
				t.Fatalf("%s: %v in %s", what, err, text)
			}
		case 9:
			outer, n := name(), name()
			what = fmt.Sprintf("inside %q set %q", outer, n)
			at, _ := inner(outer)
			editor, there := o.Object(outer)
			if there != (at != nil) {
				t.Fatalf("%s: %t in %s", what, there, text)
			}
			if there {
				at[n] = "inner"
				editor.SetString(n, "inner")
			}
		case 10:
			from, to := name(), name()
			what = fmt.Sprintf("copy %q to %q", from, to)
			value, there := o.Get(from)
			if there != has(object, from) {
				t.Fatalf("%s: %t in %s", what, there, text)
			}
			if there {
				object[to] = clone(t, object[from])
				o.Set(to, value)
			}
		case 11:
			outer, n := name(), name()
			what = fmt.Sprintf("get %q %q", outer, n)
			at, _ := inner(outer)
			value, there := o.Get(outer, n)
			if there != has(at, n) || there && !reflect.DeepEqual(decode(t, `{"v":`+value.String()+`}`)["v"], at[n]) {
				t.Fatalf("%s: %s, %t in %s", what, value, there, text)
			}
		}
		if got := decode(t, o.String()); !reflect.DeepEqual(got, object) {
			t.Fatalf("%s of %s: got %s, want %v", what, text, o.String(), object)
		}
	}
	if got := o.String(); !valid(got) || got != string(o.Bytes()) {
		t.Fatalf("%s: %s, and as bytes %s", text, got, o.Bytes())
	}
}

func has(object map[string]any, name string) bool {
	_, there := object[name]
	return there
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatalf("encoding/json does not read %s: %v", text, err)
	}
	return object
}

func clone(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, `{"v":`+string(text)+`}`)["v"]
}

var objects = []string{
	`{}`, `{"a":1}`, `{"a":1,"b":2,"c":3}`, `{"a":1,"a":2,"b":{"a":1,"a":2},"b":{"a":3,"c":{"a":1}}}`,
	`{"\u0061":1,"b":{"\u0062":"\u00e4"},"":{"":""},"ä":{"a":{"b":{"c":{}}}}}`, ` {"a" : {"b" : [ 1 , {"a":2} ]} , "c" : "x" } `,
	`{"name with \"quotes\"":{"a\\b":1},"a\\b":{"name with \"quotes\"":1.50}}`,
}

func TestEditsAsAMapIsEdited(t *testing.T) {
	// Every step first, then every pair of steps, then long runs that are drawn from a fixed sequence.
	for _, text := range objects {
		for a := range 12 {
			for b := range 12 {
				for c := range 12 {
					edit(t, text, []byte{byte(a), byte(b), byte(c), byte(b), byte(c), byte(a), byte(c), byte(b)})
				}
			}
		}
		seed := uint64(1)
		for range 2000 {
			program := make([]byte, 60)
			for i := range program {
				seed = seed*6364136223846793005 + 1442695040888963407
				program[i] = byte(seed >> 33)
			}
			edit(t, text, program)
		}
	}
}

func FuzzEdit(f *testing.F) {
	for i, text := range objects {
		f.Add(text, []byte{byte(i), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	}
	f.Fuzz(func(t *testing.T, text string, program []byte) { edit(t, text, program) })
}

func TestWhatIsNotTouchedIsCopiedAsItWas(t *testing.T) {
	var o Object
	text := ` { "time" : 1.50 , "n":1e400,"password":"x", "t":"\u00e4\/" , "o":{ "a" : [ ] } } `
	if err := o.Parse([]byte(text)); err != nil {
		t.Fatal(err)
	}
	o.Remove("password")
	o.SetString("env", "prod")
	if got, want := o.String(), `{"time" : 1.50 , "n":1e400,"t":"\u00e4\/" , "o":{ "a" : [ ] },"env":"prod"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAFieldThatWasRemovedIsGoneHoweverOftenItStands(t *testing.T) {
	var o Object
	if err := o.Parse([]byte(`{"u":{"p":1,"\u0070":2},"p":1,"\u0070":2,"u":{"p":3},"x":{"y":{"p":1},"y":{}}}`)); err != nil {
		t.Fatal(err)
	}
	o.Remove("p")
	o.Remove("u", "p")
	o.Remove("x", "y", "p")
	if got, want := o.String(), `{"u":{},"x":{"y":{}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnObjectIsUsedAgain(t *testing.T) {
	var o Object
	for i := range 3 {
		if err := o.Parse([]byte(`{"a":{"b":1},"c":2}`)); err != nil {
			t.Fatal(err)
		}
		o.Remove("a", "b")
		o.SetInt("i", int64(i))
		if got, want := o.String(), fmt.Sprintf(`{"a":{},"c":2,"i":%d}`, i); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := o.Parse([]byte(`x`)); err == nil || o.String() != "{}" {
		t.Errorf("%v, %s", err, o.String())
	}
}

func TestReuseAllocatesNothing(t *testing.T) {
	var o Object
	text, out := []byte(`{"time":"now","password":"x","user":{"id":7,"email":"a@b.c"},"level":"info"}`), make([]byte, 0, 200)
	run := func() {
		if err := o.Parse(text); err != nil {
			t.Fatal(err)
		}
		o.Remove("password")
		o.Remove("user", "email")
		o.SetString("env", "prod")
		if level, there := o.Get("level"); !there || !level.Is("info") {
			t.Fatal("no level")
		}
		out, _ = o.AppendText(out[:0])
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations for each record", n)
	}
	if want := `{"time":"now","user":{"id":7},"level":"info","env":"prod"}`; string(out) != want {
		t.Errorf("got %s, want %s", out, want)
	}
}

func TestNumbersAndTextsThatAreWritten(t *testing.T) {
	var o Object
	for _, number := range []float64{0, -0.5, 1e21, 1e-7, math.MaxFloat64, 3} {
		o.SetFloat("f", number)
		if value, _ := o.Get("f"); !json.Valid(value.Raw()) {
			t.Errorf("%v is written as %s", number, value)
		} else if got, ok := value.Float(); !ok || got != number {
			t.Errorf("%v came back as %v", number, got)
		}
	}
	o.SetFloat("f", math.NaN())
	if value, _ := o.Get("f"); value.Kind() != KindNull {
		t.Errorf("NaN is written as %s", value)
	}
	var all strings.Builder
	for r := range rune(0x110000) {
		all.WriteRune(r)
	}
	o.SetString("s", all.String()+"\xff\xc3(")
	value, _ := o.Get("s")
	var text string
	if err := json.Unmarshal(value.Raw(), &text); err != nil || text != strings.ToValidUTF8(all.String()+"\uFFFD\uFFFD(", "\uFFFD") {
		t.Errorf("encoding/json reads another text: %v", err)
	}
	if value.Text() != text || !value.Is(text) {
		t.Error("Text reads another text")
	}
}

func BenchmarkClean(b *testing.B) {
	text := []byte(`{"time":"2023-11-14T22:13:20Z","remote_addr":"203.0.113.77","method":"GET","path":"/cart/items/17","status":200,"bytes":5120,"user":{"id":4711,"name":"jane"},"password":"hunter2","agent":"Mozilla/5.0"}`)
	b.Run("jsonedit", func(b *testing.B) {
		var o Object
		out := make([]byte, 0, 1024)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := o.Parse(text); err != nil {
				b.Fatal(err)
			}
			o.Remove("password")
			o.SetString("env", "prod")
			out, _ = o.AppendText(out[:0])
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			var object map[string]any
			if err := json.Unmarshal(text, &object); err != nil {
				b.Fatal(err)
			}
			delete(object, "password")
			object["env"] = "prod"
			if out, err := json.Marshal(object); err != nil || bytes.Contains(out, []byte("hunter2")) {
				b.Fatal(err)
			}
		}
	})
}
