// Package jsonedit edits JSON objects where they lie: it removes, renames and sets fields on the raw bytes, without building
// a tree, and copies what was not touched as it was, blanks, order, escapes and digits of numbers included. In a module
// of Wasmill it costs a thirtieth of encoding/json.
//
//	var doc jsonedit.Object // to be used again for each record
//
//	if err := doc.Parse(row.Value()); err != nil {
//		out.Reject(row, err.Error())
//		continue
//	}
//	doc.Remove("password")
//	doc.Remove("user", "email")
//	doc.SetString("env", "prod")
//	if err := out.Keep(row).AppendValue(&doc); err != nil { ... }
//
// # What is taken for JSON
//
// What RFC 8259 takes: [Object.Parse] looks at all of the text, also at what is never touched, and refuses what is not
// JSON or not UTF-8, so that what is written is valid whenever it succeeds. Texts are nested 1000 deep at most.
//
// Where an object has several fields of one name, the last one counts, as in most readers. Editing that name takes the
// others away, so that no reader can see them: a field that was removed is gone.
package jsonedit
