package jsonedit

import (
	"bytes"
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

// A member is a field.
type member struct {
	name, value span
	// inner is the index of its value's editor, where it has one.
	inner int32
	state state
}

// A span is a part of text or, where the member says so, of written.
type span struct{ begin, end int32 }

// state is what is to be known of a member.
type state uint8

const (
	// escaped: its name has escapes.
	escaped state = 1 << iota
	nameWritten
	valueWritten
	hasInner
	removed

	// touched members do not stand in the text as they are to be written.
	touched = nameWritten | valueWritten | hasInner | removed
)

// Parse gives the object a text, which must not change as long as the object is used. It looks at all of it.
//
// The error is a [SyntaxError], and the object is then an empty one.
func (o *Object) Parse(text []byte) error {
	o.reset()
	if len(text) > math.MaxInt32 {
		return &SyntaxError{math.MaxInt32, "the text is larger than 2 GiB"}
	}
	s := &o.scan
	s.begin(text)
	end := o.parse(s, s.blank(0))
	if end >= 0 {
		if end = s.blank(end); end < len(text) {
			s.fail(end, "something comes behind the object")
		}
	}
	if s.err == nil && !s.ascii() && !utf8.Valid(text) {
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
	s.depth = 1
	o.begin = i
	if i = s.blank(i + 1); i < len(s.text) && s.text[i] == '}' {
		o.end = i + 1
		return o.end
	}
	text := s.text
	for {
		end, escapes, begin := s.name(i)
		if begin < 0 {
			return begin
		}
		var after int
		switch {
		case begin >= len(text):
			after = s.fail(begin, "")
		case text[begin] == '"':
			after, _ = s.str(begin)
		case text[begin] == '{' || text[begin] == '[':
			after = s.container(begin)
		default:
			after = s.scalar(begin)
		}
		if after < 0 {
			return after
		}
		m := o.add()
		m.name.begin, m.name.end, m.value.begin, m.value.end = int32(i), int32(end), int32(begin), int32(after)
		if m.state = 0; escapes {
			m.state = escaped
		}
		if i = after; i < len(text) && text[i] <= ' ' {
			i = s.blank(i)
		}
		if i < len(text) && text[i] == ',' {
			if i++; i < len(text) && text[i] <= ' ' {
				i = s.blank(i)
			}
			continue
		}
		if i >= len(text) || text[i] != '}' {
			return s.fail(i, "neither a comma nor the end of the object")
		}
		o.end = i + 1
		return o.end
	}
}

// add answers one more member, of which everything is to be set.
func (o *Object) add() *member {
	n := len(o.members)
	if n == cap(o.members) {
		o.members = append(o.members, member{})
	} else {
		o.members = o.members[:n+1]
	}
	return &o.members[n]
}

func (o *Object) reset() {
	o.text, o.begin, o.end, o.edited, o.used = nil, 0, 0, false, 0
	o.members, o.written = o.members[:0], o.written[:0]
}

// bytes are those of a part of a member, which was written if its state has a bit.
func (o *Object) bytes(s span, written state) []byte {
	if written != 0 {
		return o.written[s.begin:s.end:s.end]
	}
	return o.text[s.begin:s.end:s.end]
}

func (o *Object) nameOf(m *member) []byte { return o.bytes(m.name, m.state&nameWritten) }

func (o *Object) valueOf(m *member) []byte { return o.bytes(m.value, m.state&valueWritten) }

// find answers the last member of a name; -1: there is none.
func (o *Object) find(name string) int { return o.findBefore(len(o.members), name) }

// findBefore answers the last member of a name before member n; -1: there is none.
func (o *Object) findBefore(n int, name string) int {
	quoted := int32(len(name) + 2)
	for i := n - 1; i >= 0; i-- {
		m := &o.members[i]
		if m.name.end-m.name.begin != quoted && m.state&escaped == 0 || m.state&removed != 0 {
			continue
		}
		if o.named(m, name) {
			return i
		}
	}
	return -1
}

func (o *Object) named(m *member, name string) bool {
	inside := o.nameOf(m)
	inside = inside[1 : len(inside)-1]
	if m.state&escaped != 0 {
		return equalUnquoted(inside, name)
	}
	return string(inside) == name
}

// removeOthers removes the members of a name that come before the last one, for the last one counts.
func (o *Object) removeOthers(name string, last int) {
	for i := o.findBefore(last, name); i >= 0; i = o.findBefore(i, name) {
		o.members[i].state |= removed
		o.edited = true
	}
}

// Len is the number of fields; those of one name count each.
func (o *Object) Len() int {
	n := 0
	for i := range o.members {
		if o.members[i].state&removed == 0 {
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
	if m.state&hasInner != 0 {
		return o.inner[m.inner].Get(path[1:]...)
	}
	return Value{o.valueOf(m)}.Get(path[1:]...)
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
	if m.state&hasInner != 0 {
		return o.inner[m.inner]
	}
	value := o.valueOf(m)
	if value[0] != '{' {
		return nil
	}
	if o.used == len(o.inner) {
		o.inner = append(o.inner, &Object{})
	}
	inner := o.inner[o.used]
	if m.state&valueWritten != 0 {
		// What is written may move when more is written.
		value = append([]byte(nil), value...)
	}
	if inner.Parse(value) != nil {
		// It was valid when it was parsed with the rest.
		return nil
	}
	m.inner, m.state = int32(o.used), m.state|hasInner
	o.used++
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
	m.state |= removed
	o.edited = true
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
	o.removeOthers(to, len(o.members))
	o.writeName(&o.members[i], to)
	o.edited = true
	return true
}

func (o *Object) writeName(m *member, name string) {
	begin := len(o.written)
	o.written = appendQuoted(o.written, name)
	m.name = span{int32(begin), int32(len(o.written))}
	m.state = m.state&^escaped | nameWritten
	if bytes.IndexByte(o.written[begin:], '\\') >= 0 {
		m.state |= escaped
	}
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
	s := &o.scan
	s.begin(json)
	begin := s.blank(0)
	end := s.value(begin)
	if end >= 0 && s.blank(end) < len(json) {
		s.fail(s.blank(end), "something comes behind the value")
	}
	if s.err == nil && !s.ascii() && !utf8.Valid(json) {
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
	value := span{int32(begin), int32(len(o.written))}
	o.edited = true
	if i := o.find(name); i >= 0 {
		o.removeOthers(name, i)
		m := &o.members[i]
		m.value, m.state = value, m.state&^hasInner|valueWritten
		return
	}
	m := o.add()
	m.value, m.state = value, valueWritten
	o.writeName(m, name)
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
		if m.state&removed != 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if m.state&touched == 0 {
			// With those behind it that were not touched either: one copy for all of them.
			begin := m.name.begin
			for i+1 < len(o.members) && o.members[i+1].state&touched == 0 {
				i++
			}
			dst = append(dst, o.text[begin:o.members[i].value.end]...)
			continue
		}
		dst = append(append(dst, o.nameOf(m)...), ':')
		if m.state&hasInner != 0 {
			dst = o.inner[m.inner].append(dst)
		} else {
			dst = append(dst, o.valueOf(m)...)
		}
	}
	return append(dst, '}')
}
