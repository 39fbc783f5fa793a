package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal returns the two ends of a pseudo terminal of so many columns: what programs print on, and what a person sees.
func terminal(t *testing.T, columns int) (inside, outside *os.File) {
	t.Helper()
	outside, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { outside.Close() })
	number, err := unix.IoctlGetInt(int(outside.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(outside.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(outside.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: uint16(columns)})
	}
	if err != nil {
		t.Fatal(err)
	}
	inside, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals here: %v", err)
	}
	t.Cleanup(func() { inside.Close() })
	return inside, outside
}

func TestScreenOfTerminal(t *testing.T) {
	for _, test := range []struct {
		columns     int
		env         map[string]string
		width       int
		live, color bool
	}{
		{72, map[string]string{"COLUMNS": "100"}, 72, true, true},
		{0, map[string]string{"COLUMNS": "100"}, 100, true, true}, // a terminal that does not know
		{0, map[string]string{"COLUMNS": "many"}, 80, true, true},
		{72, map[string]string{"NO_COLOR": "1"}, 72, true, false},
		{72, map[string]string{"NO_COLOR": ""}, 72, true, true},
		{72, map[string]string{"TERM": "dumb"}, 72, false, false},
	} {
		t.Run(fmt.Sprint(test.columns, test.env), func(t *testing.T) {
			for name, otherwise := range map[string]string{"COLUMNS": "", "NO_COLOR": "", "TERM": "xterm"} {
				t.Setenv(name, otherwise)
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			inside, _ := terminal(t, test.columns)
			if s := screenOf(inside); s != (screen{w: inside, width: test.width, live: test.live, color: test.color}) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Help fits a terminal of 60 columns too, but for examples, which are to be copied.
func TestHelpFitsTerminals(t *testing.T) {
	t.Setenv("TERM", "xterm")
	inside, outside := terminal(t, 60)
	for _, page := range []string{"", "nodes", "admin", "limits"} {
		said := make(chan string)
		go func() {
			text, buffer := "", make([]byte, 1<<16)
			for !strings.Contains(text, "\x04") { // the last letter that is written
				n, err := outside.Read(buffer)
				if err != nil {
					break
				}
				text += string(buffer[:n])
			}
			said <- text
		}()
		cmd, _, err := rootCommand().Find(strings.Fields(page))
		if err != nil {
			t.Fatal(err)
		}
		cmd.Root().SetOut(inside)
		printHelp(cmd, nil)
		if _, err := inside.WriteString("\x04"); err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(<-said, "\x04")
		before, after, _ := strings.Cut(text, "examples:")
		_, after, _ = strings.Cut(after, "flags:")
		if !strings.Contains(text, "flags:") {
			t.Errorf("%s: the page is\n%s", page, text)
		}
		for line := range strings.Lines(before + after) {
			if line = strings.TrimRight(line, "\r\n"); utf8.RuneCountInString(line) > 60 {
				t.Errorf("%s: a line of %d columns: %s", page, utf8.RuneCountInString(line), line)
			}
		}
	}
}
