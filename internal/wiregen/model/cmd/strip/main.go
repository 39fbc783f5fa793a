// Command strip reads a botocore service model (service-2.json) on standard
// input and writes the interface facts that Muster uses on standard output.
// Documentation, examples and client hints are left behind.
//
//	go run ./internal/wiregen/model/cmd/strip < service-2.json > internal/wiregen/model/iot.json
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/muster-iot/muster/internal/wiregen/model"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "strip:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	api, err := model.Parse(data)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(api)
}
