// Command wiregen writes the generated files of package awsiot/wire into the
// current folder. Run it with go generate ./awsiot/wire.
package main

import (
	"fmt"
	"os"

	"github.com/muster-iot/muster/internal/wiregen"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "wiregen:", err)
		os.Exit(1)
	}
}

func run() error {
	files, err := wiregen.Generate()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
