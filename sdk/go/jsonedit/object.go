package jsonedit

// An Object is a JSON object under the editor. The zero value is an empty one; [Object.Parse] gives it a text. It is to be
// used again for one text after the other, since it keeps its memory, and by one goroutine at a time.
type Object struct {
	// text is what was parsed; it is not copied and not changed.
	text []byte
	// Between begin and end are the braces, in text.
	begin, end int
	members    []member
	// lengths has a bit for each length of a name, and twice for each that several names have: most questions for a name
	// are answered by them, or the search may end with the first that is found.
	lengths, twice uint64
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

// noteLength notes that there is a name of a length.
func (o *Object) noteLength(length int) {
	bit := uint64(1) << (uint(length) % 64)
	o.twice |= o.lengths & bit
	o.lengths |= bit
}

// noteAnyLength notes that there is a name with escapes, whose text may have any length.
func (o *Object) noteAnyLength() { o.lengths, o.twice = ^uint64(0), ^uint64(0) }

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
	o.lengths, o.twice = 0, 0
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
func (o *Object) find(name string) int {
	if o.lengths>>(uint(len(name))%64)&1 == 0 {
		return -1
	}
	return o.findBefore(len(o.members), name)
}

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
	if o.twice>>(uint(len(name))%64)&1 == 0 {
		return
	}
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
	if j := o.find(to); j >= 0 {
		o.removeOthers(to, j)
		o.members[j].state |= removed
	}
	o.writeName(&o.members[i], to)
	o.edited = true
	return true
}

func (o *Object) writeName(m *member, name string) {
	begin := len(o.written)
	o.written = appendQuoted(o.written, name)
	m.name = span{int32(begin), int32(len(o.written))}
	m.state = m.state&^escaped | nameWritten
	o.noteLength(len(name))
	if len(o.written)-begin != len(name)+2 {
		// Whatever was written in place of a byte is longer.
		m.state |= escaped
		o.noteAnyLength()
	}
}
