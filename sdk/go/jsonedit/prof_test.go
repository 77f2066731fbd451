package jsonedit

import "testing"

var doc = []byte(`{"time":"2023-11-14T22:13:20Z","remote_addr":"203.0.113.77","method":"GET","path":"/cart/items/17","status":200,"bytes":5120,"user":{"id":4711,"name":"jane"},"password":"hunter2","agent":"Mozilla/5.0"}`)

func BenchmarkX(b *testing.B) {
	var o Object
	out := make([]byte, 0, 1024)
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			o.Parse(doc)
		}
	})
	b.Run("remove", func(b *testing.B) {
		for b.Loop() {
			for i := range o.members {
				o.members[i].state = 0
			}
			o.Remove("password")
		}
	})
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			out, _ = o.AppendText(out[:0])
		}
	})
	b.Run("set", func(b *testing.B) {
		for b.Loop() {
			o.written = o.written[:0]
			o.SetString("env", "prod")
			o.members = o.members[:len(o.members)-1]
		}
	})
	b.Run("str", func(b *testing.B) {
		s := scanner{text: doc}
		for b.Loop() {
			s.str(30)
		}
	})
	b.Run("strlong", func(b *testing.B) {
		s := scanner{text: []byte("\"012345678901234567890123456789012345678901234567890123456789\"")}
		for b.Loop() {
			s.str(0)
		}
	})
	b.Run("value", func(b *testing.B) {
		s := scanner{text: []byte("5120,")}
		for b.Loop() {
			s.value(0)
		}
	})
	b.Run("container", func(b *testing.B) {
		s := scanner{text: []byte(`{"id":4711,"name":"jane"},`)}
		for b.Loop() {
			s.value(0)
		}
	})
	b.Run("empty", func(b *testing.B) {
		for b.Loop() {
		}
	})
}
