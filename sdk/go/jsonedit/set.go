package jsonedit

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// Setting fields: their values are written behind each other, and members point there.

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
