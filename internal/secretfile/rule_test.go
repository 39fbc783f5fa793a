package secretfile

import (
	"io/fs"
	"testing"
)

// Windows shows each file that may be written as 0666 and each other as 0444, whoever can open it: a rule about modes would
// refuse every secret there.
func TestTheRuleOnEachSystem(t *testing.T) {
	for system, all := range map[string]map[fs.FileMode]bool{
		"linux":   {0o600: true, 0o400: true, 0o700: true, 0o666: false, 0o444: false, 0o640: false, 0o604: false, fs.ModeDir | 0o700: false, fs.ModeNamedPipe | 0o600: false},
		"darwin":  {0o600: true, 0o644: false},
		"windows": {0o666: true, 0o444: true, fs.ModeDir | 0o777: false, fs.ModeIrregular | 0o666: false},
	} {
		for mode, want := range all {
			if err := check("key", mode, system); (err == nil) != want {
				t.Errorf("on %s a secret of mode %v: %v, want it to be taken: %v", system, mode, err, want)
			}
		}
	}
}
