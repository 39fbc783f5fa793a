package pgstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/muster-iot/muster/store/pgstore"
)

// bare removes what the environment of the tests adds to an address.
func bare(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", t.TempDir())
}

func TestAddressSaysWhereAndWho(t *testing.T) {
	bare(t)
	for text, want := range map[string]struct {
		shown    string
		password bool
	}{
		"postgres://ann@db.example/muster":                            {"ann@db.example:5432/muster", false},
		"postgresql://ann@db.example:5433/muster?sslmode=disable":     {"ann@db.example:5433/muster", false},
		"postgres://ann@one:1,two:2/muster":                           {"ann@one:1,two:2/muster", false},
		"host=db.example user=ann dbname=muster":                      {"ann@db.example:5432/muster", false},
		"host=/run/pg port=5434 user=ann dbname=muster":               {"ann@/run/pg:5434/muster", false},
		"postgres://ann:hunter2@db.example/muster":                    {"ann@db.example:5432/muster", true},
		"postgres://ann:hunter2@one:1,two:2/muster":                   {"ann@one:1,two:2/muster", true},
		"postgres://ann@db.example/muster?password=hunter2":           {"ann@db.example:5432/muster", true},
		"postgres://ann@db.example/muster?pass%77ord=hunter2":         {"ann@db.example:5432/muster", true},
		"host=db.example user=ann dbname=muster password=hunter2":     {"ann@db.example:5432/muster", true},
		"host=db.example user=ann dbname=muster password = 'hunter2'": {"ann@db.example:5432/muster", true},
		"password='hunter2'host=db.example user=ann dbname=muster":    {"ann@db.example:5432/muster", true},
		"host=db.example user=ann dbname=muster sslpassword=hunter2":  {"ann@db.example:5432/muster", true},
	} {
		a, err := pgstore.CheckAddress(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if a.String() != want.shown || a.HasPassword() != want.password {
			t.Errorf("%s is shown as %s, with a password in it: %t; want %s, %t", text, a, a.HasPassword(), want.shown, want.password)
		}
	}
}

// A password that comes from elsewhere is used, and is not in the text.
func TestPasswordsOfOtherFilesAreNotInTheText(t *testing.T) {
	bare(t)
	dir := t.TempDir()
	services := filepath.Join(dir, "services")
	if err := os.WriteFile(services, []byte("[fleet]\nhost=db.example\nuser=ann\ndbname=muster\npassword=hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", services)
	a, err := pgstore.CheckAddress("service=fleet")
	if err != nil || a.HasPassword() || a.String() != "ann@db.example:5432/muster" {
		t.Errorf("the address of a service is %v, with a password: %t, %v", a, a.HasPassword(), err)
	}
	t.Setenv("PGPASSWORD", "hunter2")
	if a, err := pgstore.CheckAddress("host=db.example"); err != nil || a.HasPassword() {
		t.Errorf("with PGPASSWORD the text has a password: %t, %v", a.HasPassword(), err)
	}
}

// What cannot be understood is an error that shows no password, in whatever part of a
// mistyped text that may be.
func TestErrorsShowNoPassword(t *testing.T) {
	bare(t)
	for _, text := range []string{
		"postgres://ann:hunter2@db.example:port/muster",
		"postgres://ann:hunter2%zz@db.example/muster",
		"postgres://ann:hunter2/x@db.example:y/muster",
		"postgres://ann:hun@ter2@db.example:port/muster",
		"postgres://ann:hunter2@db.example/muster?sslmode=perhaps",
		"postgres://ann@db.example:port/muster?password=hunter2",
		"postgres://ann@db.example:port/muster?pass%77ord=hunter2",
		"host=db.example port=x password=hunter2",
		"host=db.example password='hunter2",
		"host=db.example password hunter2",
		"host=db.example sslmode=perhaps PASSWORD=hunter2",
		"Postgres://ann:hunter2@db.example/muster",
	} {
		switch _, err := pgstore.CheckAddress(text); {
		case err == nil:
			t.Errorf("%s is taken", text)
		case strings.Contains(err.Error(), "hunter2"), strings.Contains(err.Error(), "ter2"):
			t.Errorf("%s: the error shows the password: %v", text, err)
		}
	}
	if _, err := pgstore.CheckAddress("host=db.example port=x"); err == nil || !strings.Contains(err.Error(), "port") {
		t.Errorf("the error of a wrong port is %v", err)
	}
	if _, err := pgstore.CheckAddress("host=db.example sslmode=perhaps"); err == nil || !strings.Contains(err.Error(), "sslmode") {
		t.Errorf("the error of a wrong sslmode is %v", err)
	}
}
