package jsonedit

// Writing an object out: what was not touched is copied as it lies.

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
