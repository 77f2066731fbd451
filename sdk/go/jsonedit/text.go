package jsonedit

import (
	"unicode/utf16"
	"unicode/utf8"
)

// appendQuoted adds a text as a JSON string. What is not UTF-8 in it becomes U+FFFD.
func appendQuoted(dst []byte, text string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	begin := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, text[begin:i]...), "\uFFFD"...)
				begin = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, text[begin:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		begin = i
	}
	return append(append(dst, text[begin:]...), '"')
}

// appendUnquoted adds what is between the quotes of a JSON string, which is valid, with its escapes resolved. Halves of
// surrogate pairs that stand alone become U+FFFD, as in encoding/json.
func appendUnquoted(dst, inside []byte) []byte {
	for i := 0; i < len(inside); {
		c := inside[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch c := inside[i+1]; c {
		case 'u':
			r := unit(inside[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+6 <= len(inside) && inside[i] == '\\' && inside[i+1] == 'u' {
					pair = utf16.DecodeRune(r, unit(inside[i+2:]))
				}
				if pair != utf8.RuneError {
					i += 6
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
			continue
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		default:
			dst = append(dst, c)
		}
		i += 2
	}
	return dst
}

// unit is the number that four hexadecimal digits stand for.
func unit(digits []byte) rune {
	return rune(hex(digits[0])<<12 | hex(digits[1])<<8 | hex(digits[2])<<4 | hex(digits[3]))
}

// equalUnquoted compares what is between the quotes of a JSON string, which has escapes, with a text.
func equalUnquoted(inside []byte, text string) bool {
	var room [64]byte
	return string(appendUnquoted(room[:0], inside)) == text
}
