package store

// Tables of single values, which several packages share; each owns the keys that
// it names.
var (
	Settings = Of[string]{Table: "setting"} // by the setting's name
	Tallies  = Of[int]{Table: "tally"}      // what is counted as it changes, by the name of the count
)

// Tally returns what is counted under a name; nothing yet is zero.
func Tally(r Reader, name string) (int, error) {
	n, err := Tallies.Get(r, name)
	if err != nil || n == nil {
		return 0, err
	}
	return *n, nil
}
