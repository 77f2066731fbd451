package jsonedit

import (
	"math"
	"math/bits"
	"unicode/utf8"
)

// Reading a text: which members an object has, and where they lie.

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
//
// Most fields of most texts are a name without escapes and a short number or a text without escapes, with a blank at most
// behind colon and comma. For those there is a short way, without calls and with few jumps: in Go's code for wasm a jump
// that is taken goes through a table, and a call is dearer still. What is anything else is left to the scanner.
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
	var (
		text                  = s.text
		nameEnd, value, after int
		word, marks, high     uint64
		next                  byte
		m                     *member
	)
	for {
		if len(text) < 8 || i+2 >= len(text) || byteAt(text, i) != '"' {
			goto slowly
		}
		for nameEnd = i + 1; ; nameEnd += 8 {
			if nameEnd >= len(text) {
				goto slowly
			}
			word = wordNear(text, nameEnd)
			if marks = special(word); marks != 0 {
				break
			}
			high |= word
		}
		nameEnd += bits.TrailingZeros64(marks) / 8
		high |= word & below(marks)
		if nameEnd+2 >= len(text) || pairAt(text, nameEnd) != '"'|':'<<8 {
			goto slowly
		}
		value = nameEnd + 2
		if byteAt(text, value) == ' ' {
			if value++; value >= len(text) {
				goto slowly
			}
		}
		if word = wordNear(text, value); byte(word) == '"' {
			for after = value + 1; ; after += 8 {
				if after >= len(text) {
					goto slowly
				}
				word = wordNear(text, after)
				if marks = special(word); marks != 0 {
					break
				}
				high |= word
			}
			after += bits.TrailingZeros64(marks)/8 + 1
			high |= word & below(marks)
			if after >= len(text) || byteAt(text, after-1) != '"' {
				goto slowly
			}
		} else {
			// Up to seven digits; the high bits of marks are set for what is no digit.
			word ^= ones * '0'
			marks = (word + ones*(0x80-10) | word) & highs
			digits := bits.TrailingZeros64(marks) / 8
			after = value + digits
			if marks == 0 || digits == 0 || digits > 1 && byte(word) == 0 || after >= len(text) {
				goto slowly
			}
		}
		if next = byteAt(text, after); next != ',' && next != '}' || len(o.members) == cap(o.members) {
			goto slowly
		}
		o.members = o.members[:len(o.members)+1]
		m = &o.members[len(o.members)-1]
		m.name.begin, m.name.end, m.value.begin, m.value.end = int32(i), int32(nameEnd+1), int32(value), int32(after)
		m.state = 0
		o.noteLength(nameEnd - i - 1)
		i = after + 1
		if next == '}' {
			s.high |= high
			o.end = i
			return i
		}
		if i < len(text) && byteAt(text, i) == ' ' {
			i++
		}
		continue

	slowly:
		if i < len(text) && text[i] <= ' ' {
			i = s.blank(i)
		}
		var escapes bool
		if nameEnd, escapes, value = s.name(i); value < 0 {
			return value
		}
		switch {
		case value >= len(text):
			after = s.fail(value, "")
		case text[value] == '"':
			after, _ = s.str(value)
		case text[value] == '{' || text[value] == '[':
			after = s.container(value)
		default:
			after = s.scalar(value)
		}
		if after < 0 {
			return after
		}
		if escapes {
			o.note(i, nameEnd, value, after, escaped)
		} else {
			o.note(i, nameEnd, value, after, 0)
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
		s.high |= high
		o.end = i + 1
		return o.end
	}
}

// note adds a member that was found in the text.
func (o *Object) note(name, nameEnd, value, valueEnd int, state state) {
	o.members = append(o.members, member{
		name: span{int32(name), int32(nameEnd)}, value: span{int32(value), int32(valueEnd)}, state: state,
	})
	o.noteLength(nameEnd - name - 2)
	if state&escaped != 0 {
		o.noteAnyLength()
	}
}
