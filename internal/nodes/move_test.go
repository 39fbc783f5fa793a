package nodes_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// interrupted runs a command that is killed after a time, again and again, each time later, until it has ended before that. It must
// succeed, unless the one before was killed when it had done everything.
func (s *site) interrupted(args ...string) {
	s.Helper()
	kills := 0
	for after := 30 * time.Millisecond; ; after += after / 2 {
		cmd := exec.Command(s.program, args...)
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			s.Fatal(err)
		}
		kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
		err := cmd.Wait()
		if kill.Stop() {
			if err != nil && !(kills > 0 && strings.Contains(said.String(), "is not empty")) {
				s.Fatalf("muster %s, after %d kills: %v\n%s", strings.Join(args, " "), kills, err, said.String())
			}
			s.Logf("muster %s was killed %d times, and then: %s", strings.Join(args[:2], " "), kills, strings.TrimSpace(said.String()))
			return
		}
		kills++
	}
}

// refused checks that a command is refused, with some words.
func (s *site) refused(words string, args ...string) {
	s.Helper()
	out, err := exec.Command(s.program, args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), words) {
		s.Errorf("muster %s: %v, %q; want a refusal with %q", strings.Join(args, " "), err, out, words)
	}
}

// exportTo exports the database of the site to a folder, and imports that into a new database, both with interruptions. It returns
// the data folder and the name of the new database.
func (s *site) exportTo(folder string) (data, name string) {
	s.Helper()
	s.interrupted("admin", "export", s.secrets, folder, "--store", s.database.URL(s.name))
	name, err := s.database.Create()
	if err != nil {
		s.Fatal(err)
	}
	data = filepath.Join(s.TempDir(), "imported")
	s.interrupted("admin", "import", folder, data, "--store", s.database.URL(name))
	s.Log(strings.TrimSpace(s.muster("admin", "verify", data, "--store", s.database.URL(name))))
	return data, name
}

// move copies the database while it is at work, and then moves the site to a copy of what it has at its end.
func (l *load) move() {
	l.Helper()
	early := filepath.Join(l.TempDir(), "early")
	_, name := l.exportTo(early)
	l.refused("was imported into this store before", "admin", "import", early, filepath.Join(l.TempDir(), "again"), "--store", l.database.URL(name))
	l.goesOn(10 * time.Second)
	for _, n := range l.nodes {
		n.signal(syscall.SIGTERM)
	}
	for _, n := range l.nodes {
		<-n.ended
	}
	l.secrets, l.name = l.exportTo(filepath.Join(l.TempDir(), "last"))
	for _, n := range l.nodes {
		n.copySecrets()
		n.start()
	}
	l.settle()
}
