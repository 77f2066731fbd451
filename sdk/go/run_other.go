//go:build !wasip1

package wasmill

import (
	"fmt"
	"os"
)

func run(m Module) {
	d := m.Describe()
	fmt.Fprintf(os.Stderr, "%s %s is a module of Wasmill: a host runs it. `wasmill build` makes it one, `wasmill test` "+
		"and `go test` try it.\n", d.Name, d.Version)
	os.Exit(2)
}
