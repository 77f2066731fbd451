package jsonedit

import (
	"iter"
	"strconv"
)

// A Value is one of JSON, read where it lies. The zero Value is none.
type Value struct{ raw []byte }

// Kind is what a value is.
type Kind uint8

const (
	// KindNone is that of the zero [Value].
	KindNone Kind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// Parse answers a text as a value. It looks at all of it; the error is a [SyntaxError].
func Parse(text []byte) (Value, error) {
	var o Object
	if err := o.SetRaw("", text); err != nil {
		return Value{}, err
	}
	return Value{o.valueOf(&o.members[0])}, nil
}

// Raw is the value as it stands in the text.
func (v Value) Raw() []byte { return v.raw }

// String is the value as it stands in the text; for the text of a string see Text.
func (v Value) String() string { return string(v.raw) }

// Kind answers what it is.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return KindNone
	}
	switch v.raw[0] {
	case 'n':
		return KindNull
	case 't', 'f':
		return KindBool
	case '"':
		return KindString
	case '[':
		return KindArray
	case '{':
		return KindObject
	}
	return KindNumber
}

// inside is what stands between the quotes of a string, and whether there are escapes in it.
func (v Value) inside() (inside []byte, escaped bool) {
	inside = v.raw[1 : len(v.raw)-1]
	for _, c := range inside {
		if c == '\\' {
			return inside, true
		}
	}
	return inside, false
}

// Text answers the text of a string; "" for anything else.
func (v Value) Text() string { return string(v.AppendText(nil)) }

// AppendText adds the text of a string to dst; nothing for anything else.
func (v Value) AppendText(dst []byte) []byte {
	if v.Kind() != KindString {
		return dst
	}
	inside, escaped := v.inside()
	if escaped {
		return appendUnquoted(dst, inside)
	}
	return append(dst, inside...)
}

// Is says whether it is a string of this text, without making one.
func (v Value) Is(text string) bool {
	if v.Kind() != KindString {
		return false
	}
	inside, escaped := v.inside()
	if escaped {
		return equalUnquoted(inside, text)
	}
	return string(inside) == text
}

// Int answers a number that is whole and fits; false for anything else.
func (v Value) Int() (int64, bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	number, err := strconv.ParseInt(string(v.raw), 10, 64)
	return number, err == nil
}

// Uint answers a number that is whole, not below zero and fits; false for anything else.
func (v Value) Uint() (uint64, bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	number, err := strconv.ParseUint(string(v.raw), 10, 64)
	return number, err == nil
}

// Float answers a number, rounded to what a float64 has; false for anything else.
func (v Value) Float() (float64, bool) {
	if v.Kind() != KindNumber {
		return 0, false
	}
	number, err := strconv.ParseFloat(string(v.raw), 64)
	return number, err == nil
}

// Bool answers a truth value; false, false for anything else.
func (v Value) Bool() (truth, ok bool) {
	return len(v.raw) > 0 && v.raw[0] == 't', v.Kind() == KindBool
}

// Get answers the value at a path of names inside an object.
func (v Value) Get(path ...string) (Value, bool) {
	for _, name := range path {
		var found Value
		for n, value := range v.raws() {
			if n.Is(name) {
				found = value // the last one counts
			}
		}
		if v = found; v.raw == nil {
			return v, false
		}
	}
	return v, v.raw != nil
}

// Members are the fields of an object, in order; there are none in anything else. Where a name comes several times the
// last one counts.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for name, value := range v.raws() {
			if !yield(name.Text(), value) {
				return
			}
		}
	}
}

// raws are the members of an object with their names as values.
func (v Value) raws() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		if v.Kind() != KindObject {
			return
		}
		s := scanner{text: v.raw}
		for i := s.blank(1); i < len(v.raw) && v.raw[i] != '}'; {
			end, _, begin := s.name(i)
			if begin < 0 {
				return
			}
			after := s.value(begin)
			if after < 0 || !yield(Value{v.raw[i:end:end]}, Value{v.raw[begin:after:after]}) {
				return
			}
			i = s.next(after)
		}
	}
}

// Elements are those of an array, in order; there are none in anything else.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != KindArray {
			return
		}
		s := scanner{text: v.raw}
		for i := s.blank(1); i < len(v.raw) && v.raw[i] != ']'; {
			end := s.value(i)
			if end < 0 || !yield(Value{v.raw[i:end:end]}) {
				return
			}
			i = s.next(end)
		}
	}
}

// next answers where the next member or element begins, behind one that ends at i; or the closing bracket.
func (s *scanner) next(i int) int {
	i = s.blank(i)
	if i < len(s.text) && s.text[i] == ',' {
		i = s.blank(i + 1)
	}
	return i
}
