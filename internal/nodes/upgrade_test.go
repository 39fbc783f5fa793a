package nodes_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// later builds the server of a release after this one, whose tables have two columns more. It returns the file and the number of
// the schema.
func (s *site) later() (file string, schema int) {
	s.Helper()
	dir := s.TempDir()
	put := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			s.Fatal(err)
		}
		return path
	}
	source, err := filepath.Abs("../../store/pgstore")
	if err != nil {
		s.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(source, "schema.go"))
	if err != nil {
		s.Fatal(err)
	}
	number := regexp.MustCompile(`(?m)^const schemaVersion = (\d+)$`)
	found := number.FindSubmatch(text)
	if found == nil {
		s.Fatal("the number of the schema is not where it was")
	}
	schema, _ = strconv.Atoi(string(found[1])) // it has digits only
	schema++
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(source, "schema.go"):                               put("schema.go", number.ReplaceAll(text, fmt.Appendf(nil, "const schemaVersion = %d", schema))),
		filepath.Join(source, "schema", fmt.Sprintf("%04d.sql", schema)): put("step.sql", []byte("ALTER TABLE muster.queue ADD COLUMN added integer; ALTER TABLE muster.execution ADD COLUMN added integer;")),
	}})
	if err != nil {
		s.Fatal(err)
	}
	file = filepath.Join(dir, "muster")
	out, err := exec.Command("go", "build", "-overlay", put("overlay.json", replace), "-o", file, "github.com/muster-iot/muster/cmd/muster").CombinedOutput()
	if err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	return file, schema
}

// upgrade replaces the nodes by those of the next release, one after the other.
func (l *load) upgrade() {
	l.Helper()
	var schema int
	l.program, schema = l.later()
	for i, n := range l.nodes {
		n.signal(syscall.SIGTERM)
		<-n.ended
		n.start()
		l.settle()
		has, err := l.database.Query(l.name, "SELECT schema FROM muster.version")
		if err != nil || has != strconv.Itoa(schema) {
			l.Errorf("the tables have version %s, %v, and the new release makes %d", has, err, schema)
		}
		other := l.nodes[(i+1)%len(l.nodes)]
		l.news(n, other, time.Second, nil) // of the former release, but for the last
		l.news(other, n, time.Second, nil)
		l.goesOn(10 * time.Second)
	}
}
