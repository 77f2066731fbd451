package jsonedit

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// An Object is a JSON object under the editor. The zero value is an empty one; [Object.Parse] gives it a text. It is to be
// used again for one text after the other, since it keeps its memory, and by one goroutine at a time.
type Object struct {
	// text is what was parsed; it is not copied and not changed.
	text []byte
	// Between begin and end are the braces, in text.
	begin, end int
	members    []member
	// written holds names and values that were set.
	written []byte
	// inner are objects inside that were edited, by the members that hold them. Those from used on are free.
	inner  []*Object
	used   int
	edited bool
	scan   scanner
}

// A member is a field. Its parts lie in text or, where they were set, in written.
type member struct {
	name, value span
	// inner is one more than the index of its value's editor; 0: it has none.
	inner int32
	// escaped: its name has escapes.
	escaped bool
	removed bool
}

type span struct {
	begin, end int32
	written    bool
}

// Parse gives the object a text, which must not change as long as the object is used. It looks at all of it.
//
// The error is a [SyntaxError], and the object is then an empty one.
func (o *Object) Parse(text []byte) error {
	o.reset()
	if len(text) > math.MaxInt32 {
		return &SyntaxError{math.MaxInt32, "the text is larger than 2 GiB"}
	}
	o.scan.text, o.scan.err, o.scan.depth = text, nil, 0
	s := &o.scan
	end := o.parse(s, s.blank(0))
	if end >= 0 {
		if end = s.blank(end); end < len(text) {
			s.fail(end, "something comes behind the object")
		}
	}
	if s.err == nil && !utf8.Valid(text) {
		s.fail(firstInvalid(text), "no UTF-8")
	}
	s.text = nil
	if s.err != nil {
		err := s.err
		o.reset()
		return err
	}
	o.text = text
	return nil
}

func firstInvalid(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// parse goes over the object that begins at i.
func (o *Object) parse(s *scanner, i int) int {
	if i >= len(s.text) || s.text[i] != '{' {
		return s.fail(i, "no JSON object begins")
	}
	if !s.enter(i) {
		return -1
	}
	o.begin = i
	if i = s.blank(i + 1); i < len(s.text) && s.text[i] == '}' {
		o.end = i + 1
		s.depth--
		return o.end
	}
	for {
		end, escaped, begin := s.name(i)
		if begin < 0 {
			return -1
		}
		name := span{begin: int32(i), end: int32(end)}
		if i = s.value(begin); i < 0 {
			return -1
		}
		o.members = append(o.members, member{
			name: name, value: span{begin: int32(begin), end: int32(i)}, escaped: escaped,
		})
		i = s.blank(i)
		if i < len(s.text) && s.text[i] == ',' {
			i = s.blank(i + 1)
			continue
		}
		if i >= len(s.text) || s.text[i] != '}' {
			return s.fail(i, "neither a comma nor the end of the object")
		}
		o.end = i + 1
		s.depth--
		return o.end
	}
}

func (o *Object) reset() {
	o.text, o.begin, o.end, o.edited, o.used = nil, 0, 0, false, 0
	o.members, o.written = o.members[:0], o.written[:0]
}

func (o *Object) bytes(s span) []byte {
	if s.written {
		return o.written[s.begin:s.end:s.end]
	}
	return o.text[s.begin:s.end:s.end]
}

// find answers the last member of a name; -1: there is none.
func (o *Object) find(name string) int {
	for i := len(o.members) - 1; i >= 0; i-- {
		if m := &o.members[i]; !m.removed && o.named(m, name) {
			return i
		}
	}
	return -1
}

func (o *Object) named(m *member, name string) bool {
	inside := o.bytes(m.name)
	inside = inside[1 : len(inside)-1]
	if m.escaped {
		return equalUnquoted(inside, name)
	}
	return string(inside) == name
}

// removeOthers removes the members of a name that come before the last one, for the last one counts.
func (o *Object) removeOthers(name string, last int) {
	for i := range o.members[:last] {
		if m := &o.members[i]; !m.removed && o.named(m, name) {
			m.removed, o.edited = true, true
		}
	}
}

// Len is the number of fields; those of one name count each.
func (o *Object) Len() int {
	n := 0
	for i := range o.members {
		if !o.members[i].removed {
			n++
		}
	}
	return n
}

// Get answers the value at a path of names: Get("user", "address", "city"). It is valid until the object is edited or
// parses another text.
func (o *Object) Get(path ...string) (Value, bool) {
	if len(path) == 0 {
		return Value{o.Bytes()}, true
	}
	i := o.find(path[0])
	if i < 0 {
		return Value{}, false
	}
	m := &o.members[i]
	if m.inner != 0 {
		return o.inner[m.inner-1].Get(path[1:]...)
	}
	return Value{o.bytes(m.value)}.Get(path[1:]...)
}

// Object answers an editor for the object at a path of names: what it does is part of this object. There is none where
// the path leads nowhere, or to something that is no object. It is valid until this object parses another text, or the
// field is removed or set.
func (o *Object) Object(path ...string) (*Object, bool) {
	for _, name := range path {
		i := o.find(name)
		if i < 0 {
			return nil, false
		}
		o.removeOthers(name, i)
		if o = o.edit(&o.members[i]); o == nil {
			return nil, false
		}
	}
	return o, true
}

// edit answers the editor of a member's value, which is nil where that is no object.
func (o *Object) edit(m *member) *Object {
	if m.inner != 0 {
		return o.inner[m.inner-1]
	}
	value := o.bytes(m.value)
	if value[0] != '{' {
		return nil
	}
	if o.used == len(o.inner) {
		o.inner = append(o.inner, &Object{})
	}
	inner := o.inner[o.used]
	if m.value.written {
		// What is written may move when more is written.
		value = append([]byte(nil), value...)
	}
	if inner.Parse(value) != nil {
		// It was valid when it was parsed with the rest.
		return nil
	}
	o.used++
	m.inner = int32(o.used)
	return inner
}

// Remove takes the field at a path of names away, and says whether there was one.
func (o *Object) Remove(path ...string) bool {
	if len(path) == 0 {
		return false
	}
	i := o.find(path[0])
	if i < 0 {
		return false
	}
	o.removeOthers(path[0], i)
	m := &o.members[i]
	if len(path) > 1 {
		inner := o.edit(m)
		return inner != nil && inner.Remove(path[1:]...)
	}
	m.removed, o.edited = true, true
	return true
}

// Rename gives a field another name, in its place, and says whether there was one. A field that had that name before is
// replaced.
func (o *Object) Rename(from, to string) bool {
	i := o.find(from)
	if i < 0 {
		return false
	}
	if from == to {
		return true
	}
	o.removeOthers(from, i)
	for j := range o.members {
		if m := &o.members[j]; !m.removed && o.named(m, to) {
			m.removed = true
		}
	}
	m := &o.members[i]
	m.name, m.escaped = o.writeName(to)
	o.edited = true
	return true
}

func (o *Object) writeName(name string) (s span, escaped bool) {
	begin := len(o.written)
	o.written = appendQuoted(o.written, name)
	for _, c := range o.written[begin:] {
		escaped = escaped || c == '\\'
	}
	return span{int32(begin), int32(len(o.written)), true}, escaped
}

// SetString sets a field to a text: in its place, or behind the others where it is new.
func (o *Object) SetString(name, text string) {
	begin := len(o.written)
	o.written = appendQuoted(o.written, text)
	o.set(name, begin)
}

// SetInt sets a field to a whole number.
func (o *Object) SetInt(name string, number int64) {
	begin := len(o.written)
	o.written = strconv.AppendInt(o.written, number, 10)
	o.set(name, begin)
}

// SetFloat sets a field to a number; one that JSON does not have (NaN, infinite) becomes null.
func (o *Object) SetFloat(name string, number float64) {
	begin := len(o.written)
	if math.IsNaN(number) || math.IsInf(number, 0) {
		o.written = append(o.written, "null"...)
	} else {
		o.written = strconv.AppendFloat(o.written, number, 'g', -1, 64)
	}
	o.set(name, begin)
}

// SetBool sets a field to a truth value.
func (o *Object) SetBool(name string, truth bool) {
	begin := len(o.written)
	o.written = strconv.AppendBool(o.written, truth)
	o.set(name, begin)
}

// SetNull sets a field to null.
func (o *Object) SetNull(name string) {
	begin := len(o.written)
	o.written = append(o.written, "null"...)
	o.set(name, begin)
}

// SetRaw sets a field to a value that is JSON already. The error is a [SyntaxError]; nothing is set then.
func (o *Object) SetRaw(name string, json []byte) error {
	o.scan.text, o.scan.err, o.scan.depth = json, nil, 0
	s := &o.scan
	begin := s.blank(0)
	end := s.value(begin)
	if end >= 0 && s.blank(end) < len(json) {
		s.fail(s.blank(end), "something comes behind the value")
	}
	if s.err == nil && !utf8.Valid(json) {
		s.fail(firstInvalid(json), "no UTF-8")
	}
	s.text = nil
	if s.err != nil {
		return s.err
	}
	at := len(o.written)
	o.written = append(o.written, json[begin:end]...)
	o.set(name, at)
	return nil
}

// Set sets a field to a value of another object.
func (o *Object) Set(name string, value Value) {
	begin := len(o.written)
	if value.raw == nil {
		o.written = append(o.written, "null"...)
	} else {
		o.written = append(o.written, value.raw...)
	}
	o.set(name, begin)
}

// set sets a field to what was written from begin on.
func (o *Object) set(name string, begin int) {
	value := span{int32(begin), int32(len(o.written)), true}
	o.edited = true
	if i := o.find(name); i >= 0 {
		o.removeOthers(name, i)
		m := &o.members[i]
		m.value, m.inner = value, 0
		return
	}
	written, escaped := o.writeName(name)
	o.members = append(o.members, member{name: written, value: value, escaped: escaped})
}

// changed says whether it differs from its text.
func (o *Object) changed() bool {
	if o.edited {
		return true
	}
	for _, inner := range o.inner[:o.used] {
		if inner.changed() {
			return true
		}
	}
	return false
}

// Bytes answers the object as JSON. It is the text itself where nothing was edited.
func (o *Object) Bytes() []byte {
	if !o.changed() && o.text != nil {
		return o.text[o.begin:o.end:o.end]
	}
	return o.append(nil)
}

// AppendText adds the object as JSON to dst: it is an encoding.TextAppender, as Sent.AppendValue takes it. There is no
// error.
func (o *Object) AppendText(dst []byte) ([]byte, error) { return o.append(dst), nil }

// String answers the object as JSON.
func (o *Object) String() string { return string(o.append(nil)) }

func (o *Object) append(dst []byte) []byte {
	if !o.changed() && o.text != nil {
		return append(dst, o.text[o.begin:o.end]...)
	}
	dst = append(dst, '{')
	first := true
	for i := 0; i < len(o.members); i++ {
		m := &o.members[i]
		if m.removed {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if o.untouched(m) {
			// With those behind it that were not touched either: one copy for all of them.
			last := m
			for i+1 < len(o.members) && o.untouched(&o.members[i+1]) {
				i++
				last = &o.members[i]
			}
			dst = append(dst, o.text[m.name.begin:last.value.end]...)
			continue
		}
		dst = append(append(dst, o.bytes(m.name)...), ':')
		if m.inner != 0 {
			dst = o.inner[m.inner-1].append(dst)
		} else {
			dst = append(dst, o.bytes(m.value)...)
		}
	}
	return append(dst, '}')
}

// untouched says that a member stands in the text as it is to be written.
func (o *Object) untouched(m *member) bool {
	return !m.removed && !m.name.written && !m.value.written && m.inner == 0
}
